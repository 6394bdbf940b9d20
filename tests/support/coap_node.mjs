// A CoAP node made of independent parts: one UDP socket and npm's coap-packet. It knows nothing of this project.
import dgram from 'node:dgram'
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url.replace('/support/', '/'))
const { generate, parse } = require('coap-packet')

export class CoapNode {
  /** `resources`: name -> text. `core`: the link-format document, made from the names unless given. */
  constructor(address, resources = {}, { port = 5683, core, writable = ['led'] } = {}) {
    this.address = address
    this.port = port
    this.resources = new Map(Object.entries(resources))
    this.core = core
    this.writable = new Set(writable)
    this.requests = [] // "GET /temperature" in order of arrival
    this.waiting = new Map()
    this.messageId = Math.floor(Math.random() * 65536)
    /** Set to answer differently: (packet, method, path) => { code, payload } | 'silence' | undefined. */
    this.answer = undefined
    this.silent = false
  }

  async start() {
    this.socket = dgram.createSocket({ type: this.address.includes(':') ? 'udp6' : 'udp4', reuseAddr: true })
    this.socket.on('message', (datagram, from) => this.#received(datagram, from))
    await new Promise((resolve) => this.socket.bind(this.port, this.address, resolve))
    return this
  }

  stop() {
    this.socket?.close()
    this.socket = undefined
  }

  /** Sends a request to `gateway` ({ address, port }); resolves to the answer, rejects after `ms`. */
  request(gateway, method, path, payload = '', { confirmable = true, query, contentFormat, messageId, token, ms = 5000 } = {}) {
    const id = messageId ?? (this.messageId = (this.messageId + 1) & 0xffff)
    const tok = token ?? Buffer.from([id >> 8, id & 0xff, 0x5a])
    const options = path.split('/').filter(Boolean).map((segment) => ({ name: 'Uri-Path', value: Buffer.from(segment) }))
    for (const item of query ?? []) options.push({ name: 'Uri-Query', value: Buffer.from(item) })
    if (contentFormat !== undefined) options.push({ name: 'Content-Format', value: Buffer.from([contentFormat]) })
    const datagram = generate({ code: method, messageId: id, token: tok, confirmable, options, payload: Buffer.from(payload) })
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiting.delete(tok.toString('hex'))
        reject(new Error(`no answer to ${method} ${path} '${payload}'`))
      }, ms)
      this.waiting.set(tok.toString('hex'), (packet) => {
        clearTimeout(timer)
        resolve({ code: packet.code, payload: packet.payload.toString(), packet })
      })
      this.socket.send(datagram, gateway.port, gateway.address)
    })
  }

  post(gateway, path, payload, options) {
    return this.request(gateway, 'POST', path, payload, options)
  }

  #received(datagram, from) {
    if (this.silent) return
    let packet
    try {
      packet = parse(datagram)
    } catch {
      return
    }
    if (packet.code === '0.00') {
      if (packet.confirmable) this.#send({ reset: true, code: '0.00', messageId: packet.messageId }, from) // a ping
      return
    }
    if (Number(packet.code[0]) >= 2) {
      const token = packet.token.toString('hex')
      const waiter = this.waiting.get(token)
      this.waiting.delete(token)
      if (packet.confirmable) this.#send({ ack: true, code: '0.00', messageId: packet.messageId }, from)
      waiter?.(packet)
      return
    }
    const method = { '0.01': 'GET', '0.02': 'POST', '0.03': 'PUT', '0.04': 'DELETE' }[packet.code] ?? packet.code
    const path = '/' + packet.options.filter((o) => o.name === 'Uri-Path').map((o) => o.value.toString()).join('/')
    this.requests.push(`${method} ${path}`)
    const { code, payload, contentFormat } = this.answer?.(packet, method, path) ?? this.#serve(packet, method, path)
    if (code === 'silence') return
    this.#send(
      {
        ack: packet.confirmable,
        code,
        messageId: packet.messageId,
        token: packet.token,
        payload: Buffer.from(payload ?? ''),
        options: contentFormat === undefined ? [] : [{ name: 'Content-Format', value: Buffer.from(contentFormat ? [contentFormat] : []) }],
      },
      from,
    )
  }

  #serve(packet, method, path) {
    if (path === '/.well-known/core') {
      const core = this.core ?? [...this.resources.keys()].map((name) => `</${name}>`).join(',')
      return { code: '2.05', payload: core, contentFormat: 40 }
    }
    const name = path.slice(1)
    if (!this.resources.has(name)) return { code: '4.04' }
    if (method === 'GET') return { code: '2.05', payload: this.resources.get(name) }
    if (method === 'PUT' && this.writable.has(name)) {
      this.resources.set(name, packet.payload.toString())
      return { code: '2.04' }
    }
    return { code: '4.05' }
  }

  #send(packet, to) {
    this.socket?.send(generate(packet), to.port, to.address)
  }
}
