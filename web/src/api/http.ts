/** The broker's REST API, relative to the page, so that it may stand behind a path prefix. */
import { strings } from '../strings'

/** What went wrong, in the broker's own words where it had any. */
export class ApiError extends Error {
  constructor(
    message: string,
    readonly status: number,
  ) {
    super(message)
  }
}

export const apiUrl = (path: string) => new URL(`api/v1/${path}`, document.baseURI)

async function ask(url: URL, init: RequestInit): Promise<unknown> {
  let response: Response
  try {
    response = await fetch(url, { ...init, headers: { accept: 'application/json', ...init.headers } })
  } catch (error) {
    if (init.signal?.aborted) throw error
    throw new ApiError(strings.app.unreachable, 0)
  }
  const body: unknown = response.status === 204 ? null : await response.json().catch(() => null)
  if (response.ok) return body
  const detail = body && typeof body === 'object' && 'detail' in body ? String(body.detail) : response.statusText
  throw new ApiError(detail || strings.app.answered(response.status), response.status)
}

export function getJson(path: string, query: Record<string, string | number> = {}, signal?: AbortSignal): Promise<unknown> {
  const url = apiUrl(path)
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value))
  return ask(url, { signal })
}

/** Sets and removes (null) labels of a node, all or none. */
export const setLabels = (uid: string, labels: Record<string, string | null>) =>
  ask(apiUrl(`nodes/${encodeURIComponent(uid)}`), {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ labels }),
  })

export const forgetNode = (uid: string) => ask(apiUrl(`nodes/${encodeURIComponent(uid)}`), { method: 'DELETE' })
