/** The broker's REST: what the page needs beyond the live stream. */

export interface NodeDetail {
  uid: string
  protocol: string
  gateway?: string
  state: string
  address?: string
  first_seen?: string
  last_seen?: string
}

export interface WriteResult {
  ok: boolean
  /** "device" or "echo" when confirmed. */
  confirmed?: string
  /** "not_sent", "rejected" or "unknown" when it failed. */
  outcome?: string
  text: string
}

function nodePath(uid: string): string {
  return new URL(`api/v1/nodes/${encodeURIComponent(uid)}`, document.baseURI).href
}

export async function fetchNode(uid: string, signal: AbortSignal): Promise<NodeDetail | null> {
  const response = await fetch(nodePath(uid), { signal })
  return response.ok ? ((await response.json()) as NodeDetail) : null
}

/** Writes and waits for the node's own answer; never throws. */
export async function write(uid: string, resource: string, value: string): Promise<WriteResult> {
  try {
    const response = await fetch(`${nodePath(uid)}/resources/${encodeURIComponent(resource)}`, {
      method: 'PUT',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ value }),
    })
    const answer = (await response.json().catch(() => ({}))) as Record<string, unknown>
    if (response.ok) {
      const confirmed = String(answer.confirmed ?? '')
      return {
        ok: true,
        confirmed,
        text: confirmed === 'echo' ? 'Confirmed: the node reported the value' : 'Confirmed by the node',
      }
    }
    const detail = String(answer.detail ?? answer.title ?? `The broker answered ${response.status}`)
    return { ok: false, outcome: String(answer.outcome ?? ''), text: detail }
  } catch {
    return { ok: false, outcome: 'unknown', text: 'The broker did not answer; the write may have happened' }
  }
}
