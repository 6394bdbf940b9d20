/** The page's colours for what is drawn on a canvas, and word of when they change. */
import { onScopeDispose } from 'vue'
import './charts.css'

export const kSeriesColours = 6

export interface Colours {
  text: string
  muted: string
  line: string
  surface: string
  bad: string
  warn: string
  series: string[]
}

export function readColours(element: Element): Colours {
  const style = getComputedStyle(element)
  const of = (name: string) => style.getPropertyValue(name).trim()
  return {
    text: of('--text'),
    muted: of('--muted'),
    line: of('--line'),
    surface: of('--surface'),
    bad: of('--bad'),
    warn: of('--warn-text'),
    series: Array.from({ length: kSeriesColours }, (_, index) => of(`--series-${index + 1}`)),
  }
}

export function onThemeChange(changed: () => void): void {
  const observer = new MutationObserver(changed)
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'class'] })
  const media = window.matchMedia('(prefers-color-scheme: dark)')
  media.addEventListener('change', changed)
  onScopeDispose(() => {
    observer.disconnect()
    media.removeEventListener('change', changed)
  })
}
