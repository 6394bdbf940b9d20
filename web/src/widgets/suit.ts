/** The states of a firmware update as pyaiot's RIOT firmware numbers them (coap_suit). */

export type SuitStep = 'idle' | 'trigger' | 'manifest' | 'download' | 'verify' | 'reboot'
export const kSteps: readonly Exclude<SuitStep, 'idle'>[] = ['trigger', 'manifest', 'download', 'verify', 'reboot']

export interface SuitState {
  /** A key of strings.widgets.suit.states. */
  word: SuitWord
  step: SuitStep
  failed?: boolean
}

const kStates = [
  { word: 'idle', step: 'idle' },
  { word: 'trigger', step: 'trigger' },
  { word: 'signatureStart', step: 'manifest' },
  { word: 'signatureError', step: 'manifest', failed: true },
  { word: 'signatureEnd', step: 'manifest' },
  { word: 'sequenceError', step: 'manifest', failed: true },
  { word: 'downloadStart', step: 'download' },
  { word: 'downloadProgress', step: 'download' },
  { word: 'downloadError', step: 'download', failed: true },
  { word: 'digestStart', step: 'verify' },
  { word: 'digestError', step: 'verify', failed: true },
  { word: 'downloadEnd', step: 'verify' },
  { word: 'reboot', step: 'reboot' },
] as const
export type SuitWord = (typeof kStates)[number]['word']

/** Null for what is none of the numbers. */
export function suitState(text: string): SuitState | null {
  const trimmed = text.trim()
  return /^\d{1,2}$/.test(trimmed) ? (kStates[Number(trimmed)] ?? null) : null
}
