/** The stretch of time that a chart shows: the last so many seconds, moving on, or one that stands still. */
export type Range = { last: number } | { from: number; to: number }

export const kPresets = [300, 900, 3600, 6 * 3600, 86_400, 7 * 86_400, 30 * 86_400] as const
export const kDefaultRange: Range = { last: 900 }
const kShortestMs = 1000
const kLongestMs = 400 * 86_400_000

export interface Bounds {
  from: number
  to: number
}

/** In milliseconds since 1970. */
export function boundsOf(range: Range, now: number): Bounds {
  return 'last' in range ? { from: now - range.last * 1000, to: now } : range
}

export const isLive = (range: Range): range is { last: number } => 'last' in range

function fixed(from: number, length: number, now: number): Range {
  const span = Math.min(Math.max(length, kShortestMs), kLongestMs)
  const to = Math.min(from + span, now)
  return { from: Math.round(to - span), to: Math.round(to) }
}

/** By a part of what is shown; a pan that reaches the present follows it from there. */
export function pan(range: Range, part: number, now: number): Range {
  const { from, to } = boundsOf(range, now)
  const length = to - from
  if (to + part * length >= now) return part > 0 ? { last: Math.round(length / 1000) } : fixed(from, length, now)
  return fixed(from + part * length, length, now)
}

/** Below 1 nearer, above 1 farther; a chart at the present stays there. */
export function zoom(range: Range, factor: number, now: number): Range {
  const { from, to } = boundsOf(range, now)
  const length = Math.min(Math.max((to - from) * factor, kShortestMs), kLongestMs)
  if (isLive(range)) return { last: Math.max(1, Math.round(length / 1000)) }
  return fixed((from + to - length) / 2, length, now)
}

const kSteps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400]

/** The server's step in seconds for about a point a pixel; 0 where every value is wanted. */
export function stepFor({ from, to }: Bounds, pixels: number): number {
  const seconds = (to - from) / 1000 / Math.max(pixels, 50)
  if (seconds < 2) return 0
  return kSteps.find((step) => step >= seconds) ?? kSteps[kSteps.length - 1]!
}
