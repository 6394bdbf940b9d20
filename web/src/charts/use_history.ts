/** The data of a chart: each resource's past from the store, and its present as it comes. */
import { onScopeDispose, shallowRef, watch, type Ref } from 'vue'
import { fetchMarks, fetchNumbers, type Mark, type Point } from '../api/history'
import { brokerNow } from '../live/clock'
import { watchResource } from '../live/watch'
import { link, table } from '../nodes'
import { boundsOf, isLive, stepFor, type Range } from './range'

export interface SeriesId {
  uid: string
  resource: string
}

export interface Track extends SeriesId {
  points: Point[]
  unit: string
}

export type LoadState = 'loading' | 'ready' | 'failed'

export interface History {
  /** Replaced whenever anything in it changed. */
  tracks: Ref<readonly Track[]>
  marks: Ref<readonly Mark[]>
  state: Ref<LoadState>
  error: Ref<string>
  step: Ref<number>
  reload(): void
}

/** Live points are drawn at most so often. */
const kDrawMs = 250
/** With more live points than that the past is loaded again, in steps. */
const kMaxLive = 5000
const kSettleMs = 120

interface Options {
  series: () => readonly SeriesId[]
  range: () => Range
  live: () => boolean
  pixels: () => number
  /** Nothing is loaded before it is shown. */
  shown: () => boolean
}

export function useHistory({ series, range, live, pixels, shown }: Options): History {
  const tracks = shallowRef<readonly Track[]>([])
  const marks = shallowRef<readonly Mark[]>([])
  const state = shallowRef<LoadState>('loading')
  const error = shallowRef('')
  const step = shallowRef(0)
  let aborter: AbortController | undefined
  let waiting = 0
  let drawing = 0
  let added = 0
  let stops: (() => void)[] = []

  function follow(): void {
    for (const stop of stops) stop()
    stops = live() && isLive(range()) ? tracks.value.map((track) => watchResource(track.uid, track.resource, () => append(track))) : []
  }

  /** What came since: one more point, unless the store had told it already. */
  function append(track: Track): void {
    const now = table.nodes.get(track.uid)?.resources.get(track.resource)
    if (!now || now.number === undefined || !Number.isFinite(now.number)) return
    const last = track.points[track.points.length - 1]
    if (last && now.time <= last.time) return
    track.points.push({ time: now.time, number: now.number })
    if (now.unit) track.unit = now.unit
    added += 1
    if (added > kMaxLive) return reload()
    if (drawing === 0) drawing = window.setTimeout(redraw, kDrawMs)
  }

  function redraw(): void {
    drawing = 0
    const { from } = boundsOf(range(), brokerNow())
    for (const track of tracks.value) {
      let old = 0
      while (old < track.points.length - 1 && track.points[old + 1]!.time < from) old += 1
      if (old > 0) track.points.splice(0, old)
    }
    tracks.value = [...tracks.value]
  }

  async function load(): Promise<void> {
    aborter?.abort()
    const mine = (aborter = new AbortController())
    const { from, to } = boundsOf(range(), brokerNow())
    const wanted = stepFor({ from, to }, pixels())
    state.value = 'loading'
    added = 0
    try {
      const ids = series()
      const [numbers, events] = await Promise.all([
        Promise.all(ids.map((id) => fetchNumbers({ ...id, from, to, step: wanted }, mine.signal))),
        Promise.all([...new Set(ids.map(({ uid }) => uid))].map((uid) => fetchMarks(uid, from, to, mine.signal))),
      ])
      tracks.value = ids.map(({ uid, resource }, index) => {
        const { points, unit } = numbers[index]!
        return { uid, resource, points, unit: unit || table.nodes.get(uid)?.resources.get(resource)?.unit || '' }
      })
      marks.value = events.flat().sort((a, b) => a.time - b.time)
      step.value = Math.max(wanted, ...numbers.map((told) => told.step))
      state.value = 'ready'
      error.value = ''
    } catch (problem) {
      if (mine.signal.aborted) return
      error.value = problem instanceof Error ? problem.message : String(problem)
      state.value = 'failed'
      // What is known stays; without anything the present begins to fill it.
      if (tracks.value.length !== series().length) tracks.value = series().map((id) => ({ ...id, points: [], unit: '' }))
    }
    follow()
    for (const track of stops.length > 0 ? tracks.value : []) append(track)
  }

  /** Soon, and once for all that changed at a time. */
  function reload(): void {
    window.clearTimeout(waiting)
    waiting = window.setTimeout(() => shown() && void load(), kSettleMs)
  }

  watch(
    [() => series().map(({ uid, resource }) => `${uid}\n${resource}`).join('\n\n'), () => JSON.stringify(range()), live, shown],
    reload,
    { immediate: true },
  )
  // What came while the connection was away is in the store alone.
  watch(() => link.value.state === 'live', (up) => up && state.value !== 'loading' && reload())
  onScopeDispose(() => {
    aborter?.abort()
    window.clearTimeout(waiting)
    window.clearTimeout(drawing)
    for (const stop of stops) stop()
  })
  return { tracks, marks, state, error, step, reload }
}
