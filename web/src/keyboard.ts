/** Keys that work on every page; never while somebody types. */
import { onMounted, onUnmounted } from 'vue'
import { go, replace, href, route, wall, type Page } from './router'

export const goKeys: Record<string, Page> = {
  a: 'attention', n: 'nodes', b: 'boards', c: 'charts', m: 'map', o: 'operations', s: 'settings',
}
const kSequenceMs = 1500

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

export function leaveWall(): void {
  if (document.fullscreenElement) void document.exitFullscreen()
  const query = new URLSearchParams(route.value.query)
  query.delete('wall')
  replace(href(route.value.page, route.value.id, query))
}

/** The search field of a page, if it has one; else that of the nodes. */
function search(): void {
  const field = document.querySelector<HTMLInputElement>('main input[type="search"]')
  if (field) field.focus()
  else go('nodes', '', { focus: 'search' })
}

export function useShortcuts(help: () => void): void {
  let goUntil = 0
  function onKey(event: KeyboardEvent): void {
    if (event.key === 'Escape' && wall.value) return leaveWall()
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || document.querySelector('dialog[open]')) return
    const page = event.timeStamp < goUntil ? goKeys[event.key] : undefined
    goUntil = event.key === 'g' ? event.timeStamp + kSequenceMs : 0
    if (page) go(page)
    else if (event.key === '/') search()
    else if (event.key === '?') help()
    else return
    event.preventDefault()
  }
  onMounted(() => window.addEventListener('keydown', onKey))
  onUnmounted(() => window.removeEventListener('keydown', onKey))
}
