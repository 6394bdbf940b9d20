/** How uPlot draws a chart of ours: a scale for each unit, time as the locale writes it, bands where a step held several values. */
import type uPlot from 'uplot'
import type { Mark } from '../api/history'
import { numberText } from '../format'
import type { Colours } from './colours'
import type { Bounds } from './range'
import type { Track } from './use_history'

export interface PlotInput {
  tracks: readonly Track[]
  compact: boolean
  width: number
  height: number
  colours: Colours
  bounds: () => Bounds
  marks: () => readonly Mark[]
  onSelect(from: number, to: number): void
  onCursor(index: number | null): void
}

const kDay = 86_400
/** A label that begins to leave the chart at the right is left out. */
const kLabelHalf = 22
const formats = {
  second: new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit', second: '2-digit' }),
  minute: new Intl.DateTimeFormat(undefined, { hour: 'numeric', minute: '2-digit' }),
  day: new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric' }),
}

/** At midnight the day, else the time of day, as fine as the ticks are apart. */
function timeLabels(plot: uPlot, splits: number[], increment: number): string[] {
  const end = plot.bbox.width / devicePixelRatio - kLabelHalf
  return splits.map((seconds) => {
    if (plot.valToPos(seconds, 'x') > end) return ''
    const date = new Date(seconds * 1000)
    const midnight = date.getHours() === 0 && date.getMinutes() === 0 && date.getSeconds() === 0
    if (increment >= kDay || midnight) return formats.day.format(date)
    return (increment < 60 ? formats.second : formats.minute).format(date)
  })
}

export const unitsOf = (tracks: readonly Track[]) => [...new Set(tracks.map(({ unit }) => unit))]

export const colourOf = (colours: Colours, index: number) => colours.series[index % colours.series.length] || colours.text

/** A translucent form of a colour, whatever its notation. */
const faint = (colour: string, part: number) => `color-mix(in srgb, ${colour} ${part}%, transparent)`

export function plotOptions(input: PlotInput): uPlot.Options {
  const { tracks, compact, colours } = input
  const units = unitsOf(tracks)
  const font = '12px system-ui, sans-serif'
  const axis = { stroke: colours.muted, font, grid: { stroke: faint(colours.line, 70), width: 1 }, ticks: { show: false } }
  const scaleOf = (unit: string) => `y:${unit}`
  return {
    width: input.width,
    height: input.height,
    padding: [compact ? 6 : 14, units.length > 1 ? 0 : 12, 0, 0],
    legend: { show: false },
    cursor: {
      drag: { x: !compact, y: false, setScale: false },
      points: { size: 7 },
      y: false,
      show: !compact,
    },
    select: { show: !compact, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: {
        time: true,
        range: () => {
          const { from, to } = input.bounds()
          return [from / 1000, to / 1000]
        },
      },
      ...Object.fromEntries(units.map((unit) => [scaleOf(unit), { auto: true }])),
    },
    axes: [
      {
        ...axis,
        size: compact ? 24 : 30,
        space: compact ? 70 : 80,
        values: (plot, splits, _, __, increment) => timeLabels(plot, splits, increment),
      },
      ...units.map((unit, index) => ({
        ...axis,
        scale: scaleOf(unit),
        show: index < 2,
        side: index === 0 ? 3 : 1,
        grid: index === 0 ? axis.grid : { show: false },
        space: compact ? 26 : 34,
        size: axisSize,
        values: (_: uPlot, splits: number[]) => splits.map((value) => (value === null ? '' : numberText(value))),
      })),
    ],
    series: [
      {},
      ...tracks.flatMap((track, index) => {
        const colour = colourOf(colours, index)
        const edge = { scale: scaleOf(track.unit), points: { show: false } }
        return [{ scale: scaleOf(track.unit), stroke: colour, width: 1.6, points: { size: 4 } }, edge, edge]
      }),
    ],
    bands: tracks.map((_, index) => ({
      series: [3 * index + 3, 3 * index + 2] as [number, number],
      fill: faint(colourOf(colours, index), 18),
    })),
    hooks: {
      draw: [(plot) => drawMarks(plot, input.marks(), colours)],
      setCursor: [(plot) => input.onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select
          if (width < 4) return
          input.onSelect(plot.posToVal(left, 'x') * 1000, plot.posToVal(left + width, 'x') * 1000)
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
        },
      ],
    },
  }
}

/** As wide as the widest label. */
function axisSize(plot: uPlot, values: string[] | null): number {
  if (!values) return 40
  plot.ctx.save()
  plot.ctx.font = '12px system-ui, sans-serif'
  const widest = Math.max(0, ...values.map((value) => plot.ctx.measureText(value).width))
  plot.ctx.restore()
  return Math.ceil(widest) + 16
}

/** Events as dashed lines with a small flag on top. */
function drawMarks(plot: uPlot, marks: readonly Mark[], colours: Colours): void {
  const { ctx, bbox } = plot
  const ratio = devicePixelRatio
  ctx.save()
  ctx.lineWidth = ratio
  for (const mark of marks) {
    const x = Math.round(plot.valToPos(mark.time / 1000, 'x', true))
    if (x < bbox.left || x > bbox.left + bbox.width) continue
    const colour = markColour(mark.type, colours)
    ctx.strokeStyle = ctx.fillStyle = colour
    ctx.setLineDash([3 * ratio, 3 * ratio])
    ctx.beginPath()
    ctx.moveTo(x, bbox.top)
    ctx.lineTo(x, bbox.top + bbox.height)
    ctx.stroke()
    ctx.beginPath()
    ctx.moveTo(x - 4 * ratio, bbox.top)
    ctx.lineTo(x + 4 * ratio, bbox.top)
    ctx.lineTo(x, bbox.top + 6 * ratio)
    ctx.fill()
  }
  ctx.restore()
}

const kBad = new Set(['out', 'gap', 'uid_conflict', 'node_refused', 'journal_overflow'])
const kWarning = new Set(['reset', 'gateway_down', 'node_handed_over'])

function markColour(type: string, colours: Colours): string {
  if (kBad.has(type)) return colours.bad
  return kWarning.has(type) ? colours.warn : colours.muted
}
