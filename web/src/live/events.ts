/**
 * What happened: first what the broker's store has, then what comes (Server-Sent Events). The stream is read with
 * fetch, because EventSource passes on only types that are known beforehand.
 */
import { shallowRef, watch } from 'vue'
import { apiUrl, getJson } from '../api/http'
import { link } from '../nodes'
import { isRecord } from '../storage'

export interface BrokerEvent {
  id: number
  /** Milliseconds since 1970. */
  time: number
  type: string
  gateway: string
  node: string
  message: string
  data: Readonly<Record<string, unknown>>
}

/** What asks for an operator's attention, beside a write that failed. A flood of joins must not push them out. */
export const problemTypes = [
  'reset', 'gap', 'uid_conflict', 'name_conflict', 'node_refused', 'stream_replaced', 'refused_input',
  'journal_overflow', 'journal_damaged', 'disk_full', 'store_damaged', 'store_failed',
] as const

const kRecent = 1000
const kProblems = 1000
const kBackfill = 300
const kBackfillOfType = 100
const kFirstRetryMs = 1000
const kLastRetryMs = 15_000

/** The newest last. */
export const recentEvents = shallowRef<readonly BrokerEvent[]>([])
export const problemEvents = shallowRef<readonly BrokerEvent[]>([])
export const eventsState = shallowRef<'loading' | 'live' | 'lost'>('loading')

export function toEvent(told: unknown): BrokerEvent | null {
  if (!isRecord(told) || typeof told.id !== 'number' || typeof told.type !== 'string') return null
  const text = (value: unknown) => (typeof value === 'string' ? value : '')
  return {
    id: told.id,
    time: Date.parse(text(told.time)) || 0,
    type: told.type,
    gateway: text(told.gateway),
    node: text(told.node),
    message: text(told.message),
    data: isRecord(told.data) ? told.data : {},
  }
}

/** A write that the node did not confirm. */
export const isFailedWrite = (event: BrokerEvent) => event.type === 'write' && isRecord(event.data.error)
const isProblem = (event: BrokerEvent) =>
  isFailedWrite(event) || (problemTypes as readonly string[]).includes(event.type)

/** Events of a page of the store. */
export async function fetchEvents(query: Record<string, string | number>, signal?: AbortSignal): Promise<BrokerEvent[]> {
  const page = await getJson('events', query, signal)
  const items = isRecord(page) && Array.isArray(page.items) ? page.items : []
  return items.map(toEvent).filter((event) => event !== null)
}

function merged(lists: readonly (readonly BrokerEvent[])[], most: number): BrokerEvent[] {
  const byId = new Map<number, BrokerEvent>()
  for (const list of lists) for (const event of list) byId.set(event.id, event)
  return [...byId.values()].sort((a, b) => a.id - b.id).slice(-most)
}

let waiting: BrokerEvent[] = []
let flushing = 0

function take(event: BrokerEvent): void {
  waiting.push(event)
  if (flushing === 0) flushing = window.setTimeout(flush, 250)
}

function flush(): void {
  flushing = 0
  const came = waiting
  waiting = []
  recentEvents.value = [...recentEvents.value, ...came].slice(-kRecent)
  const problems = came.filter(isProblem)
  if (problems.length > 0) problemEvents.value = [...problemEvents.value, ...problems].slice(-kProblems)
}

/** Everything again, as after a restart of the broker numbers may begin anew. The last id is where a stream goes on. */
async function backfill(signal: AbortSignal): Promise<number> {
  const newest = (type?: string) =>
    fetchEvents({ newest: 'true', limit: type ? kBackfillOfType : kBackfill, ...(type ? { type } : {}) }, signal)
  const recent = await newest()
  recentEvents.value = recent
  problemEvents.value = recent.filter(isProblem)
  // The older ones may take their time: the page is there already.
  void Promise.all(['write', ...problemTypes].map((type) => newest(type)))
    .then((lists) => {
      problemEvents.value = merged([lists.flat().filter(isProblem), problemEvents.value], kProblems)
    })
    .catch(() => {})
  return recent[recent.length - 1]?.id ?? 0
}

async function follow(after: number, signal: AbortSignal): Promise<void> {
  const response = await fetch(apiUrl('events'), {
    signal,
    headers: { accept: 'text/event-stream', 'last-event-id': String(after) },
  })
  if (!response.ok || !response.body) throw new Error(`${response.status}`)
  eventsState.value = 'live'
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let text = ''
  for (;;) {
    const { value, done } = await reader.read()
    if (done) return
    text += value
    const end = text.lastIndexOf('\n\n')
    if (end < 0) continue
    for (const block of text.slice(0, end).split('\n\n')) takeBlock(block)
    text = text.slice(end + 2)
  }
}

function takeBlock(block: string): void {
  const data = block.split('\n').find((row) => row.startsWith('data:'))
  if (!data) return
  try {
    const event = toEvent(JSON.parse(data.slice(5)))
    if (event) take(event)
  } catch {
    // A line that is none of ours.
  }
}

/** For as long as the page is there. While the broker is away nothing is asked of it. */
export function followEvents(): () => void {
  let stop = new AbortController()
  let retryMs = kFirstRetryMs
  let timer = 0
  async function run(): Promise<void> {
    const { signal } = (stop = new AbortController())
    try {
      await follow(await backfill(signal), signal)
    } catch {
      // It is tried again.
    }
    if (signal.aborted) return
    eventsState.value = 'lost'
    retryMs = Math.min(retryMs * 2, kLastRetryMs)
    timer = window.setTimeout(run, retryMs)
  }
  const unwatch = watch(
    () => link.value.state === 'live',
    (live) => {
      stop.abort()
      window.clearTimeout(timer)
      retryMs = kFirstRetryMs
      if (live) void run()
      else eventsState.value = 'lost'
    },
    { immediate: true },
  )
  return () => {
    unwatch()
    stop.abort()
    window.clearTimeout(timer)
  }
}
