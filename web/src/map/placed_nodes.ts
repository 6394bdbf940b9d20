/** All nodes that say where they are. Values are parsed only when they changed. */
import { displayName, heldState, table, type Node } from '../nodes'
import type { NodeState } from '../wire'
import { kPositionNames, positionOf, type Position } from './position'

export interface PlacedNode extends Position {
  uid: string
  name: string
  state: NodeState
}

const parsed = new Map<string, { text: string; position: Position | null }>()

function placeOf(node: Node): Position | null {
  for (const name of kPositionNames) {
    const resource = node.resources.get(name)
    if (!resource) continue
    const known = parsed.get(node.uid)
    if (known?.text === resource.value) return known.position
    const position = positionOf(resource.value)
    parsed.set(node.uid, { text: resource.value, position })
    return position
  }
  return null
}

export function placedNodes(wanted?: (node: Node) => boolean): PlacedNode[] {
  const found: PlacedNode[] = []
  for (const node of table.nodes.values()) {
    if (wanted && !wanted(node)) continue
    const place = placeOf(node)
    if (place) found.push({ ...place, uid: node.uid, name: displayName(node), state: heldState(node) })
  }
  if (parsed.size > 2 * table.nodes.size + 100) for (const uid of parsed.keys()) if (!table.nodes.has(uid)) parsed.delete(uid)
  return found
}
