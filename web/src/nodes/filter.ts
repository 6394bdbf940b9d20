/** Which nodes are listed, in which order: read from and written to the address, so that a list is a link. */
import { silentFor } from '../attention/problems'
import { haystack, sortKey, type Node } from '../nodes'

export const states = ['', 'live', 'silent', 'stale', 'out'] as const
export const sorts = ['name', 'heard', 'gateway', 'protocol', 'state', 'resets'] as const
export const fixedGroups = ['', 'state', 'gateway', 'protocol', 'board'] as const

export interface Filter {
  q: string
  state: (typeof states)[number]
  protocol: string
  gateway: string
  /** NAME=VALUE, or NAME for any value. */
  label: string
  sort: (typeof sorts)[number]
  descending: boolean
  /** One of fixedGroups, or "label:NAME". */
  group: string
}

export function readFilter(query: URLSearchParams): Filter {
  const text = (name: string) => query.get(name) ?? ''
  const one = <T extends string>(choices: readonly T[], value: string) => choices.find((choice) => choice === value) ?? choices[0]!
  const group = text('group')
  return {
    q: text('q'),
    state: one(states, text('state')),
    protocol: text('protocol'),
    gateway: text('gateway'),
    label: text('label'),
    sort: one(sorts, text('sort')),
    descending: query.has('desc'),
    group: group.startsWith('label:') ? group : one(fixedGroups, group),
  }
}

export function writeFilter(filter: Filter): Record<string, string | undefined> {
  const { descending, sort, ...rest } = filter
  return { ...rest, sort: sort === 'name' ? undefined : sort, desc: descending ? '1' : undefined }
}

function labelled(node: Node, wanted: string): boolean {
  const equals = wanted.indexOf('=')
  if (equals < 0) return wanted in node.labels
  return node.labels[wanted.slice(0, equals)] === wanted.slice(equals + 1)
}

export function matches(node: Node, filter: Filter, words: readonly string[], now: number): boolean {
  const { state, protocol, gateway, label } = filter
  if (state === 'silent' ? silentFor(node, now) === 0 : state !== '' && node.state !== state) return false
  if (protocol !== '' && node.protocol !== protocol) return false
  if (gateway !== '' && node.gateway !== gateway) return false
  if (label !== '' && !labelled(node, label)) return false
  return words.length === 0 || words.every((word) => haystack(node).includes(word))
}

export const wordsOf = (q: string) => q.toLowerCase().split(/\s+/).filter(Boolean)

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })
const kStateOrder = { out: 0, stale: 1, live: 2 }

const plain = (a: string, b: string) => (a < b ? -1 : Number(a > b))

export function comparison({ sort, descending }: Filter): (a: Node, b: Node) => number {
  const byName = (a: Node, b: Node) => plain(sortKey(a), sortKey(b)) || plain(a.uid, b.uid)
  const keys: Record<Filter['sort'], (a: Node, b: Node) => number> = {
    name: byName,
    heard: (a, b) => b.heard - a.heard,
    gateway: (a, b) => plain(a.gateway, b.gateway),
    protocol: (a, b) => plain(a.protocol, b.protocol),
    state: (a, b) => kStateOrder[a.state] - kStateOrder[b.state],
    resets: (a, b) => b.resets - a.resets,
  }
  const key = keys[sort]
  const sign = descending ? -1 : 1
  return (a, b) => sign * key(a, b) || byName(a, b)
}

export function groupOf(node: Node, group: string): string {
  if (group.startsWith('label:')) return node.labels[group.slice(6)] ?? ''
  if (group === 'board') return node.resources.get('board')?.value.slice(0, 100) ?? ''
  return group === 'state' || group === 'gateway' || group === 'protocol' ? node[group] : ''
}

export type Row = { group: string; count: number; uid?: undefined } | { uid: string; group?: undefined; count?: undefined }

/** What is listed: nodes in order, under the heads of their groups. */
export function arrange(nodes: Iterable<Node>, filter: Filter, now: number): { all: number; found: Node[]; rows: Row[] } {
  const words = wordsOf(filter.q)
  const found: Node[] = []
  let all = 0
  for (const node of nodes) {
    all += 1
    if (matches(node, filter, words, now)) found.push(node)
  }
  found.sort(comparison(filter))
  if (filter.group === '') return { all, found, rows: found.map(({ uid }) => ({ uid })) }
  const groups = new Map<string, Row[]>()
  for (const node of found) {
    const name = groupOf(node, filter.group)
    const rows = groups.get(name)
    if (rows) rows.push({ uid: node.uid })
    else groups.set(name, [{ uid: node.uid }])
  }
  const names = [...groups.keys()].sort((a, b) => Number(a === '') - Number(b === '') || collator.compare(a, b))
  return { all, found, rows: names.flatMap((group) => [{ group, count: groups.get(group)!.length }, ...groups.get(group)!]) }
}

export interface Facets {
  protocols: string[]
  gateways: string[]
  labels: string[]
  labelNames: string[]
}

/** Labels with more values than that are offered by name only. */
const kMaxLabelValues = 30

export function facetsOf(nodes: Iterable<Node>): Facets {
  const protocols = new Set<string>()
  const gateways = new Set<string>()
  const labels = new Map<string, Set<string>>()
  for (const node of nodes) {
    protocols.add(node.protocol)
    gateways.add(node.gateway)
    for (const [name, value] of Object.entries(node.labels)) {
      const values = labels.get(name)
      if (values) values.add(value)
      else labels.set(name, new Set([value]))
    }
  }
  const sorted = (values: Iterable<string>) => [...values].filter(Boolean).sort(collator.compare)
  const labelNames = sorted(labels.keys())
  return {
    protocols: sorted(protocols),
    gateways: sorted(gateways),
    labelNames,
    labels: labelNames.flatMap((name) => {
      const values = labels.get(name)!
      return [name, ...(values.size > kMaxLabelValues ? [] : sorted(values).map((value) => `${name}=${value}`))]
    }),
  }
}
