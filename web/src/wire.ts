/** The broker's `/ws` on pyaiot's wire: what arrives, as typed messages, over a connection that comes back. */

export type Message =
  | { type: 'new'; uid: string }
  | { type: 'out'; uid: string }
  | { type: 'reset'; uid: string }
  | { type: 'update'; uid: string; endpoint: string; data: unknown }

export type LinkState = 'connecting' | 'live' | 'lost'

export interface Handlers {
  state(state: LinkState, retryAt: number | null): void
  /** A new connection: what follows is the whole table again. */
  opened(): void
  message(message: Message): void
}

const kFirstRetryMs = 500
const kLastRetryMs = 15_000
/** The broker pings; a browser cannot see that. A handshake that hangs is given up after this. */
const kHandshakeMs = 10_000

export function parse(text: string): Message | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null) return null
  const { type, uid, endpoint, data } = value as Record<string, unknown>
  if (typeof uid !== 'string') return null
  if (type === 'new' || type === 'out' || type === 'reset') return { type, uid }
  if (type === 'update' && typeof endpoint === 'string') return { type, uid, endpoint, data }
  return null
}

export class Link {
  private socket: WebSocket | null = null
  private retryMs = kFirstRetryMs
  private timer = 0

  constructor(
    private readonly url: string,
    private readonly handlers: Handlers,
  ) {}

  open(): void {
    window.clearTimeout(this.timer)
    this.handlers.state('connecting', null)
    const socket = new WebSocket(this.url)
    this.socket = socket
    this.timer = window.setTimeout(() => socket.close(), kHandshakeMs)
    socket.onopen = () => {
      window.clearTimeout(this.timer)
      this.retryMs = kFirstRetryMs
      this.handlers.opened()
      this.handlers.state('live', null)
      socket.send(JSON.stringify({ type: 'new', data: 'client' }))
    }
    socket.onmessage = (event) => {
      const message = typeof event.data === 'string' ? parse(event.data) : null
      if (message) this.handlers.message(message)
    }
    socket.onclose = () => {
      if (this.socket === socket) this.retry()
    }
  }

  close(): void {
    window.clearTimeout(this.timer)
    const socket = this.socket
    this.socket = null
    socket?.close()
  }

  /** Tries again now instead of at the end of the wait. */
  retryNow(): void {
    this.retryMs = kFirstRetryMs
    this.open()
  }

  private retry(): void {
    window.clearTimeout(this.timer)
    const wait = this.retryMs * (0.5 + Math.random() / 2)
    this.retryMs = Math.min(this.retryMs * 2, kLastRetryMs)
    this.handlers.state('lost', Date.now() + wait)
    this.timer = window.setTimeout(() => this.open(), wait)
  }
}
