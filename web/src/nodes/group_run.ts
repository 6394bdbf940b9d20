/** One action on many nodes, some at a time, with a result for each. */
import { computed, shallowRef, triggerRef } from 'vue'

export type TargetState = 'waiting' | 'sending' | 'confirmed' | 'refused' | 'unknown'

export interface Target {
  readonly uid: string
  state: TargetState
  text: string
}

export interface Outcome {
  state: TargetState
  text: string
}

/** The broker takes 64 requests of a session at once; others of this page need some of them. */
const kAtOnce = 24

export function useGroupRun(stoppedText: string) {
  const targets = shallowRef<Target[]>([])
  const running = shallowRef(false)
  let stopped = false

  async function run(list: Target[], act: (uid: string) => Promise<Outcome>): Promise<void> {
    running.value = true
    stopped = false
    const queue = [...list]
    const worker = async () => {
      for (let target = queue.shift(); target; target = queue.shift()) {
        if (stopped) {
          Object.assign(target, { state: 'refused', text: stoppedText })
          continue
        }
        target.state = 'sending'
        Object.assign(target, await act(target.uid))
        triggerRef(targets)
      }
    }
    await Promise.all(Array.from({ length: kAtOnce }, worker))
    running.value = false
    triggerRef(targets)
  }

  const counts = computed(() => {
    const all: Record<TargetState, number> = { waiting: 0, sending: 0, confirmed: 0, refused: 0, unknown: 0 }
    for (const target of targets.value) all[target.state] += 1
    return all
  })

  return {
    targets,
    running,
    counts,
    start(uids: readonly string[], act: (uid: string) => Promise<Outcome>): Promise<void> {
      targets.value = uids.map((uid) => ({ uid, state: 'waiting', text: '' }))
      return run(targets.value, act)
    },
    /** Only what surely did not happen: a write of unknown outcome is not repeated. */
    again(act: (uid: string) => Promise<Outcome>): Promise<void> {
      return run(targets.value.filter((target) => target.state === 'refused'), act)
    },
    stop(): void {
      stopped = true
    },
  }
}
