/** What pyaiot's `ribot` firmware takes: x:y:x+y, each from -255 to 255, x to the left and y downwards. */

export interface Stick {
  /** To the right and down, from -1 to 1; never outside the circle. */
  x: number
  y: number
}

const kMost = 255
export const kCentre: Stick = { x: 0, y: 0 }

export function withinCircle(x: number, y: number): Stick {
  const length = Math.hypot(x, y)
  return length > 1 ? { x: x / length, y: y / length } : { x, y }
}

export function payload({ x, y }: Stick): string {
  // Adding 0 turns -0 into 0.
  const left = Math.round(-x * kMost) + 0
  const down = Math.round(y * kMost) + 0
  return `${left}:${down}:${left + down}\n`
}

const kArrows: Record<string, Stick> = {
  ArrowUp: { x: 0, y: -1 },
  ArrowDown: { x: 0, y: 1 },
  ArrowLeft: { x: -1, y: 0 },
  ArrowRight: { x: 1, y: 0 },
}
export const isArrow = (key: string) => key in kArrows

/** Where the stick is while these keys are held. */
export function ofKeys(held: Iterable<string>): Stick {
  let x = 0
  let y = 0
  for (const key of held) {
    x += kArrows[key]?.x ?? 0
    y += kArrows[key]?.y ?? 0
  }
  return withinCircle(x, y)
}
