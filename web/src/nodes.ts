/**
 * The table of nodes. Messages change plain objects at once, in any number; the page hears of it at most once a
 * frame, through two counters: `membership` (nodes came, went or changed name) and `values`.
 */
import { shallowRef } from 'vue'
import { Link, type LinkState, type Message } from './wire'

export interface Resource {
  readonly name: string
  value: string
  /** When this page received it, in milliseconds since 1970. */
  time: number
}

export interface Node {
  readonly uid: string
  protocol: string
  address: string
  out: boolean
  heard: number
  resets: number
  readonly resources: Map<string, Resource>
}

/** Endpoints that describe the node instead of being values of it. */
const kIdentity = new Set(['ip', 'id', 'protocol'])
/** Nodes that are out stay listed, greyed, up to this many. */
const kMaxOut = 500

export function shown(data: unknown): string {
  return typeof data === 'string' ? data : (JSON.stringify(data) ?? '')
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
    this.out = 0
    this.membershipChanged = true
  }

  apply(message: Message, now: number): void {
    if (message.type === 'out') return this.leave(message.uid, now)
    const node = this.enter(message.uid)
    node.heard = now
    if (message.type === 'reset') {
      node.resets += 1
      this.valuesChanged = true
    } else if (message.type === 'update') {
      this.update(node, message.endpoint, shown(message.data), now)
    }
  }

  private enter(uid: string): Node {
    let node = this.nodes.get(uid)
    if (!node) {
      node = { uid, protocol: '', address: '', out: false, heard: 0, resets: 0, resources: new Map() }
      this.nodes.set(uid, node)
      this.membershipChanged = true
    } else if (node.out) {
      node.out = false
      this.out -= 1
      this.membershipChanged = true
    }
    return node
  }

  private leave(uid: string, now: number): void {
    const node = this.nodes.get(uid)
    if (!node || node.out) return
    node.out = true
    node.heard = now
    this.out += 1
    this.membershipChanged = true
    if (this.out <= kMaxOut) return
    for (const [key, candidate] of this.nodes) {
      if (candidate.out) {
        this.nodes.delete(key)
        this.out -= 1
        break
      }
    }
  }

  private update(node: Node, endpoint: string, value: string, now: number): void {
    this.valuesChanged = true
    if (kIdentity.has(endpoint)) {
      if (endpoint === 'protocol') node.protocol = value
      else node.address = value
      this.membershipChanged = true
      return
    }
    const resource = node.resources.get(endpoint)
    if (!resource) {
      node.resources.set(endpoint, { name: endpoint, value, time: now })
      this.membershipChanged = true
      return
    }
    if (endpoint === 'name' && resource.value !== value) this.membershipChanged = true
    resource.value = value
    resource.time = now
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
  message(message) {
    table.apply(message, Date.now())
    flushSoon()
  },
})
