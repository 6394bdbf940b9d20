import type { Node, Resource } from '../nodes'

/** Resources that say who a node is stand elsewhere. */
const kWho = new Set(['name', 'os', 'board', 'vendor', 'version', 'mcu', 'ip', 'id', 'protocol'])
const kLong = 40

/** The most recent values. */
export function latest(node: Node, most: number): Resource[] {
  return [...node.resources.values()]
    .filter((resource) => !kWho.has(resource.name))
    .sort((a, b) => b.time - a.time || (a.name < b.name ? -1 : 1))
    .slice(0, most)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
}

export const short = (value: string) => (value.length > kLong ? `${value.slice(0, kLong)}…` : value)
