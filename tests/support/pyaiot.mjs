// pyaiot's broker and CoAP gateway as far as moving away from them needs, made of npm's ws and coap-packet alone. They
// share pyaiot's habits: a gateway connects again only after "connection refused", and on a broker's `new` sends all.
import { createRequire } from 'node:module'
import dgram from 'node:dgram'
import { fernet, kPrivate, kSecret } from '../integration/broker_peers.mjs'

const require = createRequire(import.meta.url.replace('/support/', '/'))
const { generate, parse } = require('coap-packet')
const WebSocket = require('ws')

const kRetry = 300 // ms; pyaiot's 3 s

/** Believes every token: whether one is right is asked of aiot's broker, not of this one. */
export class PyaiotBroker {
  constructor(port) {
    this.port = port
    this.gateways = new Set()
    this.clients = new Map()
  }

  async start() {
    this.server = new WebSocket.Server({ port: this.port, handleProtocols: () => 'token' })
    this.server.on('connection', (socket, request) => (request.url === '/gw' ? this.#gateway(socket) : this.#client(socket)))
    await new Promise((resolve, reject) => this.server.once('listening', resolve).once('error', reject))
    return this
  }

  #gateway(socket) {
    this.gateways.add(socket)
    socket.on('message', (data) => {
      const { dst } = JSON.parse(data.toString())
      for (const [id, client] of this.clients) if (dst === undefined || dst === 'all' || dst === id) client.send(data.toString())
    })
    socket.on('close', () => this.gateways.delete(socket))
  }

  #client(socket) {
    const src = String(Math.random())
    socket.on('message', (data) => {
      this.clients.set(src, socket)
      for (const gateway of this.gateways) gateway.send(JSON.stringify({ ...JSON.parse(data.toString()), src }))
    })
    socket.on('close', () => this.clients.delete(src))
  }

  end() {
    for (const socket of this.server.clients) socket.terminate()
    return new Promise((resolve) => this.server.close(resolve))
  }
}

export class PyaiotCoapGateway {
  /** `where`: { address, port } for nodes. */
  constructor(brokerPort, where, secret = kSecret) {
    Object.assign(this, { brokerPort, where, secret })
    this.nodes = new Map() // uid -> { address, resources }
    this.refusals = 0
    this.connections = 0
    /** Why it will never connect again. */
    this.gaveUp = undefined
    this.messageId = 1
    this.writes = new Map()
  }

  async start() {
    this.udp = dgram.createSocket('udp4').on('message', (datagram, from) => this.#datagram(parse(datagram), from))
    await new Promise((resolve, reject) => this.udp.once('error', reject).bind(this.where.port, this.where.address, resolve))
    this.#connect()
    return this
  }

  async end() {
    this.ended = true
    clearTimeout(this.timer)
    if (this.udp !== undefined) await new Promise((resolve) => this.udp.close(resolve))
    this.udp = undefined
    this.socket?.terminate()
  }

  #connect() {
    this.socket = new WebSocket(`ws://127.0.0.1:${this.brokerPort}/gw`, ['token', fernet(kPrivate, this.secret)],
      { perMessageDeflate: false })
    const again = () => {
      if (!this.ended) this.timer = setTimeout(() => this.#connect(), kRetry)
    }
    this.socket.on('open', () => {
      this.connections += 1
      this.#tellAll('all')
      this.socket.on('close', again)
    })
    this.socket.on('message', (data) => this.#broker(JSON.parse(data.toString())))
    this.socket.on('error', (error) => {
      if (this.socket.readyState === WebSocket.OPEN || this.ended) return
      if (error.code !== 'ECONNREFUSED') return (this.gaveUp = error.message)
      this.refusals += 1
      again()
    })
  }

  #send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message))
  }

  #tellAll(dst) {
    for (const [uid, node] of this.nodes) {
      this.#send({ type: 'new', uid, dst })
      for (const [endpoint, data] of node.resources) this.#send({ type: 'update', uid, endpoint, data, dst })
    }
  }

  #broker(message) {
    if (message.type === 'new') return this.#tellAll(message.src)
    const { uid, endpoint, payload } = message.data
    const node = this.nodes.get(uid)
    if (message.type !== 'update' || node === undefined) return
    const messageId = this.messageId++
    this.writes.set(messageId, () => this.#value(uid, endpoint, payload))
    this.udp.send(generate({ code: 'PUT', confirmable: true, messageId, token: Buffer.from([messageId]), payload: Buffer.from(payload),
      options: [{ name: 'Uri-Path', value: Buffer.from(endpoint) }] }), 5683, node.address)
  }

  #value(uid, endpoint, data) {
    this.nodes.get(uid).resources.set(endpoint, data)
    this.#send({ type: 'update', uid, endpoint, data, dst: 'all' })
  }

  #datagram(packet, from) {
    if (packet.code === '2.04') return this.writes.get(packet.messageId)?.()
    const path = packet.options.find((option) => option.name === 'Uri-Path')?.value.toString()
    if (packet.code !== '0.02') return
    const text = packet.payload.toString()
    this.udp.send(generate({ ack: true, code: '2.04', messageId: packet.messageId, token: packet.token,
      payload: Buffer.from(`Received '${text}'`) }), from.port, from.address)
    if (path === 'alive') {
      const uid = text.split(':').at(-1)
      if (this.nodes.has(uid)) return
      this.nodes.set(uid, { address: from.address, resources: new Map([['ip', from.address], ['protocol', 'CoAP']]) })
      this.#send({ type: 'new', uid, dst: 'all' })
      for (const [endpoint, data] of this.nodes.get(uid).resources) this.#send({ type: 'update', uid, endpoint, data, dst: 'all' })
      return
    }
    const [uid] = [...this.nodes].find(([, node]) => node.address === from.address) ?? []
    const colon = text.indexOf(':')
    if (uid !== undefined) this.#value(uid, text.slice(0, colon), text.slice(colon + 1))
  }
}
