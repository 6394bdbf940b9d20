/** What the operator configured at the broker. Until it is known, and without any, nothing is fetched from another host. */
import { shallowRef } from 'vue'

export interface Config {
  /** Address template of map tiles, as https://tiles.example/{z}/{x}/{y}.png; empty for none. */
  tiles: string
  /** Whose tiles they are, as plain text. */
  tilesAttribution: string
  /** Address of a camera's image or stream; empty for none. */
  camera: string
}

export const config = shallowRef<Config>({ tiles: '', tilesAttribution: '', camera: '' })

/** Whether an address may be loaded: this broker's own, or of a host that the operator named. */
export function isAllowed(address: string): boolean {
  try {
    const { origin } = new URL(address, document.baseURI)
    if (origin === location.origin) return true
    return [config.value.camera, config.value.tiles].some((known) => known !== '' && new URL(known, document.baseURI).origin === origin)
  } catch {
    return false
  }
}
