// What browser tests put before and behind the broker: nodes with anything in them, and links that fail.
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { until } from '../support/process.mjs'

const WebSocket = createRequire(import.meta.url.replace('/browser/', '/'))('ws')

/** A node on WebSocket, made of npm's ws alone: it reports what it is written, and remembers it. */
export class AnyNode {
  /** `deaf`: resources whose writes are neither reported nor refused. */
  constructor(address, resources, deaf = []) {
    this.resources = { ...resources }
    this.writes = []
    this.socket = new WebSocket(address, { perMessageDeflate: false })
    this.socket.on('message', (data) => {
      const message = JSON.parse(data.toString())
      if (message.request) this.send(this.resources)
      if (message.endpoint === undefined) return
      this.writes.push([message.endpoint, message.payload])
      if (!deaf.includes(message.endpoint)) this.report({ [message.endpoint]: message.payload })
    })
    this.opened = new Promise((resolve) => this.socket.on('open', resolve))
  }

  send(data) {
    this.socket.send(JSON.stringify({ type: 'update', data }))
  }

  /** What the node has from now on. */
  report(data) {
    Object.assign(this.resources, data)
    this.send(data)
  }

  written(resource, value) {
    return until(`${JSON.stringify(value)} at ${resource}; it got ${JSON.stringify(this.writes)}`, () =>
      this.writes.some(([name, got]) => name === resource && got === value))
  }

  close() {
    this.socket.close()
  }
}

/** A link to a broker that is slow, or holds everything back without closing anything. */
export class Link {
  /** In `delayMs`, at most `rate` bytes a second in each direction of a connection. */
  constructor(port, { delayMs = 0, rate = Infinity } = {}) {
    this.sockets = new Set()
    this.held = false
    this.server = createServer((near) => {
      const far = connect(port, '127.0.0.1')
      for (const [from, to] of [[near, far], [far, near]]) {
        this.sockets.add(from)
        let due = 0
        from.on('data', (data) => {
          if (this.held) return
          due = Math.max(due, Date.now()) + (data.length * 1000) / rate
          setTimeout(() => !to.destroyed && to.write(data), due - Date.now() + delayMs)
        })
        from.on('error', () => {})
        from.on('close', () => (this.sockets.delete(from), this.held || setTimeout(() => to.end(), due - Date.now() + delayMs)))
      }
    })
  }

  async open() {
    await new Promise((resolve) => this.server.listen(0, '127.0.0.1', resolve))
    this.url = `http://127.0.0.1:${this.server.address().port}/`
    return this
  }

  /** From now on nothing passes, and nothing says so. */
  hold() {
    this.held = true
  }

  /** New connections pass again; those of before stay dead. */
  release() {
    for (const socket of this.sockets) socket.removeAllListeners('data').resume()
    this.held = false
  }

  close() {
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
  }
}
