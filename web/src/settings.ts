/** How this browser shows things; kept here, not at the broker. */
import { reactive, watch, watchEffect } from 'vue'
import { isRecord, load, save } from './storage'

const kKey = 'aiot.settings'

export const choices = {
  theme: ['auto', 'light', 'dark'],
  density: ['comfortable', 'compact'],
  /** As nodes send them, or converted for show. */
  units: ['sent', 'metric', 'imperial'],
  map: ['tiles', 'plain'],
  nodes: ['list', 'cards'],
} as const

export type Settings = { -readonly [K in keyof typeof choices]: (typeof choices)[K][number] } & {
  /** Address of a picture; empty for the broker's. */
  camera: string
}

export function readSettings(from: unknown): Settings {
  const stored = isRecord(from) ? from : {}
  const pick = <K extends keyof typeof choices>(key: K) => {
    const known = choices[key] as readonly Settings[K][]
    return known.find((choice) => choice === stored[key]) ?? known[0]!
  }
  return {
    theme: pick('theme'),
    density: pick('density'),
    units: pick('units'),
    map: pick('map'),
    nodes: pick('nodes'),
    camera: typeof stored.camera === 'string' ? stored.camera.slice(0, 2000) : '',
  }
}

export const settings = reactive(readSettings(load(kKey)))

watch(settings, () => save(kKey, settings))
watchEffect(() => {
  const root = document.documentElement.dataset
  if (settings.theme === 'auto') delete root.theme
  else root.theme = settings.theme
  root.density = settings.density
})
// Another tab changed them.
window.addEventListener('storage', (event) => {
  if (event.key === kKey) Object.assign(settings, readSettings(load(kKey)))
})
