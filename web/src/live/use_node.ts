/** One node, as it is now. The record changes in place; the ref says when. */
import { onScopeDispose, shallowRef, toValue, triggerRef, watch, type MaybeRefOrGetter, type ShallowRef } from 'vue'
import { table, type Node } from '../nodes'
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
