/** What is known of quantities by their usual names: pyaiot's, RIOT's and common others. */

export interface Band {
  /** The band ends here; the last one has no end. */
  below: number
  level: 'good' | 'fair' | 'bad'
  /** A key of strings.widgets.bands. */
  word: 'low' | 'moderate' | 'high' | 'veryHigh' | 'fresh' | 'stale' | 'poor'
}

export interface Quantity {
  names: RegExp
  /** A key of strings.widgets.quantities. */
  label: 'temperature' | 'pressure' | 'humidity' | 'illuminance' | 'uv' | 'co2' | 'eco2' | 'tvoc' | 'smallParticles' | 'largeParticles'
  /** Where the node sends none. */
  unit: string
  bands?: readonly Band[]
}

const air: readonly Band[] = [
  { below: 1000, level: 'good', word: 'fresh' },
  { below: 2000, level: 'fair', word: 'stale' },
  { below: Infinity, level: 'bad', word: 'poor' },
]
const particles: readonly Band[] = [
  { below: 35, level: 'good', word: 'low' },
  { below: 75, level: 'fair', word: 'moderate' },
  { below: Infinity, level: 'bad', word: 'high' },
]

const quantities: readonly Quantity[] = [
  { names: /^(temp|temperature)\d*$/, label: 'temperature', unit: '°C' },
  { names: /^(press|pressure)\d*$/, label: 'pressure', unit: 'hPa' },
  { names: /^(hum|humidity)\d*$/, label: 'humidity', unit: '%' },
  { names: /^(illuminance|light|lux)\d*$/, label: 'illuminance', unit: 'lx' },
  {
    names: /^uv([_-]?index)?$/,
    label: 'uv',
    unit: '',
    bands: [
      { below: 3, level: 'good', word: 'low' },
      { below: 6, level: 'fair', word: 'moderate' },
      { below: 8, level: 'bad', word: 'high' },
      { below: Infinity, level: 'bad', word: 'veryHigh' },
    ],
  },
  { names: /^co2$/, label: 'co2', unit: 'ppm', bands: air },
  { names: /^eco2$/, label: 'eco2', unit: 'ppm', bands: air },
  {
    names: /^tvoc$/,
    label: 'tvoc',
    unit: 'ppb',
    bands: [
      { below: 220, level: 'good', word: 'low' },
      { below: 660, level: 'fair', word: 'moderate' },
      { below: Infinity, level: 'bad', word: 'high' },
    ],
  },
  { names: /^(tsp|small[_-]?particles?|pm(1|2[._]?5|25))$/, label: 'smallParticles', unit: 'µg/m³', bands: particles },
  { names: /^(tlp|large[_-]?particles?|pm10)$/, label: 'largeParticles', unit: 'µg/m³', bands: particles },
]

/** The last segment of a path, as names are compared. */
export const leafOf = (resource: string) => resource.slice(resource.lastIndexOf('/') + 1).toLowerCase()

export function quantityOf(resource: string): Quantity | undefined {
  const leaf = leafOf(resource)
  return quantities.find(({ names }) => names.test(leaf))
}
