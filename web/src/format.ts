/** Numbers, ages and times as the browser's locale writes them. */

const relative = ['second', 'minute', 'hour', 'day'].map(
  (unit) => new Intl.NumberFormat(undefined, { style: 'unit', unit, unitDisplay: 'short' }),
)
const dateTime = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' })
const numbers = new Map<number, Intl.NumberFormat>()

/** "3 sec", "5 min", "2 hr", "4 days". */
export function ageText(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000))
  if (seconds < 60) return relative[0]!.format(seconds)
  if (seconds < 3600) return relative[1]!.format(Math.floor(seconds / 60))
  if (seconds < 2 * 86_400) return relative[2]!.format(Math.floor(seconds / 3600))
  return relative[3]!.format(Math.floor(seconds / 86_400))
}

export function timeText(time: number): string {
  return time > 0 && time <= 8.64e15 ? dateTime.format(time) : ''
}

/** With as many decimals as the node sent, so that a steady digit stays in its place. */
export function numberText(number: number, decimals?: number): string {
  const digits = Math.min(decimals ?? 3, 12)
  let format = numbers.get(digits)
  if (!format) {
    format = new Intl.NumberFormat(undefined, {
      minimumFractionDigits: decimals === undefined ? 0 : digits,
      maximumFractionDigits: digits,
    })
    numbers.set(digits, format)
  }
  return format.format(number)
}

/** How many decimals a number was written with. */
export function decimalsOf(text: string): number {
  const match = /^\s*[-+]?\d*[.](\d+)/.exec(text)
  return match ? Math.min(match[1]!.length, 6) : 0
}

const shortTime = new Intl.DateTimeFormat(undefined, { month: 'short', day: 'numeric', hour: 'numeric', minute: '2-digit' })

export const shortTimeText = (time: number) => shortTime.format(time)
