/** What the broker recorded of a node, and what happens to it from now on. */
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef, type Ref } from 'vue'
import { fetchEvents, recentEvents, type BrokerEvent } from '../live/events'

const kPast = 200

export function useNodeEvents(uid: () => string): { events: ComputedRef<BrokerEvent[]>; error: Readonly<Ref<string>> } {
  const past = shallowRef<BrokerEvent[]>([])
  const error = shallowRef('')
  let stop = new AbortController()
  watch(
    uid,
    async (node) => {
      stop.abort()
      const { signal } = (stop = new AbortController())
      try {
        const found = await fetchEvents({ node, newest: 'true', limit: kPast }, signal)
        if (signal.aborted) return
        past.value = found
        error.value = ''
      } catch (failure) {
        if (!signal.aborted) error.value = failure instanceof Error ? failure.message : String(failure)
      }
    },
    { immediate: true },
  )
  onScopeDispose(() => stop.abort())
  const events = computed(() => {
    const last = past.value[past.value.length - 1]?.id ?? 0
    return [...past.value, ...recentEvents.value.filter((event) => event.node === uid() && event.id > last)]
  })
  return { events, error }
}
