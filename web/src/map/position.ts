/** Where a node says it is. */

export interface Position {
  lat: number
  lng: number
}

/** Names under which nodes tell it. */
export const kPositionNames = ['position', 'location', 'gps', 'geo'] as const

const kPair = /^\s*\(?\s*([-+]?\d+(?:\.\d+)?)\s*°?\s*[,; ]\s*([-+]?\d+(?:\.\d+)?)\s*°?\s*\)?\s*$/

/** {"lat","lng"}, {"latitude","longitude"}, [lat, lng] or "48.7, 2.2"; null for what is none, or nowhere on earth. */
export function positionOf(text: string): Position | null {
  const pair = kPair.exec(text)
  if (pair) return onEarth(Number(pair[1]), Number(pair[2]))
  if (text.length > 4096 || !/^\s*[[{]/.test(text)) return null
  try {
    return fromJson(JSON.parse(text))
  } catch {
    return null
  }
}

function fromJson(value: unknown): Position | null {
  if (Array.isArray(value)) return value.length >= 2 ? onEarth(value[0], value[1]) : null
  if (typeof value !== 'object' || value === null) return null
  const { lat, latitude, lng, lon, long, longitude } = value as Record<string, unknown>
  return onEarth(lat ?? latitude, lng ?? lon ?? long ?? longitude)
}

function onEarth(lat: unknown, lng: unknown): Position | null {
  const [north, east] = [Number(lat ?? NaN), Number(lng ?? NaN)]
  return Math.abs(north) <= 90 && Math.abs(east) <= 180 ? { lat: north, lng: east } : null
}
