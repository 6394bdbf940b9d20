/** How many nodes are how, counted at most every half second. */
import { computed, type ComputedRef } from 'vue'
import { link, membership, table } from '../nodes'
import type { NodeState } from '../wire'
import { throttled } from './throttled'

export function useCounts(): ComputedRef<Record<NodeState, number>> {
  const version = throttled(membership, 500)
  return computed(() => {
    void version.value
    const counts = { live: 0, stale: 0, out: 0 }
    for (const node of table.nodes.values()) counts[node.state] += 1
    // Without the broker nobody knows whether they are still live.
    return link.value.state === 'live' ? counts : { live: 0, stale: counts.live + counts.stale, out: counts.out }
  })
}
