/** What the broker's store holds of a resource, and what happened to its node meanwhile. */
import { getJson } from './http'

export interface Point {
  /** Milliseconds since 1970. */
  time: number
  /** The value, or the mean of a step. */
  number: number
  /** Of a step that held several values. */
  min?: number
  max?: number
}

export interface TextPoint {
  time: number
  text: string
}

export interface Mark {
  time: number
  type: string
  message: string
}

interface ToldPoint {
  time: string
  value?: unknown
  number?: number
  unit?: string
  min?: number
  max?: number
  mean?: number
  count?: number
}

export interface Query {
  uid: string
  resource: string
  from: number
  to: number
  /** Seconds; 0 for every value. */
  step: number
}

/** Pages that a chart loads of one resource; beyond them it asks for steps. */
const kPage = 10_000
const kMaxPages = 4

const iso = (time: number) => new Date(time).toISOString()

async function* pages({ uid, resource, from, to, step }: Query, signal?: AbortSignal): AsyncGenerator<ToldPoint[]> {
  const query: Record<string, string | number> = { node: uid, resource, from: iso(from), to: iso(to), limit: kPage }
  if (step > 0) query.step = `${step}s`
  for (;;) {
    const page = (await getJson('history', query, signal)) as { points: ToldPoint[]; next: string | null }
    yield page.points
    if (!page.next) return
    query.cursor = page.next
  }
}

export interface Numbers {
  points: Point[]
  unit: string
  /** The step that was used in the end. */
  step: number
}

/** Numbers of a resource, the oldest first. Where there are too many of them for a chart, means of steps. */
export async function fetchNumbers(query: Query, signal?: AbortSignal): Promise<Numbers> {
  const points: Point[] = []
  let unit = ''
  let loaded = 0
  for await (const page of pages(query, signal)) {
    for (const told of page) {
      const point = toPoint(told, query)
      if (point) points.push(point)
      if (told.unit) unit = told.unit
    }
    if (++loaded < kMaxPages) continue
    return fetchNumbers({ ...query, step: Math.max(1, query.step * 10) }, signal)
  }
  return { points, unit, step: query.step }
}

function toPoint({ time, number, mean, min, max }: ToldPoint, { step, to }: Query): Point | null {
  const at = Date.parse(time)
  if (step === 0) return number === undefined || Number.isNaN(at) ? null : { time: at, number }
  if (mean === undefined || Number.isNaN(at)) return null
  // A step's mean stands in its middle; the last step has only begun.
  return { time: Math.min(at + step * 500, Math.max(at, to)), number: mean, min, max }
}

/** The latest texts of a resource, the oldest first: for states, whose changes count and not their mean. */
export async function fetchTexts(query: Omit<Query, 'step'>, signal?: AbortSignal): Promise<TextPoint[]> {
  const texts: TextPoint[] = []
  let loaded = 0
  for await (const page of pages({ ...query, step: 0 }, signal)) {
    for (const { time, value } of page) {
      const text = typeof value === 'string' ? value : JSON.stringify(value ?? '')
      if (texts[texts.length - 1]?.text !== text) texts.push({ time: Date.parse(time), text })
    }
    if (++loaded === kMaxPages) break
  }
  return texts
}

const kMarks = 200

/** The latest events of a node in that time. */
export async function fetchMarks(uid: string, from: number, to: number, signal?: AbortSignal): Promise<Mark[]> {
  const query = { node: uid, from: iso(from), to: iso(to), newest: 'true', limit: kMarks }
  const page = (await getJson('events', query, signal)) as { items: { time: string; type: string; message: string }[] }
  return page.items.map(({ time, type, message }) => ({ time: Date.parse(time), type, message }))
}
