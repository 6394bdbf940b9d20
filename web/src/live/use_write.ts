/** A write and what became of it. Never optimistic: what is shown stays the node's own word. */
import { readonly, shallowRef, toValue, type MaybeRefOrGetter, type Ref } from 'vue'
import { connection } from '../nodes'
import type { WriteResult } from '../wire'

export type WriteState = 'idle' | 'sending' | 'confirmed' | 'refused' | 'timeout' | 'unknown'

export interface Write {
  send(value: string): Promise<WriteResult>
  state: Readonly<Ref<WriteState>>
  /** A sentence about the outcome; empty while idle or sending. */
  text: Readonly<Ref<string>>
  clear(): void
}

function stateOf(result: WriteResult): WriteState {
  if (result.ok) return 'confirmed'
  if (result.error === 'timeout') return 'timeout'
  return result.outcome === 'unknown' ? 'unknown' : 'refused'
}

export function useWrite(uid: MaybeRefOrGetter<string>, resource: MaybeRefOrGetter<string>): Write {
  const state = shallowRef<WriteState>('idle')
  const text = shallowRef('')
  let last = 0

  /** Of several under way the last one sent is told. */
  async function send(value: string): Promise<WriteResult> {
    const mine = ++last
    state.value = 'sending'
    text.value = ''
    const result = await connection.write(toValue(uid), toValue(resource), value)
    if (mine === last) {
      state.value = stateOf(result)
      text.value = result.text
    }
    return result
  }

  function clear(): void {
    last += 1
    state.value = 'idle'
    text.value = ''
  }
  return { send, state: readonly(state), text: readonly(text), clear }
}
