/** Gateways and the ledger, asked for every few seconds while somebody looks. */
import { onScopeDispose, shallowRef, watch } from 'vue'
import { getJson } from '../api/http'
import { link } from '../nodes'
import { isRecord } from '../storage'

export interface Gateway {
  name: string
  site: string
  wire: string
  connected: boolean
  peer: string
  software: string
  since: number
  seen: number
  nodes: number
  /** Values from it, since the broker began to count; and how many in a second. */
  updates: number
  rate: number | null
  /** What it has counted itself; null where it tells nothing. */
  counts: Record<string, number> | null
  dropped: Record<string, number>
}

export interface Ledger {
  version: string
  uptime: number
  clients: number
  received: number
  stored: number
  delivered: number
  queued: number
  committed: number
  bytes: number
  dropped: Record<string, number>
  balanced: boolean
  problems: readonly string[]
  rate: number | null
}

const kEveryMs = 4000

export const gateways = shallowRef<readonly Gateway[] | null>(null)
export const ledger = shallowRef<Ledger | null>(null)
export const operationsError = shallowRef('')

const number = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : 0)
const text = (value: unknown) => (typeof value === 'string' ? value : '')
function counts(value: unknown): Record<string, number> {
  if (!isRecord(value)) return {}
  return Object.fromEntries(Object.entries(value).filter((entry): entry is [string, number] => typeof entry[1] === 'number'))
}

async function allGateways(): Promise<unknown[]> {
  const items: unknown[] = []
  let cursor = ''
  do {
    const page = await getJson('gateways', { limit: 1000, ...(cursor ? { cursor } : {}) })
    if (!isRecord(page) || !Array.isArray(page.items)) break
    items.push(...(page.items as unknown[]))
    cursor = text(page.next)
  } while (cursor !== '')
  return items
}

let before = { at: 0, received: 0, updates: new Map<string, number>() }

/** In a second since the last time; not known at first, nor when a counter began anew. */
function rate(count: number, last: number | undefined, seconds: number): number | null {
  return last === undefined || count < last || before.at === 0 || seconds <= 0 ? null : (count - last) / seconds
}

async function load(): Promise<void> {
  const [items, status] = await Promise.all([allGateways(), getJson('status')])
  if (!isRecord(status) || !isRecord(status.broker)) return
  const at = performance.now()
  const seconds = (at - before.at) / 1000
  const reports = new Map<string, Record<string, unknown>>()
  for (const report of Array.isArray(status.gateways) ? status.gateways : []) {
    if (isRecord(report)) reports.set(text(report.name), report)
  }
  const updates = new Map<string, number>()
  gateways.value = items.filter(isRecord).map((told) => {
    const name = text(told.name)
    const report = reports.get(name)
    updates.set(name, number(told.updates))
    return {
      name,
      site: text(told.site),
      wire: text(told.wire),
      connected: told.state === 'connected',
      peer: text(told.peer),
      software: text(told.software),
      since: Date.parse(text(told.connected_since)) || 0,
      seen: Date.parse(text(told.last_seen)) || 0,
      nodes: number(told.nodes),
      updates: number(told.updates),
      rate: rate(number(told.updates), before.updates.get(name), seconds),
      counts: report && 'counted_at' in report ? counts(report) : null,
      dropped: counts(report?.dropped),
    }
  })
  const { broker } = status
  ledger.value = {
    version: text(broker.version),
    uptime: number(broker.uptime_s),
    clients: number(broker.clients),
    received: number(broker.received),
    stored: number(broker.stored),
    delivered: number(broker.delivered),
    queued: number(broker.queued),
    committed: number(broker.committed),
    bytes: number(broker.bytes),
    dropped: counts(broker.dropped),
    balanced: status.balanced === true,
    problems: Array.isArray(status.problems) ? status.problems.map(String) : [],
    rate: rate(number(broker.received), before.received, seconds),
  }
  before = { at, received: number(broker.received), updates }
}

let users = 0
let timer = 0
let asking = false

async function poll(): Promise<void> {
  if (asking || document.hidden || link.value.state !== 'live') return
  asking = true
  try {
    await load()
    operationsError.value = ''
  } catch (error) {
    operationsError.value = error instanceof Error ? error.message : String(error)
  } finally {
    asking = false
  }
}

export function useOperations(): { gateways: typeof gateways; ledger: typeof ledger; error: typeof operationsError } {
  if (users++ === 0) timer = window.setInterval(() => void poll(), kEveryMs)
  void poll()
  watch(
    () => link.value.state,
    () => void poll(),
  )
  onScopeDispose(() => {
    if (--users === 0) window.clearInterval(timer)
  })
  return { gateways, ledger, error: operationsError }
}
