/** Points of several resources as the columns that uPlot takes. */
import type uPlot from 'uplot'
import type { Point } from '../api/history'
import { conversionOf, converted } from '../units'
import { quantityOf } from '../widgets/quantities'
import type { Track } from './use_history'

/** A silence of so many usual intervals, and of so many seconds, interrupts the line. */
const kGapIntervals = 6
const kGapSeconds = 10

type Column = (number | null)[]
/** Time in seconds; value, least and greatest. */
export type TrackColumns = [number[], Column, Column, Column]

function usualInterval(points: readonly Point[]): number {
  if (points.length < 3) return Infinity
  const every = Math.max(1, Math.floor(points.length / 200))
  const intervals: number[] = []
  for (let at = every; at < points.length; at += every) {
    intervals.push((points[at]!.time - points[at - every]!.time) / every)
  }
  intervals.sort((a, b) => a - b)
  return intervals[intervals.length >> 1]!
}

export function columnsOf(points: readonly Point[]): TrackColumns {
  const columns: TrackColumns = [[], [], [], []]
  const [times, values, least, greatest] = columns
  const longest = Math.max(usualInterval(points) * kGapIntervals, kGapSeconds * 1000)
  let before = Infinity
  for (const { time, number, min, max } of points) {
    if (time - before > longest) {
      times.push((time + before) / 2000)
      for (const column of [values, least, greatest]) column.push(null)
    }
    times.push(time / 1000)
    values.push(number)
    least.push(min ?? number)
    greatest.push(max ?? number)
    before = time
  }
  return columns
}

/** Three columns for each track behind the time. `join` is uPlot's own: what one resource lacks is no gap in it. */
export function align(tracks: readonly Track[], join: typeof uPlot.join): uPlot.AlignedData {
  const all = tracks.map(({ points }) => columnsOf(points) as unknown as uPlot.AlignedData)
  if (all.length === 0) return [[]]
  return all.length === 1 ? all[0]! : join(all)
}

/** In the units that a person chose; a usual quantity that came without a unit has its usual one. */
export function shownTrack(track: Track): Track {
  const unit = track.unit || quantityOf(track.resource)?.unit || ''
  const to = conversionOf(unit)
  if (!to) return unit === track.unit ? track : { ...track, unit }
  const turn = (number: number | undefined) => (number === undefined ? undefined : converted(number, to))
  const points = track.points.map(({ time, number, min, max }) => ({ time, number: converted(number, to), min: turn(min), max: turn(max) }))
  return { ...track, points, unit: to.unit }
}

export interface Summary {
  least: number
  greatest: number
  last: number
}

export function summaryOf(points: readonly Point[]): Summary | null {
  if (points.length === 0) return null
  let least = Infinity
  let greatest = -Infinity
  for (const { number, min, max } of points) {
    least = Math.min(least, min ?? number)
    greatest = Math.max(greatest, max ?? number)
  }
  return { least, greatest, last: points[points.length - 1]!.number }
}
