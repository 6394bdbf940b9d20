/** The last minutes of an inertial unit, as lines for charts: from the store once, then as it comes. */
import { computed, onScopeDispose, shallowRef, watch, type ComputedRef } from 'vue'
import { fetchTexts, type Point } from '../api/history'
import type { Track } from '../charts/use_history'
import { brokerNow } from '../live/clock'
import type { LiveResource } from '../live/use_resource'
import { strings } from '../strings'
import { imuOf, norm, type Imu } from './imu'

export const kImuMs = 120_000
const kMost = 3000

interface Sample extends Imu {
  time: number
}

export interface ImuTracks {
  now: ComputedRef<Imu | null>
  acceleration: ComputedRef<Track[]>
  gyroscope: ComputedRef<Track[]>
}

function sampleOf(time: number, text: string): Sample[] {
  try {
    const imu = imuOf(JSON.parse(text))
    return imu ? [{ time, ...imu }] : []
  } catch {
    return []
  }
}

export function useImu(uid: string, resource: string, live: LiveResource): ImuTracks {
  const samples = shallowRef<readonly Sample[]>([])
  const aborter = new AbortController()
  const now = computed(() => imuOf(live.json.value))

  const to = brokerNow()
  fetchTexts({ uid, resource, from: to - kImuMs, to }, aborter.signal)
    .then((texts) => {
      const begin = samples.value[0]?.time ?? Infinity
      const past = texts.filter(({ time }) => time < begin).flatMap(({ time, text }) => sampleOf(time, text))
      samples.value = [...past, ...samples.value]
    })
    .catch(() => {}) // Without a past the charts begin with the present.
  onScopeDispose(() => aborter.abort())

  watch(
    [live.time, now],
    ([time, imu]) => {
      const last = samples.value[samples.value.length - 1]
      if (!imu || time === 0 || (last && time <= last.time)) return
      const recent = samples.value.filter((sample) => sample.time > time - kImuMs)
      samples.value = [...recent.slice(-kMost), { time, ...imu }]
    },
    { immediate: true },
  )

  const track = (name: string, value: (sample: Sample) => number | undefined): Track => {
    const points: Point[] = []
    for (const sample of samples.value) {
      const number = value(sample)
      if (number !== undefined) points.push({ time: sample.time, number })
    }
    return { uid, resource: name, unit: '', points }
  }
  return {
    now,
    acceleration: computed(() => [track(strings.widgets.imu.norm, ({ acc }) => norm(acc))]),
    gyroscope: computed(() => ['x', 'y', 'z'].map((axis, index) => track(axis, ({ gyro }) => gyro?.[index]))),
  }
}
