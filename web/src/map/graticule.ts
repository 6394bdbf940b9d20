/** Lines of latitude and longitude: the ground of a map without tiles. */
import { divIcon, layerGroup, marker, polyline, type LayerGroup, type Map as LeafletMap } from 'leaflet'

const kSteps = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001]
/** Lines across the view, about. */
const kLines = 6

const degrees = (value: number, step: number, [plus, minus]: [string, string]) => {
  const digits = Math.max(0, -Math.floor(Math.log10(step)))
  return `${Math.abs(value).toFixed(digits)}° ${value < 0 ? minus : plus}`
}

function label(text: string, className: string): HTMLElement {
  const element = document.createElement('span')
  element.className = className
  element.textContent = text
  return element
}

function* multiples(step: number, from: number, to: number): Generator<number> {
  for (let index = Math.ceil(from / step); index * step <= to; index += 1) yield index * step
}

export function addGraticule(map: LeafletMap): LayerGroup {
  const group = layerGroup().addTo(map)
  const draw = () => {
    group.clearLayers()
    const bounds = map.getBounds()
    const [west, east] = [Math.max(-180, bounds.getWest()), Math.min(180, bounds.getEast())]
    const [south, north] = [Math.max(-85, bounds.getSouth()), Math.min(85, bounds.getNorth())]
    const step = kSteps.find((size) => (east - west) / size >= kLines) ?? kSteps[kSteps.length - 1]!
    const style = { className: 'graticule', weight: 1, interactive: false }
    const add = (line: [number, number][], at: [number, number], text: string, className: string) => {
      group.addLayer(polyline(line, style))
      group.addLayer(marker(at, { icon: divIcon({ className: 'graticule-label', html: label(text, className), iconSize: [0, 0] }), interactive: false, keyboard: false }))
    }
    for (const lng of multiples(step, west, east)) add([[south, lng], [north, lng]], [south, lng], degrees(lng, step, ['E', 'W']), 'of-lng')
    for (const lat of multiples(step, south, north)) add([[lat, west], [lat, east]], [lat, west], degrees(lat, step, ['N', 'S']), 'of-lat')
  }
  map.on('moveend zoomend resize', draw)
  draw()
  return group
}
