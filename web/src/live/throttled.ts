/** A ref that follows another, but at most once in some time: what is sorted or counted anew need not be each frame. */
import { onScopeDispose, shallowRef, watch, type Ref, type WatchSource } from 'vue'

export function throttled<T>(source: WatchSource<T> & Ref<T>, milliseconds: number): Readonly<Ref<T>> {
  const shown = shallowRef(source.value) as Ref<T>
  let timer = 0
  let last = 0
  const pass = () => {
    timer = 0
    last = performance.now()
    shown.value = source.value
  }
  watch(source, () => {
    if (timer !== 0) return
    const wait = last + milliseconds - performance.now()
    if (wait <= 0) pass()
    else timer = window.setTimeout(pass, wait)
  })
  onScopeDispose(() => window.clearTimeout(timer))
  return shown
}
