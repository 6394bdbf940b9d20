/**
 * Who looks at which node and resource. The table says what it touched; those who look hear of it once a frame. What
 * nobody looks at costs a lookup.
 */
type Listener = () => void

interface OfNode {
  /** Of the node as a whole, whatever changes of it. */
  readonly all: Set<Listener>
  readonly resources: Map<string, Set<Listener>>
}

const watched = new Map<string, OfNode>()
const due = new Set<Listener>()

function ofNode(uid: string): OfNode {
  let found = watched.get(uid)
  if (!found) watched.set(uid, (found = { all: new Set(), resources: new Map() }))
  return found
}

function dropIdle(uid: string, node: OfNode): void {
  if (node.all.size === 0 && node.resources.size === 0 && watched.get(uid) === node) watched.delete(uid)
}

export function watchNode(uid: string, listener: Listener): () => void {
  const node = ofNode(uid)
  node.all.add(listener)
  return () => {
    node.all.delete(listener)
    due.delete(listener)
    dropIdle(uid, node)
  }
}

export function watchResource(uid: string, resource: string, listener: Listener): () => void {
  const node = ofNode(uid)
  const listeners = node.resources.get(resource) ?? new Set<Listener>()
  node.resources.set(resource, listeners)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    due.delete(listener)
    if (listeners.size > 0 || node.resources.get(resource) !== listeners) return
    node.resources.delete(resource)
    dropIdle(uid, node)
  }
}

function owe(listeners: Iterable<Listener> | undefined): void {
  if (listeners) for (const listener of listeners) due.add(listener)
}

export function touchResource(uid: string, resource: string): void {
  const node = watched.get(uid)
  if (!node) return
  owe(node.all)
  owe(node.resources.get(resource))
}

/** Its state, or whether it is there at all. */
export function touchNode(uid: string): void {
  const node = watched.get(uid)
  if (!node) return
  owe(node.all)
  for (const listeners of node.resources.values()) owe(listeners)
}

export function touchEveryNode(): void {
  for (const uid of watched.keys()) touchNode(uid)
}

/** The table's, once a frame. */
export function tellWatchers(): void {
  const now = [...due]
  due.clear()
  for (const listener of now) listener()
}
