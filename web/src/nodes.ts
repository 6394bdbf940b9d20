/**
 * The table of nodes. Messages change plain objects at once, in any number; the page hears of it at most once a
 * frame: through live/watch.ts who looks at a node or resource, through `membership` who looks at all of them (nodes
 * came, went, changed state or name).
 */
import { shallowRef } from 'vue'
import { brokerNow } from './live/clock'
import { tellWatchers, touchEveryNode, touchNode, touchResource } from './live/watch'
import { visibleText } from './text'
import { Link, type Facts, type Item, type LinkState, type NodeState, type SnapshotNode, type Value } from './wire'

export interface Resource {
  readonly name: string
  /** As text; a value that is not UTF-8 has its base 64 in `bytes` as well. */
  value: string
  bytes?: string
  /** The CoAP content-format number that was declared. */
  format?: number
  /** What CBOR or SenML in CBOR holds. */
  json?: unknown
  number?: number
  unit?: string
  /** When the gateway received it, in milliseconds since 1970. */
  time: number
}

export type Labels = Readonly<Record<string, string>>

export interface Node {
  readonly uid: string
  protocol: string
  address: string
  gateway: string
  state: NodeState
  labels: Labels
  firstSeen: number
  heard: number
  /** The usual time between two of its messages in milliseconds; 0 when it is not known. */
  interval: number
  resets: number
  timeouts: number
  rejectedWrites: number
  readonly resources: Map<string, Resource>
  /** What a search looks at, in lower case; empty when it must be put together again. */
  haystack: string
  /** Its name for plain comparison; empty as well. */
  sortKey: string
  /** The snapshot that named it last. */
  epoch: number
}

/** Nodes that are out stay listed, greyed, up to this many. */
const kMaxOut = 20_000
const kNoLabels: Labels = Object.freeze({})
/** How much a new interval counts. */
const kSmooth = 0.1
/** Values that come closer together are of one message. */
const kTogetherMs = 100

export function shown(value: Value): string {
  if (value.json !== undefined) return JSON.stringify(value.json)
  if (value.encoding !== 'base64') return value.value
  return new TextDecoder().decode(Uint8Array.from(atob(value.value), (c) => c.charCodeAt(0)))
}

export function displayName(node: Node): string {
  return visibleText(node.resources.get('name')?.value.slice(0, 200) || node.uid)
}

/** Resources that say who a node is; a search looks at their values. */
const kIdentity = ['name', 'os', 'board', 'vendor', 'mcu', 'version']

export function haystack(node: Node): string {
  if (node.haystack === '') {
    const identity = kIdentity.map((name) => node.resources.get(name)?.value.slice(0, 200) ?? '')
    const labels = Object.entries(node.labels).map(([name, value]) => `${name}=${value}`)
    node.haystack = [node.uid, node.protocol, node.address, node.gateway, ...identity, ...labels, ...node.resources.keys()]
      .join('\n')
      .toLowerCase()
  }
  return node.haystack
}

/** Numbers in names count as numbers, case and accents do not; ten times as fast as a collator. */
export function sortKey(node: Node): string {
  if (node.sortKey === '') {
    node.sortKey = displayName(node)
      .normalize('NFKD')
      .replace(/\p{M}/gu, '')
      .toLowerCase()
      .replace(/\d+/g, (digits) => digits.padStart(12, '0'))
  }
  return node.sortKey
}

export class NodeTable {
  readonly nodes = new Map<string, Node>()
  /** Values that came since the page was loaded. */
  received = 0
  private readonly out = new Set<string>()
  membershipChanged = false
  private epoch = 0

  /** A snapshot begins. What is known stays until it is complete, so that nothing flickers. */
  open(): void {
    this.epoch += 1
  }

  begin(nodes: SnapshotNode[], now: number): void {
    for (const told of nodes) {
      const node = this.describe(told)
      if (node.epoch !== this.epoch) node.resources.clear()
      node.epoch = this.epoch
      node.heard = Math.min(told.last_seen, now)
      node.firstSeen = told.first_seen
      node.interval = (told.stats?.interval_s ?? 0) * 1000
      node.resets = told.stats?.resets ?? 0
      node.timeouts = told.stats?.timeouts ?? 0
      node.rejectedWrites = told.stats?.rejected_writes ?? 0
      for (const value of told.values) this.update(node, value, now)
    }
  }

  /** The snapshot is complete: what it did not name is gone. */
  settle(): void {
    for (const node of this.nodes.values()) if (node.epoch !== this.epoch) this.forget(node.uid)
    touchEveryNode()
    this.membershipChanged = true
  }

