/** What a value looks like, cheaply: decided for every value that is shown. */
import type { LiveResource } from '../live/use_resource'

export type ValueClass = 'none' | 'image' | 'number' | 'bit' | 'boolean' | 'json' | 'word' | 'text'

const kWord = /^[\p{L}_][\p{L}\p{N}_.-]{0,23}$/u
const kBoolean = /^(true|false|on|off)$/i
const kNotFinite = /^[-+]?(nan|inf|infinity)\b/i
/** CBOR and SenML in CBOR, which come with their JSON. */
const kCbor = new Set([60, 112])
const kImageFormats = new Set([21, 22, 23])

export function valueClass({ value, bytes, format, number, json, time }: LiveResource): ValueClass {
  if (time.value === 0) return 'none'
  const text = value.value
  if (kCbor.has(format.value ?? -1) && typeof json.value === 'object' && json.value !== null) return 'json'
  if (bytes.value !== null) return 'image'
  if (kImageFormats.has(format.value ?? -1) || text.startsWith('data:image/')) return 'image'
  if (text === '0' || text === '1') return 'bit'
  if (number.value !== null || kNotFinite.test(text)) return 'number'
  if (kBoolean.test(text)) return 'boolean'
  // Others than these begin no object or array, so most texts are never parsed.
  if (/^\s*[[{]/.test(text) && json.value !== null && typeof json.value === 'object') return 'json'
  return kWord.test(text) ? 'word' : 'text'
}

export const isOn = (text: string) => /^\s*(1|true|on)\s*$/i.test(text)

/** What turns a switch over, in the words that its node uses. */
export function opposite(text: string): string {
  const word = text.trim()
  const other: Record<string, string> = { true: 'false', false: 'true', on: 'off', off: 'on', '1': '0', '0': '1' }
  const found = other[word.toLowerCase()]
  if (found === undefined) return '1'
  if (word === word.toUpperCase() && /[A-Z]/.test(word)) return found.toUpperCase()
  return /^[A-Z]/.test(word) ? found[0]!.toUpperCase() + found.slice(1) : found
}
