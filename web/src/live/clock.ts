/** The time, once a second, for ages that grow without a new value. One timer for all who look. */
import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue'

const kTickMs = 1000
const now = shallowRef(Date.now())
let users = 0
let timer = 0

export function useNow(): Readonly<Ref<number>> {
  if (users++ === 0) {
    now.value = Date.now()
    timer = window.setInterval(() => (now.value = Date.now()), kTickMs)
  }
  onScopeDispose(() => {
    if (--users === 0) window.clearInterval(timer)
  })
  return readonly(now)
}
