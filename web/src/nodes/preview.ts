import { decimalsOf, numberText } from '../format'
import type { Node, Resource } from '../nodes'
import { strings } from '../strings'
import { visibleText } from '../text'
import { conversionOf, converted, decimalsFor } from '../units'

/** Resources that say who a node is stand elsewhere. */
const kWho = new Set(['name', 'os', 'board', 'vendor', 'version', 'mcu', 'ip', 'id', 'protocol'])
const kLong = 40

/** Some values that fit in a line, the same ones each time: numbers first, as they say most. */
export function preview(node: Node, most: number): Resource[] {
  const rank = (resource: Resource) => (resource.number !== undefined ? 0 : resource.value.length <= kLong ? 1 : 2)
  return [...node.resources.values()]
    .filter((resource) => !kWho.has(resource.name))
    .sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1))
    .slice(0, most)
}

export const short = (text: string) => visibleText(text.length > kLong ? `${text.slice(0, kLong)}…` : text)

/** A value in a line: as the node sent it, or in the units that a person chose. */
export function shortValue({ value, number, unit }: Resource): string {
  const to = number === undefined || !unit ? undefined : conversionOf(unit)
  if (to) return `${numberText(converted(number!, to), decimalsFor(decimalsOf(value), to))} ${to.unit}`
  return short(value) || strings.widgets.empty
}
