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

/** The first is the default. */
const pick = <T>(known: readonly T[], value: unknown): T => known.find((choice) => choice === value) ?? known[0]!

export function readSettings(from: unknown): Settings {
  const stored = isRecord(from) ? from : {}
  return {
    theme: pick(choices.theme, stored.theme),
    density: pick(choices.density, stored.density),
    units: pick(choices.units, stored.units),
    map: pick(choices.map, stored.map),
    nodes: pick(choices.nodes, stored.nodes),
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
