// A node on WebSocket with any resources, made of npm's ws alone: it reports what it is written, and remembers it.
import { createRequire } from 'node:module'
import { until } from '../support/process.mjs'

const WebSocket = createRequire(import.meta.url.replace('/browser/', '/'))('ws')

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
