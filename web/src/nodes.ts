/**
 * The table of nodes. Messages change plain objects at once, in any number; the page hears of it at most once a
 * frame, through two counters: `membership` (nodes came, went or changed name) and `values`.
 */
import { shallowRef } from 'vue'
import { tellWatchers, touchEveryNode, touchNode, touchResource } from './live/watch'
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

export interface Node {
  readonly uid: string
  protocol: string
  address: string
  gateway: string
  state: NodeState
  heard: number
  resets: number
  readonly resources: Map<string, Resource>
}

/** Nodes that are out stay listed, greyed, up to this many. */
const kMaxOut = 500

export function shown(value: Value): string {
  if (value.json !== undefined) return JSON.stringify(value.json)
  if (value.encoding !== 'base64') return value.value
  return new TextDecoder().decode(Uint8Array.from(atob(value.value), (c) => c.charCodeAt(0)))
}

export function displayName(node: Node): string {
  return node.resources.get('name')?.value || node.uid
}

export class NodeTable {
  readonly nodes = new Map<string, Node>()
  private out = 0
  membershipChanged = false
  valuesChanged = false

  clear(): void {
    this.nodes.clear()
    touchEveryNode()
    this.out = 0
    this.membershipChanged = true
  }

  begin(nodes: SnapshotNode[], now: number): void {
    for (const told of nodes) {
      const node = this.describe(told)
      node.heard = Math.min(told.last_seen, now)
      for (const value of told.values) this.update(node, value, now)
    }
  }

  apply(item: Item, now: number): void {
    if (item.event === undefined) {
      const node = this.enter(item.node)
      node.heard = now
      return this.update(node, item, now)
    }
    if (item.event === 'gateway_down') return this.lose(item.gateway)
    if (item.node === undefined) return
    if (item.event === 'forgotten') return this.forget(item.node)
    const node = this.describe(item as Facts)
    node.heard = now
    if (item.event === 'reset') node.resets += 1
  }

  private enter(uid: string): Node {
    let node = this.nodes.get(uid)
    if (!node) {
      node = { uid, protocol: '', address: '', gateway: '', state: 'live', heard: 0, resets: 0, resources: new Map() }
      this.nodes.set(uid, node)
      this.membershipChanged = true
    }
    return node
  }

  private describe({ node: uid, protocol, address, gateway, state }: Facts): Node {
    const node = this.enter(uid)
    Object.assign(node, { protocol, address, gateway })
    this.turn(node, state)
    touchNode(uid)
    this.membershipChanged = true
    return node
  }

  private turn(node: Node, state: NodeState): void {
    this.out += Number(state === 'out') - Number(node.state === 'out')
    node.state = state
    if (this.out <= kMaxOut) return
    for (const candidate of this.nodes.values()) {
      if (candidate.state === 'out') return this.forget(candidate.uid)
    }
  }

  private forget(uid: string): void {
    const node = this.nodes.get(uid)
    if (!node) return
    if (node.state === 'out') this.out -= 1
    this.nodes.delete(uid)
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
    this.valuesChanged = true
    touchResource(node.uid, told.resource)
    const value = shown(told)
    const { format, json, number, unit } = told
    const bytes = told.encoding === 'base64' ? told.value : undefined
    const facts = { value, bytes, format, json, number, unit, time: Math.min(told.time, now) }
    const resource = node.resources.get(told.resource)
    if (!resource) {
      node.resources.set(told.resource, { name: told.resource, ...facts })
      this.membershipChanged = true
      return
    }
    if (told.resource === 'name' && resource.value !== value) this.membershipChanged = true
    Object.assign(resource, facts)
  }
}

export const table = new NodeTable()
export const membership = shallowRef(0)
export const values = shallowRef(0)
export const link = shallowRef<{ state: LinkState; retryAt: number | null }>({ state: 'connecting', retryAt: null })

let flushing = false
function flushSoon(): void {
  if (flushing) return
  flushing = true
  const flush = () => {
    flushing = false
    if (table.membershipChanged) membership.value += 1
    if (table.valuesChanged || table.membershipChanged) values.value += 1
    table.membershipChanged = table.valuesChanged = false
    tellWatchers()
  }
  // A hidden page gets no animation frames; its table must be right all the same when it is shown again.
  if (document.hidden) window.setTimeout(flush, 500)
  else window.requestAnimationFrame(flush)
}

export const connection = new Link(new URL('ws', document.baseURI).href.replace(/^http/, 'ws'), {
  state(state, retryAt) {
    link.value = { state, retryAt }
  },
  opened() {
    table.clear()
    flushSoon()
  },
  snapshot(nodes) {
    table.begin(nodes, Date.now())
    flushSoon()
  },
  items(items) {
    const now = Date.now()
    for (const item of items) table.apply(item, now)
    flushSoon()
  },
})
