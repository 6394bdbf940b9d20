/**
 * What the operator configured at the broker. Until it is known, and without any, nothing is fetched from another
 * host.
 */
import { computed, shallowRef } from 'vue'
import { getJson } from './api/http'
import { setBrokerTime } from './live/clock'
import { settings } from './settings'
import { isRecord } from './storage'

export interface Config {
  title: string
  /** Address of a picture; empty for the one of this program. */
  logo: string
  favicon: string
  /** Address template of map tiles, as https://tiles.example/{z}/{x}/{y}.png; empty for none. */
  tiles: string
  /** Whose tiles they are, as plain text. */
  tilesAttribution: string
  /** Address of a camera's image or stream; empty for none. */
  camera: string
  /** From where the broker's policy lets pages load pictures, beside itself. */
  imageOrigins: readonly string[]
  version: string
}

const kNone: Config = { title: 'aiot', logo: '', favicon: '', tiles: '', tilesAttribution: '', camera: '', imageOrigins: [], version: '' }
const served = shallowRef<Config>(kNone)

const text = (value: unknown, otherwise = '') => (typeof value === 'string' ? value : otherwise)

/** With what this browser's settings make of it. */
export const config = computed<Config>(() => ({
  ...served.value,
  camera: settings.camera || served.value.camera,
  tiles: settings.map === 'tiles' ? served.value.tiles : '',
}))
/** As the broker says it. */
export const brokerConfig = computed(() => served.value)

const first = shallowRef('')
/** The broker is another than this page came from: it was updated meanwhile. */
export const outdated = computed(() => first.value !== '' && served.value.version !== first.value)
/** Each time the broker is there (again): it may have been started otherwise. */
export async function loadConfig(): Promise<void> {
  const asked = Date.now()
  const told = await getJson('dashboard').catch(() => null)
  if (!isRecord(told)) return
  const map = isRecord(told.map) ? told.map : {}
  served.value = {
    title: text(told.title, kNone.title),
    logo: text(told.logo),
    favicon: text(told.favicon),
    tiles: text(map.tiles),
    tilesAttribution: text(map.attribution),
    camera: text(told.camera),
    imageOrigins: Array.isArray(told.image_origins) ? told.image_origins.map(String) : [],
    version: text(told.version),
  }
  first.value ||= served.value.version
  setBrokerTime(Date.parse(text(told.time)), asked, Date.now())
}

/** Whether an address may be loaded: this broker's own, or of a host that the operator named. */
export function isAllowed(address: string): boolean {
  try {
    const url = new URL(address, document.baseURI)
    if (url.origin === location.origin) return true
    return served.value.imageOrigins.some((known) => {
      const [scheme, host = ''] = known.split('://')
      if (`${scheme}:` !== url.protocol) return false
      return host.startsWith('*.') ? url.host.endsWith(host.slice(1)) : url.host === host
    })
  } catch {
    return false
  }
}
