/** One node, as it is now. The record changes in place; the ref says when. */
import { computed, onScopeDispose, shallowRef, toValue, triggerRef, watch, type ComputedRef, type MaybeRefOrGetter, type Ref, type ShallowRef } from 'vue'
import { silentFor } from '../attention/problems'
import { heldState, table, type Node } from '../nodes'
import type { NodeState } from '../wire'
import { watchNode } from './watch'

export function useNode(uid: MaybeRefOrGetter<string>): Readonly<ShallowRef<Node | undefined>> {
  const node = shallowRef<Node>()
  let stop = () => {}
  const look = () => {
    node.value = table.nodes.get(toValue(uid))
    triggerRef(node)
  }
  watch(
    () => toValue(uid),
    (wanted) => {
      stop()
      stop = watchNode(wanted, look)
      look()
    },
    { immediate: true },
  )
  onScopeDispose(() => stop())
  return node
}

/** How it stands, as a page may show it. */
export function useNodeState(node: Readonly<ShallowRef<Node | undefined>>, now: Readonly<Ref<number>>): ComputedRef<NodeState | 'silent'> {
  return computed(() => {
    if (!node.value) return 'out'
    const state = heldState(node.value)
    return state === 'live' && silentFor(node.value, now.value) > 0 ? 'silent' : state
  })
}
