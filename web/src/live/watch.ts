/**
 * Who looks at which resource. The table says what it touched; those who look hear of it once a frame. What nobody
 * looks at costs a lookup.
 */
type Listener = () => void

const watched = new Map<string, Map<string, Set<Listener>>>()
const due = new Set<Listener>()

export function watchResource(uid: string, resource: string, listener: Listener): () => void {
  const ofNode = watched.get(uid) ?? new Map<string, Set<Listener>>()
  watched.set(uid, ofNode)
  const listeners = ofNode.get(resource) ?? new Set<Listener>()
  ofNode.set(resource, listeners)
  listeners.add(listener)
  return () => {
    listeners.delete(listener)
    due.delete(listener)
    if (listeners.size > 0 || ofNode.get(resource) !== listeners) return
    ofNode.delete(resource)
    if (ofNode.size === 0 && watched.get(uid) === ofNode) watched.delete(uid)
  }
}

export function touchResource(uid: string, resource: string): void {
  const listeners = watched.get(uid)?.get(resource)
  if (listeners) for (const listener of listeners) due.add(listener)
}

/** Its state, or whether it is there at all. */
export function touchNode(uid: string): void {
  const ofNode = watched.get(uid)
  if (ofNode) for (const listeners of ofNode.values()) for (const listener of listeners) due.add(listener)
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
