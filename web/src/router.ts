/** The page shown is in the address after "#", so that a link leads to it and "back" works; no server knows of it. */
import { computed, shallowRef } from 'vue'

export const pages = ['attention', 'nodes', 'boards', 'charts', 'map', 'operations', 'settings'] as const
export type Page = (typeof pages)[number]

export interface Route {
  page: Page
  /** What the page is about, as a node's uid; empty for none. */
  id: string
  query: URLSearchParams
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}

export function parseRoute(hash: string): Route {
  const [path = '', query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s)
  const slash = path.indexOf('/')
  const name = slash < 0 ? path : path.slice(0, slash)
  const id = slash < 0 ? '' : decode(path.slice(slash + 1))
  // What links of the first dashboard said.
  const page = name === 'node' ? 'nodes' : pages.find((known) => known === name)
  return { page: page ?? 'attention', id: page ? id : '', query: new URLSearchParams(query) }
}

export type Query = Record<string, string | undefined>

export function href(page: Page, id = '', query: Query | URLSearchParams = {}): string {
  const search = query instanceof URLSearchParams ? query : new URLSearchParams(given(query))
  const text = search.toString()
  return `#/${page === 'attention' ? '' : page}${id === '' ? '' : `/${encodeURIComponent(id)}`}${text === '' ? '' : `?${text}`}`
}

function given(query: Query): [string, string][] {
  return Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '')
}

export const route = shallowRef(parseRoute(location.hash))
export const wall = computed(() => route.value.query.has('wall'))

window.addEventListener('hashchange', () => (route.value = parseRoute(location.hash)))

export function go(page: Page, id = '', query: Query = {}): void {
  location.hash = href(page, id, query)
}

/** The same place, said otherwise: no step of its own for "back". */
export function replace(to: string): void {
  history.replaceState(null, '', to)
  route.value = parseRoute(location.hash)
}

export const nodeHref = (uid: string) => href('nodes', uid)
