/** What an inertial unit says, and how a body that says so is turned. */

export type Vector = readonly [number, number, number]

export interface Imu {
  acc: Vector
  gyro: Vector | null
  mag: Vector | null
}

function vectorOf(value: unknown): Vector | null {
  if (!Array.isArray(value) || value.length < 3) return null
  const [x, y, z] = value as unknown[]
  return [x, y, z].every((part) => typeof part === 'number' && Number.isFinite(part)) ? [x as number, y as number, z as number] : null
}

const kNames = { acc: /^acc/i, mag: /^mag/i, gyro: /^gyr/i }
/** In pyaiot's order, for parts without a type. */
const kOrder = ['acc', 'mag', 'gyro'] as const

/** pyaiot's [{"type":"acc","values":[x,y,z]},...] or {"acc":[x,y,z],...}; null without an acceleration. */
export function imuOf(json: unknown): Imu | null {
  if (typeof json !== 'object' || json === null) return null
  const parts: Partial<Record<keyof Imu, Vector | null>> = {}
  const entries: [string, unknown][] = Array.isArray(json)
    ? json.slice(0, 8).map((part: { type?: unknown; values?: unknown } | null, index) => [String(part?.type ?? kOrder[index] ?? ''), part?.values])
    : Object.entries(json)
  for (const [name, value] of entries) {
    const known = kOrder.find((part) => kNames[part].test(name))
    if (known) parts[known] = vectorOf(value)
  }
  return parts.acc ? { acc: parts.acc, gyro: parts.gyro ?? null, mag: parts.mag ?? null } : null
}

export const norm = ([x, y, z]: Vector) => Math.hypot(x, y, z)

const cross = ([a, b, c]: Vector, [d, e, f]: Vector): Vector => [b * f - c * e, c * d - a * f, a * e - b * d]

function unit(vector: Vector): Vector | null {
  const length = norm(vector)
  return length > 1e-9 ? [vector[0] / length, vector[1] / length, vector[2] / length] : null
}

/** East, north and up in the body's own axes. */
export interface Attitude {
  east: Vector
  north: Vector
  up: Vector
}

/**
 * At rest the accelerometer feels what holds the body, which is up; the magnetic field's level part is north. Without
 * a field north is where the body's y axis points. Null in free fall.
 */
export function attitudeOf({ acc, mag }: Imu): Attitude | null {
  const up = unit(acc)
  if (!up) return null
  const east = (mag && unit(cross(mag, up))) ?? unit(cross([0, 1, 0], up)) ?? unit(cross([0, 0, 1], up))
  if (!east) return null
  return { east, north: cross(up, east), up }
}

export interface Angles {
  roll: number
  pitch: number
  heading: number
}

/** In degrees; the heading is where the body's y axis points, clockwise from north. */
export function anglesOf({ east, north, up }: Attitude): Angles {
  const degrees = (radians: number) => (radians * 180) / Math.PI
  return {
    roll: degrees(Math.atan2(-up[0], up[2])),
    pitch: degrees(Math.asin(Math.max(-1, Math.min(1, up[1])))),
    heading: (degrees(Math.atan2(east[1], north[1])) + 360) % 360,
  }
}
