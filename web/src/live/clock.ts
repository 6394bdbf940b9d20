/**
 * The time, as the broker's clock has it: a browser's may be hours off, and ages of values would be with it. Once a
 * second, for ages that grow without a new value; one timer for all who look.
 */
import { onScopeDispose, readonly, shallowRef, type Ref } from 'vue'

const kTickMs = 1000
let offset = 0
/** How far this browser's clock is from the broker's, in milliseconds; 0 when it is near enough. */
export const clockError = shallowRef(0)
const kNearMs = 5000

/** What the broker said when it was asked between two times of ours. */
export function setBrokerTime(time: number, asked: number, answered: number): void {
  if (!Number.isFinite(time)) return
  const measured = time - (asked + answered) / 2
  offset = Math.abs(measured) > kNearMs ? measured : 0
  clockError.value = -offset
  now.value = brokerNow()
}

export const brokerNow = () => Date.now() + offset

const now = shallowRef(Date.now())
let users = 0
let timer = 0

export function useNow(): Readonly<Ref<number>> {
  if (users++ === 0) {
    now.value = brokerNow()
    timer = window.setInterval(() => (now.value = brokerNow()), kTickMs)
  }
  onScopeDispose(() => {
    if (--users === 0) window.clearInterval(timer)
  })
  return readonly(now)
}
