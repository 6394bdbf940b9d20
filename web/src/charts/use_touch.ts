/** Fingers on a chart: one moves it in time, two zoom it. Up and down goes on scrolling the page (touch-action: pan-y). */
import { onScopeDispose, type Ref, watch } from 'vue'

interface Gesture {
  /** Part of the chart's width; positive for a finger that goes right. */
  onPan(part: number): void
  /** Below 1 for fingers that part. */
  onZoom(factor: number): void
}

/** Smaller moves are not worth loading another time. */
const kLeastPart = 0.02

export function useTouch(area: Ref<HTMLElement | null>, { onPan, onZoom }: Gesture): void {
  const fingers = new Map<number, number>()
  let centre = 0
  let spread = 0

  const measure = () => {
    const at = [...fingers.values()]
    return { middle: at.reduce((sum, x) => sum + x, 0) / at.length, apart: Math.max(...at) - Math.min(...at) }
  }
  const begin = () => {
    if (fingers.size === 0) return
    const { middle, apart } = measure()
    centre = middle
    spread = apart
  }

  function onDown(event: PointerEvent): void {
    if (event.pointerType !== 'touch') return
    fingers.set(event.pointerId, event.clientX)
    begin()
  }

  function onMove(event: PointerEvent): void {
    if (!fingers.has(event.pointerId) || !area.value) return
    fingers.set(event.pointerId, event.clientX)
    const { middle, apart } = measure()
    const width = area.value.clientWidth
    if (fingers.size === 2 && spread > 0 && Math.abs(apart - spread) > kLeastPart * width) onZoom(spread / Math.max(apart, 1))
    else if (fingers.size === 1 && Math.abs(middle - centre) > kLeastPart * width) onPan((middle - centre) / width)
    else return
    begin()
  }

  function onUp(event: PointerEvent): void {
    fingers.delete(event.pointerId)
    begin()
  }

  const listeners = { pointerdown: onDown, pointermove: onMove, pointerup: onUp, pointercancel: onUp } as const
  let stop = () => {}
  watch(
    area,
    (element) => {
      stop()
      if (!element) return
      for (const [name, listener] of Object.entries(listeners)) element.addEventListener(name, listener as EventListener)
      stop = () => {
        for (const [name, listener] of Object.entries(listeners)) element.removeEventListener(name, listener as EventListener)
      }
    },
    { flush: 'post', immediate: true },
  )
  onScopeDispose(() => stop())
}
