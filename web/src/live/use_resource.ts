/** One resource of one node, as it is now: costs only what is shown. */
import { computed, onScopeDispose, shallowRef, toValue, watch, type ComputedRef, type MaybeRefOrGetter } from 'vue'
import { link, table, type Resource } from '../nodes'
import type { NodeState } from '../wire'
import { watchResource } from './watch'

export type ShownState = NodeState | 'none'

export interface LiveResource {
  /** As text; bytes that are not UTF-8 hold U+FFFD, `bytes` has them all. */
  value: ComputedRef<string>
  /** The base 64 of a value that is not text, else null. */
  bytes: ComputedRef<string | null>
  /** The CoAP content-format number that the node declared. */
  format: ComputedRef<number | null>
  /** The value read as JSON, undefined if it is none. Nothing is parsed until somebody asks. */
  json: ComputedRef<unknown>
  number: ComputedRef<number | null>
  unit: ComputedRef<string>
  /** Milliseconds since 1970; 0 without a value. */
  time: ComputedRef<number>
  state: ComputedRef<ShownState>
  writable: ComputedRef<boolean>
}

/** What the gateway says of a node is nobody's to write. */
const kGateways = new Set(['ip', 'id', 'protocol'])
/** JSON larger than that is parsed once a second at most. */
const kLarge = 16 * 1024
const kLargeMs = 1000

type Seen = Pick<Resource, 'value' | 'bytes' | 'format' | 'json' | 'number' | 'unit' | 'time'>
const kNothing: Seen = { value: '', time: 0 }

export function useResource(uid: MaybeRefOrGetter<string>, resource: MaybeRefOrGetter<string>): LiveResource {
  const seen = shallowRef<Seen>(kNothing)
  const nodeState = shallowRef<ShownState>('none')

  const look = () => {
    const node = table.nodes.get(toValue(uid))
    const found = node?.resources.get(toValue(resource))
    nodeState.value = node?.state ?? 'none'
    // The record changes in place, so what is shown is a copy; the same one is not a change.
    if (!found) seen.value = kNothing
    else if (found.value !== seen.value.value || found.time !== seen.value.time) seen.value = { ...found }
  }
  let stop = () => {}
  watch(
    [() => toValue(uid), () => toValue(resource)],
    ([node, name]) => {
      stop()
      stop = watchResource(node, name, look)
      look()
    },
    { immediate: true },
  )

  // What JSON is read from: a large value is passed on once a second at most.
  const settled = shallowRef<Seen>(kNothing)
  let waiting = 0
  let settledAt = 0
  const settle = () => {
    waiting = 0
    settledAt = performance.now()
    settled.value = seen.value
  }
  watch(
    seen,
    ({ value }) => {
      if (waiting !== 0) return
      const wait = value.length > kLarge ? settledAt + kLargeMs - performance.now() : 0
      if (wait <= 0) settle()
      else waiting = window.setTimeout(settle, wait)
    },
    { flush: 'sync', immediate: true },
  )
  onScopeDispose(() => {
    window.clearTimeout(waiting)
    stop()
  })

  const state = computed<ShownState>(() =>
    nodeState.value === 'live' && link.value.state !== 'live' ? 'stale' : nodeState.value,
  )
  return {
    value: computed(() => seen.value.value),
    bytes: computed(() => seen.value.bytes ?? null),
    format: computed(() => seen.value.format ?? null),
    json: computed(() => toJson(settled.value)),
    number: computed(() => seen.value.number ?? null),
    unit: computed(() => seen.value.unit ?? ''),
    time: computed(() => seen.value.time),
    state,
    writable: computed(() => state.value === 'live' && !kGateways.has(toValue(resource))),
  }
}

function toJson({ value, json }: Seen): unknown {
  if (json !== undefined) return json
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

