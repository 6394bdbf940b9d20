/** Lines of latitude and longitude: the ground of a map without tiles. */
import { divIcon, layerGroup, marker, polyline, svg, type LayerGroup, type Map as LeafletMap } from 'leaflet'

const kSteps = [30, 10, 5, 2, 1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 0.0005, 0.0002, 0.0001]
/** At least so far apart, in pixels, that their labels fit. */
const kApart = { lng: 100, lat: 60 }

const kLabelRoom = 22

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

/** The finest step whose lines stand far enough apart. */
function stepOf(degreesPerPixel: number, apart: number): number {
  const fitting = kSteps.filter((size) => size / degreesPerPixel >= apart)
  return fitting[fitting.length - 1] ?? kSteps[0]!
}

export function addGraticule(map: LeafletMap): LayerGroup {
  // Below the nodes.
  map.createPane('graticule').style.zIndex = '250'
  const renderer = svg({ pane: 'graticule' })
  const group = layerGroup().addTo(map)
  const draw = () => {
    group.clearLayers()
    const bounds = map.getBounds()
    const [west, east] = [Math.max(-180, bounds.getWest()), Math.min(180, bounds.getEast())]
    const [south, north] = [Math.max(-85, bounds.getSouth()), Math.min(85, bounds.getNorth())]
    const { x: width, y: height } = map.getSize()
    const lngStep = stepOf((bounds.getEast() - bounds.getWest()) / Math.max(width, 1), kApart.lng)
    const latStep = stepOf((bounds.getNorth() - bounds.getSouth()) / Math.max(height, 1), kApart.lat)
    const style = { className: 'graticule', weight: 1, interactive: false, renderer, pane: 'graticule' }
    const add = (line: [number, number][], at: [number, number], text: string, className: string) => {
      group.addLayer(polyline(line, style))
      group.addLayer(marker(at, { icon: divIcon({ className: 'graticule-label', html: label(text, className), iconSize: [0, 0] }), interactive: false, keyboard: false, pane: 'graticule' }))
    }
    for (const lng of multiples(lngStep, west, east)) add([[south, lng], [north, lng]], [south, lng], degrees(lng, lngStep, ['E', 'W']), 'of-lng')
    // The lowest labels would stand on those of the longitudes.
    const lowest = map.containerPointToLatLng([0, height - kLabelRoom]).lat
    for (const lat of multiples(latStep, south, north)) add([[lat, west], [lat, east]], [lat, west], lat < lowest ? '' : degrees(lat, latStep, ['N', 'S']), 'of-lat')
  }
  map.on('moveend zoomend resize', draw)
  draw()
  return group
}