  apply(item: Item, now: number): void {
    if (item.event === undefined) {
      const node = this.enter(item.node)
      const gap = now - node.heard
      if (node.heard > 0 && gap > kTogetherMs) node.interval = node.interval > 0 ? node.interval + kSmooth * (gap - node.interval) : gap
      node.heard = now
      this.received += 1
      return this.update(node, item, now)
    }
    if (item.event === 'gateway_down') return this.lose(item.gateway)
    if (item.node === undefined) return
    if (item.event === 'forgotten') return this.forget(item.node)
    const node = this.describe(item as Facts)
    if (item.event !== 'out' && item.event !== 'changed') node.heard = now
    if (item.event === 'reset') node.resets += 1
  }

  private enter(uid: string): Node {
    let node = this.nodes.get(uid)
    if (!node) {
      node = {
        uid, protocol: '', address: '', gateway: '', state: 'live', labels: kNoLabels, firstSeen: 0, heard: 0,
        interval: 0, resets: 0, timeouts: 0, rejectedWrites: 0, resources: new Map(), haystack: '', sortKey: '', epoch: this.epoch,
      }
      this.nodes.set(uid, node)
      this.membershipChanged = true
    }
    return node
  }

  private describe({ node: uid, protocol, address, gateway, state, labels }: Facts): Node {
    const node = this.enter(uid)
    Object.assign(node, { protocol, address, gateway, labels: labels ?? kNoLabels, haystack: '', sortKey: '' })
    this.turn(node, state)
    touchNode(uid)
    this.membershipChanged = true
    return node
  }

  private turn(node: Node, state: NodeState): void {
    node.state = state
    if (state !== 'out') {
      this.out.delete(node.uid)
      return
    }
    this.out.add(node.uid)
    if (this.out.size <= kMaxOut) return
    for (const oldest of this.out) return this.forget(oldest)
  }

  private forget(uid: string): void {
    this.out.delete(uid)
    if (!this.nodes.delete(uid)) return
    touchNode(uid)
    this.membershipChanged = true
  }

  /** A gateway that goes is one message for all its nodes. */
  private lose(gateway: string | undefined): void {
    for (const node of this.nodes.values()) {
      if (node.gateway === gateway && node.state === 'live') node.state = 'stale'
    }
    touchEveryNode()
    this.membershipChanged = true
  }

  private update(node: Node, told: Value, now: number): void {
    touchResource(node.uid, told.resource)
    const value = shown(told)
    const { format, json, number, unit } = told
    const bytes = told.encoding === 'base64' ? told.value : undefined
    const facts = { value, bytes, format, json, number, unit, time: Math.min(told.time, now) }
    const resource = node.resources.get(told.resource)
    if (!resource) {
      node.resources.set(told.resource, { name: told.resource, ...facts })
      node.haystack = node.sortKey = ''
      this.membershipChanged = true
      return
    }
    if (resource.value !== value && kIdentity.includes(told.resource)) {
      node.haystack = node.sortKey = ''
      this.membershipChanged = true
    }
    Object.assign(resource, facts)
  }
}

export const table = new NodeTable()
export const membership = shallowRef(0)
/** Live once the snapshot is complete: then the table is what the broker has. */
export const link = shallowRef<{ state: LinkState; retryAt: number | null }>({ state: 'connecting', retryAt: null })

/** Without the broker nobody knows whether a node is still live. */
export function heldState(node: Node): NodeState {
  return node.state === 'live' && link.value.state !== 'live' ? 'stale' : node.state
}

let flushing = false
function flushSoon(): void {
  if (flushing) return
  flushing = true
  const flush = () => {
    flushing = false
    if (table.membershipChanged) membership.value += 1
    table.membershipChanged = false
    tellWatchers()
  }
  // A hidden page gets no animation frames; its table must be right all the same when it is shown again.
  if (document.hidden) window.setTimeout(flush, 500)
  else window.requestAnimationFrame(flush)
}

export const connection = new Link(new URL('ws', document.baseURI).href.replace(/^http/, 'ws'), {
  state(state, retryAt) {
    if (state !== 'live') link.value = { state, retryAt }
  },
  opened() {
    table.open()
  },
  snapshot(nodes, last) {
    table.begin(nodes, brokerNow())
    if (last) {
      table.settle()
      link.value = { state: 'live', retryAt: null }
    }
    flushSoon()
  },
  items(items) {
    const now = brokerNow()
    for (const item of items) table.apply(item, now)
    flushSoon()
  },
})
