/** The broker's `/ws` on aiot.client.v1 (docs/protocol.md): what arrives, and writes, over a connection that comes back. */

export type NodeState = 'live' | 'stale' | 'out'

/** A value, exactly as the node sent it; `json` is what CBOR and SenML in CBOR hold. */
export interface Value {
  resource: string
  value: string
  encoding?: 'base64'
  json?: unknown
  /** The CoAP content-format number that was declared. */
  format?: number
  /** Where the value reads as a number with an optional unit. */
  number?: number
  unit?: string
  time: number
}

export interface Facts {
  node: string
  gateway: string
  protocol: string
  address: string
  state: NodeState
  /** Absent for none. */
  labels?: Record<string, string>
}

export type Item = ({ event?: undefined; node: string } & Value) | ({ event: string; time: number } & Partial<Facts>)

export interface SnapshotNode extends Facts {
  first_seen: number
  last_seen: number
  /** What is not zero. */
  stats?: { interval_s?: number; resets?: number; timeouts?: number; rejected_writes?: number }
  values: Value[]
}

export interface WriteResult {
  ok: boolean
  /** "device" or "echo" when confirmed. */
  confirmed?: string
  /** "not_sent", "rejected" or "unknown" when it failed. */
  outcome?: string
  /** "rejected", "timeout", "unreachable" and so on when it failed. */
  error?: string
  /** What the node answered, as 4.05. */
  code?: string
  text: string
}

export type LinkState = 'connecting' | 'live' | 'lost'

export interface Handlers {
  state(state: LinkState, retryAt: number | null): void
  /** A new connection: what follows is the whole table again. */
  opened(): void
  snapshot(nodes: SnapshotNode[], last: boolean): void
  items(items: Item[]): void
}

interface Message {
  type: string
  id: number
  nodes: SnapshotNode[]
  last?: boolean
  items: Item[]
  confirmed?: string
  code?: string
  error?: { code: string; message: string; outcome?: string }
}

const kSubprotocol = 'aiot.client.v1'
const kFirstRetryMs = 500
const kLastRetryMs = 15_000
/** A handshake that hangs is given up after this. */
const kHandshakeMs = 10_000
/**
 * The broker pings, but a browser lets no page see that: a connection that is cut without a word (a computer that
 * slept, a cable that was pulled) would look alive for minutes. After a silence the page asks; without an answer it is lost.
 */
const kSilenceMs = 10_000
const kAnswerMs = 10_000
const kLookMs = 2_500
/** Batches that may wait in the browser; while it is busy the broker keeps only the newest values. */
const kWindow = 16

export function parse(text: string): Message | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && 'type' in value ? (value as Message) : null
  } catch {
    return null
  }
}

export class Link {
  private socket: WebSocket | null = null
  private retryMs = kFirstRetryMs
  private timer = 0
  private lastId = 0
  private heard = 0
  private asked = 0
  private watch = 0
  private readonly writes = new Map<number, (result: WriteResult) => void>()

  constructor(
    private readonly url: string,
    private readonly handlers: Handlers,
  ) {}

  open(): void {
    window.clearTimeout(this.timer)
    this.handlers.state('connecting', null)
    const socket = new WebSocket(this.url, kSubprotocol)
    this.socket = socket
    this.timer = window.setTimeout(() => this.giveUp(socket), kHandshakeMs)
    socket.onopen = () => this.send({ type: 'hello', version: 1, software: 'aiot dashboard' })
    socket.onmessage = (event) => {
      const message = typeof event.data === 'string' ? parse(event.data) : null
      this.heard = performance.now()
      this.asked = 0
      if (message && this.socket === socket) this.take(message)
    }
    socket.onclose = () => this.giveUp(socket)
  }

  /** Closing a connection that is cut may take a minute; nobody waits for it. */
  private giveUp(socket: WebSocket): void {
    if (this.socket !== socket) return
    this.socket = null
    socket.close()
    this.retry()
  }

  /** A read of no node is answered at once, whatever the answer is. */
  private look(socket: WebSocket): void {
    const now = performance.now()
    if (this.asked > 0 && now - this.asked > kAnswerMs) return this.giveUp(socket)
    if (this.asked > 0 || now - this.heard < kSilenceMs) return
    this.asked = now
    this.send({ type: 'read', id: ++this.lastId, node: '-', resource: '-' })
  }

  close(): void {
    window.clearTimeout(this.timer)
    window.clearInterval(this.watch)
    const socket = this.socket
    this.socket = null
    socket?.close()
    this.abandonWrites()
  }

  /** Tries again now instead of at the end of the wait. */
  retryNow(): void {
    this.retryMs = kFirstRetryMs
    window.clearTimeout(this.timer)
    this.open()
  }

  /** Writes and waits for the node's own answer; never throws. */
  write(uid: string, resource: string, value: string): Promise<WriteResult> {
    if (this.socket?.readyState !== WebSocket.OPEN) {
      return Promise.resolve({ ok: false, outcome: 'not_sent', text: 'Not sent: the broker cannot be reached' })
    }
    const id = ++this.lastId
    this.send({ type: 'write', id, node: uid, resource, value })
    return new Promise((resolve) => this.writes.set(id, resolve))
  }

  private send(message: object): void {
    this.socket?.send(JSON.stringify(message))
  }

  private take(message: Message): void {
    switch (message.type) {
      case 'welcome':
        window.clearTimeout(this.timer)
        this.retryMs = kFirstRetryMs
        this.handlers.opened()
        this.handlers.state('live', null)
        if (this.socket) this.watch = window.setInterval((socket: WebSocket) => this.look(socket), kLookMs, this.socket)
        return this.send({ type: 'subscribe', id: 1, conflate: true, window: kWindow })
      case 'snapshot':
        return this.handlers.snapshot(message.nodes, message.last === true)
      case 'updates':
        this.handlers.items(message.items)
        return this.send({ type: 'ack', id: message.id })
      case 'result':
        return this.settle(message)
    }
  }

  private settle({ id, confirmed, code, error }: Message): void {
    const resolve = this.writes.get(id)
    this.writes.delete(id)
    if (error) return resolve?.({ ok: false, outcome: error.outcome, error: error.code, code, text: error.message })
    const text = confirmed === 'echo' ? 'Confirmed: the node reported the value' : 'Confirmed by the node'
    resolve?.({ ok: true, confirmed, code, text })
  }

  private abandonWrites(): void {
    for (const resolve of this.writes.values()) {
      resolve({ ok: false, outcome: 'unknown', text: 'The broker did not answer; the write may have happened' })
    }
    this.writes.clear()
  }

  private retry(): void {
    window.clearTimeout(this.timer)
    window.clearInterval(this.watch)
    this.asked = 0
    this.abandonWrites()
    const wait = this.retryMs * (0.5 + Math.random() / 2)
    this.retryMs = Math.min(this.retryMs * 2, kLastRetryMs)
    this.handlers.state('lost', Date.now() + wait)
    this.timer = window.setTimeout(() => this.open(), wait)
  }
}
