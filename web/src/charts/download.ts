/** What a chart shows, as a file. */
import type { Track } from './use_history'

function save(blob: Blob, name: string): void {
  const link = document.createElement('a')
  link.href = URL.createObjectURL(blob)
  link.download = name
  link.click()
  // Later, since the download may not have begun yet.
  window.setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
}

/** RFC 4180; a leading = + - @ is for spreadsheets a formula, so text that begins so gets a quote before it. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text
  return /[",\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe
}

const kHeader = 'time,node,resource,value,unit,min,max'

export function toCsv(tracks: readonly Track[]): string {
  const rows = tracks.flatMap(({ uid, resource, unit, points }) =>
    points.map(({ time, number, min, max }) =>
      [new Date(time).toISOString(), field(uid), field(resource), number, field(unit), min ?? '', max ?? ''].join(','),
    ),
  )
  return `${[kHeader, ...rows].join('\r\n')}\r\n`
}

/** A name that every file system takes. */
export function fileName(tracks: readonly Track[], extension: string): string {
  const names = tracks.map(({ uid, resource }) => `${uid}-${resource}`).join('_')
  const time = new Date().toISOString().slice(0, 19).replace(/:/g, '')
  return `${names.replace(/[^\p{L}\p{N}._-]+/gu, '-').slice(0, 80) || 'chart'}-${time}.${extension}`
}

export const saveCsv = (tracks: readonly Track[]) => save(new Blob([toCsv(tracks)], { type: 'text/csv' }), fileName(tracks, 'csv'))
export const savePng = (image: Blob, tracks: readonly Track[]) => save(image, fileName(tracks, 'png'))
