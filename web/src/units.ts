/** Quantities in the units that a person chose; those that are not known stay as the node sends them. */
import { settings } from './settings'

export interface Quantity {
  number: number
  unit: string
}

interface Conversion {
  unit: string
  factor: number
  /** Added behind the factor. */
  offset?: number
}

type System = 'metric' | 'imperial'

const known: Record<System, Readonly<Record<string, Conversion>>> = {
  imperial: {
    '°C': { unit: '°F', factor: 1.8, offset: 32 },
    C: { unit: '°F', factor: 1.8, offset: 32 },
    K: { unit: '°F', factor: 1.8, offset: -459.67 },
    Pa: { unit: 'inHg', factor: 0.000295299830714 },
    hPa: { unit: 'inHg', factor: 0.0295299830714 },
    mbar: { unit: 'inHg', factor: 0.0295299830714 },
    kPa: { unit: 'inHg', factor: 0.295299830714 },
    bar: { unit: 'psi', factor: 14.503773773 },
    mm: { unit: 'in', factor: 1 / 25.4 },
    cm: { unit: 'in', factor: 1 / 2.54 },
    m: { unit: 'ft', factor: 1 / 0.3048 },
    km: { unit: 'mi', factor: 1 / 1.609344 },
    'm/s': { unit: 'mph', factor: 1 / 0.44704 },
    'km/h': { unit: 'mph', factor: 1 / 1.609344 },
    g: { unit: 'oz', factor: 1 / 28.349523125 },
    kg: { unit: 'lb', factor: 1 / 0.45359237 },
    l: { unit: 'gal', factor: 1 / 3.785411784 },
    L: { unit: 'gal', factor: 1 / 3.785411784 },
  },
  metric: {
    '°F': { unit: '°C', factor: 1 / 1.8, offset: -32 / 1.8 },
    F: { unit: '°C', factor: 1 / 1.8, offset: -32 / 1.8 },
    K: { unit: '°C', factor: 1, offset: -273.15 },
    inHg: { unit: 'hPa', factor: 33.8638866667 },
    psi: { unit: 'kPa', factor: 6.894757293 },
    in: { unit: 'cm', factor: 2.54 },
    ft: { unit: 'm', factor: 0.3048 },
    mi: { unit: 'km', factor: 1.609344 },
    mph: { unit: 'km/h', factor: 1.609344 },
    oz: { unit: 'g', factor: 28.349523125 },
    lb: { unit: 'kg', factor: 0.45359237 },
    gal: { unit: 'l', factor: 3.785411784 },
  },
}

const conversions = { imperial: new Map(Object.entries(known.imperial)), metric: new Map(Object.entries(known.metric)) }

/** How a unit is converted for show; undefined where it stays. */
export function conversionOf(unit: string, units: typeof settings.units = settings.units): Conversion | undefined {
  return units === 'sent' ? undefined : conversions[units].get(unit)
}

export const converted = (number: number, { factor, offset = 0 }: Conversion) => number * factor + offset

/** A number has as many digits behind the point as keep what it says: finer units need fewer of them. */
export function decimalsFor(decimals: number, { factor }: Conversion): number {
  return Math.max(0, Math.min(6, decimals - Math.round(Math.log10(factor))))
}
