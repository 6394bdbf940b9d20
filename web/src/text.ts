/** Text from nodes, made fit to be read: nothing in it moves, hides or reorders what stands around it. */

/** Controls but tab and newline, and what overrides the direction of text. */
const kHidden = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]/g

function shownCharacter(character: string): string {
  const code = character.charCodeAt(0)
  if (code < 0x20) return String.fromCharCode(0x2400 + code)
  return code === 0x7f ? '\u2421' : `‹${code.toString(16).toUpperCase().padStart(4, '0')}›`
}

export const visibleText = (text: string) => text.replace(kHidden, shownCharacter)

/** At most so many characters, never half of one. */
export function clamp(text: string, most: number): string {
  if (text.length <= most) return text
  const cut = text.slice(0, most)
  return /[\ud800-\udbff]$/.test(cut) ? cut.slice(0, -1) : cut
}
