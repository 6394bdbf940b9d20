/** The changes of a resource that holds words: the last day's from the store, and each new one. */
import { computed, onScopeDispose, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { fetchTexts, type TextPoint } from '../api/history'
import { brokerNow } from '../live/clock'
import type { LiveResource } from '../live/use_resource'

export const kStatesMs = 86_400_000
const kMostChanges = 2000

export interface States {
  changes: ComputedRef<readonly TextPoint[]>
  /** Each word once, in the order of the alphabet. */
  words: ComputedRef<string[]>
}

export function useStates(uid: MaybeRefOrGetter<string>, resource: MaybeRefOrGetter<string>, live: LiveResource): States {
  const past = shallowRef<readonly TextPoint[]>([])
  const present = shallowRef<readonly TextPoint[]>([])
  let aborter: AbortController | undefined

  watch(
    [() => toValue(uid), () => toValue(resource)],
    async ([node, name]) => {
      aborter?.abort()
      const mine = (aborter = new AbortController())
      past.value = present.value = []
      const to = brokerNow()
      // Without a past the widget shows the present alone, and says so by having no strip.
      const told = await fetchTexts({ uid: node, resource: name, from: to - kStatesMs, to }, mine.signal).catch(() => [])
      if (!mine.signal.aborted) past.value = told.slice(-kMostChanges)
    },
    { immediate: true },
  )
  watch(
    [live.value, live.time],
    ([text, time]) => {
      const last = present.value[present.value.length - 1]
      if (time === 0 || last?.text === text) return
      present.value = [...present.value.slice(-kMostChanges), { time, text }]
    },
    { immediate: true },
  )
  onScopeDispose(() => aborter?.abort())

  const changes = computed(() => {
    const begin = present.value[0]?.time ?? Infinity
    return [...past.value.filter(({ time }) => time < begin), ...present.value]
  })
  return { changes, words: computed(() => [...new Set(changes.value.map(({ text }) => text))].sort()) }
}
