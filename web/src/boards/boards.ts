/** Boards: which resources of which nodes are shown together, in which order and size. Kept in this browser. */
import { shallowRef } from 'vue'
import { isRecord, load, save } from '../storage'

export const sizes = ['card', 'wide', 'wall'] as const
export type ItemSize = (typeof sizes)[number]

export interface Item {
  readonly uid: string
  readonly resource: string
  readonly size: ItemSize
  /** Its past beside its value. */
  readonly chart: boolean
}

export interface Board {
  readonly id: string
  readonly name: string
  readonly items: readonly Item[]
}

const kKey = 'aiot.boards'
export const kMaxItems = 200
const kMaxBoards = 100
const kMaxName = 100

/** What storage or a link holds may be anything. */
export function readItem(from: unknown): Item | null {
  if (!isRecord(from) || typeof from.uid !== 'string' || typeof from.resource !== 'string') return null
  const { uid, resource } = from
  if (uid === '' || uid.length > 128 || resource.length > 256) return null
  return { uid, resource, size: sizes.find((size) => size === from.size) ?? 'card', chart: from.chart === true }
}

export function readBoard(from: unknown): Board | null {
  if (!isRecord(from) || typeof from.name !== 'string' || !Array.isArray(from.items)) return null
  return {
    id: typeof from.id === 'string' && from.id !== '' ? from.id.slice(0, 64) : newId(),
    name: from.name.slice(0, kMaxName),
    items: from.items.map(readItem).filter((item) => item !== null).slice(0, kMaxItems),
  }
}

function readAll(from: unknown): Board[] {
  return Array.isArray(from) ? from.map(readBoard).filter((board) => board !== null).slice(0, kMaxBoards) : []
}

export const boards = shallowRef<readonly Board[]>(readAll(load(kKey)))
/** False once this browser did not keep a change. */
export const kept = shallowRef(true)

window.addEventListener('storage', (event) => {
  if (event.key === kKey) boards.value = readAll(load(kKey))
})

function set(next: readonly Board[]): void {
  boards.value = next
  kept.value = save(kKey, next)
}

const newId = () => Array.from(crypto.getRandomValues(new Uint8Array(6)), (byte) => byte.toString(16).padStart(2, '0')).join('')

export const findBoard = (id: string) => boards.value.find((board) => board.id === id)

export function createBoard(name: string, items: readonly Item[] = []): Board {
  const board = { id: newId(), name: name.trim().slice(0, kMaxName), items }
  set([...boards.value, board])
  return board
}

export function changeBoard(id: string, part: Partial<Omit<Board, 'id'>>): void {
  set(boards.value.map((board) => (board.id === id ? { ...board, ...part } : board)))
}

export const removeBoard = (id: string) => set(boards.value.filter((board) => board.id !== id))

const same = (a: Item, b: Item) => a.uid === b.uid && a.resource === b.resource && a.chart === b.chart

/** False when the board is full; one that is there already is not added again. */
export function addItems(id: string, items: readonly Item[]): boolean {
  const board = findBoard(id)
  if (!board) return false
  const fresh = items.filter((item) => !board.items.some((other) => same(item, other)))
  if (board.items.length + fresh.length > kMaxItems) return false
  changeBoard(id, { items: [...board.items, ...fresh] })
  return true
}

export function moved<T>(items: readonly T[], from: number, to: number): T[] {
  const all = [...items]
  const [item] = all.splice(from, 1)
  if (item !== undefined) all.splice(Math.max(0, Math.min(all.length, to)), 0, item)
  return all
}

/** A board as text for an address: base 64 of its JSON, with short names. */
export function encodeBoard({ name, items }: Board): string {
  const short = items.map(({ uid, resource, size, chart }) => [uid, resource, sizes.indexOf(size), chart ? 1 : 0])
  const bytes = new TextEncoder().encode(JSON.stringify([name, short]))
  return btoa(String.fromCharCode(...bytes)).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '')
}

export function decodeBoard(text: string): Board | null {
  try {
    const bytes = Uint8Array.from(atob(text.replace(/-/g, '+').replace(/_/g, '/')), (c) => c.charCodeAt(0))
    const told: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (!Array.isArray(told) || !Array.isArray(told[1])) return null
    const items = (told[1] as unknown[]).map((item) =>
      Array.isArray(item) ? { uid: item[0], resource: item[1], size: sizes[item[2] as number], chart: item[3] === 1 } : null,
    )
    return readBoard({ id: 'shared', name: told[0], items })
  } catch {
    return null
  }
}
