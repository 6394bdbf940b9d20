// A client, or a gateway, of the broker on pyaiot's wire: npm's ws and nothing of this project.
import { createRequire } from 'node:module'
import { until } from './process.mjs'

const require = createRequire(import.meta.url.replace('/support/', '/'))
const WebSocket = require('ws')

export class WebClient {
  constructor(url, protocols, options) {
    this.messages = []
    this.socket = new WebSocket(url, protocols, { perMessageDeflate: false, ...options })
    this.socket.on('message', (data) => this.messages.push(JSON.parse(data.toString())))
    this.closed = new Promise((resolve) => this.socket.on('close', (code, reason) => resolve({ code, reason: reason.toString() })))
    /** 'open', or the HTTP status of a refusal. */
    this.opened = new Promise((resolve) => {
      this.socket.on('open', () => resolve('open'))
      this.socket.on('unexpected-response', (_, response) => resolve(response.statusCode))
      this.socket.on('error', (error) => resolve(error))
    })
  }

  send(message) {
    this.socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  /** Waits until `count` messages match, and returns them. */
  async wait(matches, count = 1, ms = 10_000) {
    const all = () => this.messages.filter(matches)
    try {
      await until('messages', () => all().length >= count, ms)
    } catch {
      throw new Error(`only ${all().length} of ${count} expected messages came; all were:\n${this.messages.map((m) => JSON.stringify(m)).join('\n')}`)
    }
    return all()
  }

  close() {
    this.socket.close()
    return this.closed
  }
}

/** A client of `/ws` that has said hello, as pyaiot's dashboard does. */
export async function joinedClient(broker) {
  const client = new WebClient(`ws://127.0.0.1:${broker.listeners.http.port}/ws`)
  const opened = await client.opened
  if (opened !== 'open') throw new Error(`the broker refused the client: ${opened}`)
  client.send({ type: 'new', data: 'client' })
  return client
}
