/** A picture in a value: what it is is told by its first bytes, not by its name. */

const kSignatures: readonly [type: string, prefix: string][] = [
  ['image/png', '\x89PNG\r\n\x1a\n'],
  ['image/jpeg', '\xff\xd8\xff'],
  ['image/gif', 'GIF8'],
  ['image/webp', 'RIFF'],
  ['image/bmp', 'BM'],
]
const kBase64 = /^[A-Za-z0-9+/]+={0,2}$/

/** The type of bytes given as base 64, null where they are no picture that a browser shows. */
export function imageType(base64: string): string | null {
  let head: string
  try {
    head = atob(base64.slice(0, 32))
  } catch {
    return null
  }
  const found = kSignatures.find(([, prefix]) => head.startsWith(prefix))
  if (!found || (found[0] === 'image/webp' && head.slice(8, 12) !== 'WEBP')) return null
  return found[0]
}

const dataUrl = (type: string, base64: string) => `data:${type};base64,${base64}`

/** A picture in bytes, in a data: URL, or in base 64 without one. */
export function pictureOf(value: string, bytes: string | null): string | null {
  const base64 = bytes ?? base64Of(value)
  if (base64 === null) return null
  const type = imageType(base64)
  return type && dataUrl(type, base64)
}

function base64Of(value: string): string | null {
  const inUrl = /^data:[^,]{0,100};base64,/.exec(value)
  const text = (inUrl ? value.slice(inUrl[0].length) : value).replace(/\s+/g, '')
  return text.length >= 16 && kBase64.test(text) ? text : null
}

export const isWebAddress = (value: string) => /^https?:\/\/\S{3,2000}$/.test(value.trim())
