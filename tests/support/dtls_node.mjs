// Nodes on DTLS and TLS: CoAP messages of npm's coap-packet, through openssl's s_client and Node.js's own TLS.
import { createRequire } from 'node:module'
import tls from 'node:tls'
import { Process, until } from './process.mjs'

const require = createRequire(new URL('../package.json', import.meta.url))
const coap = require('coap-packet')

/** What a node says, however it gets there: `send(packet)` of its kind does, and `take(datagram)` hears. */
class Node {
  constructor(resources) {
    this.resources = resources
    this.asked = []
    this.answers = new Map()
    this.nextId = Math.floor(Math.random() * 60000)
  }

  take(data) {
    let message
    try {
      message = coap.parse(data)
    } catch {
      return
    }
    if (message.code === '0.00' || message.code[0] === '7') return
    if (message.code[0] !== '0') {
      this.answers.set(message.token.toString('hex'), message)
      return
    }
    const path = message.options.filter((option) => option.name === 'Uri-Path').map((option) => option.value.toString()).join('/')
    this.asked.push(`${message.code} ${path}${message.payload.length ? ` ${message.payload}` : ''}`)
    const answer = { ack: true, messageId: message.messageId, token: message.token, code: '4.04' }
    if (path === '.well-known/core') {
      answer.code = '2.05'
      answer.options = [{ name: 'Content-Format', value: Buffer.from([40]) }]
      answer.payload = Buffer.from(Object.keys(this.resources).map((name) => `</${name}>`).join(','))
    } else if (path in this.resources) {
      answer.code = message.code === '0.03' ? '2.04' : '2.05'
      if (message.code === '0.03') this.resources[path] = message.payload.toString()
      else answer.payload = Buffer.from(this.resources[path])
    }
    this.send(coap.generate(answer))
  }

  /** POSTs and resolves to the answer's code and payload; says it again as a node would. */
  async post(path, payload) {
    const token = Buffer.from([this.nextId & 255, this.nextId >> 8])
    const packet = coap.generate({ confirmable: true, code: '0.02', messageId: this.nextId++, token, payload: Buffer.from(payload),
      options: [{ name: 'Uri-Path', value: Buffer.from(path) }] })
    await this.opened()
    let last = 0
    const answer = await until(`an answer to ${payload}: ${this.process?.stderr}`, () => {
      if (Date.now() - last > 2000) {
        this.send(packet)
        last = Date.now()
      }
      return this.answers.get(token.toString('hex'))
    })
    return `${answer.code} ${answer.payload}`
  }
}

export class DtlsNode extends Node {
  /**
   * `bind` is its port, any without; `resources` maps paths to values; the node answers GET and PUT for them. It shows
   * `identity` and `key`, or a `certificate`.
   */
  constructor(port, { identity, key, certificate, resources = {}, bind }) {
    super(resources)
    const credential = certificate ? ['-cert', certificate.cert, '-key', certificate.key] : ['-psk_identity', identity, '-psk', Buffer.from(key).toString('hex')]
    this.process = new Process('openssl', ['s_client', '-dtls1_2', '-brief', '-no_ign_eof', '-connect', `127.0.0.1:${port}`, ...credential,
      ...(bind ? ['-bind', `127.0.0.1:${bind}`] : [])])
    // What comes in one read with something else is not understood, and comes again.
    this.process.child.stdout.on('data', (data) => this.take(data))
  }

  send(packet) {
    this.process.child.stdin.write(packet)
  }
  opened() {
    return this.process.line(/CONNECTION ESTABLISHED/) // what is written before leaves as one
  }

  /** Ends the session with close_notify. */
  async leave() {
    this.process.child.stdin.end()
    await this.process.exited
  }
}

/** A node on coaps+tcp (RFC 8323): the same messages without type and id, with their length in front. */
export class TlsNode extends Node {
  constructor(port, { identity, key, resources = {} }) {
    super(resources)
    this.socket = tls.connect({ port, host: '127.0.0.1', ciphers: 'PSK', maxVersion: 'TLSv1.2', checkServerIdentity: () => undefined,
      pskCallback: () => ({ identity, psk: Buffer.from(key) }) })
    this.socket.on('error', () => {})
    this.established = new Promise((resolve) => this.socket.once('secureConnect', resolve))
    this.established.then(() => this.socket.write(Buffer.from('00e1', 'hex'))) // its settings (CSM) come first
    this.received = Buffer.alloc(0)
    this.socket.on('data', (data) => {
      this.received = Buffer.concat([this.received, data])
      while (this.#next());
    })
  }

  #next() {
    const bytes = this.received
    const nibble = bytes[0] >> 4
    const extended = nibble < 13 ? 0 : nibble - 12 // no message here needs the four bytes of 15
    if (bytes.length < 2 + extended) return false
    const length = [() => nibble, () => 13 + bytes[1], () => 269 + bytes.readUInt16BE(1)][extended]()
    const size = 2 + extended + (bytes[0] & 15) + length
    if (bytes.length < size) return false
    this.received = bytes.subarray(size)
    this.take(Buffer.concat([Buffer.from([0x40 | (bytes[0] & 15), bytes[1 + extended], 0, 0]), bytes.subarray(2 + extended, size)]))
    return true
  }

  send(packet) {
    const tokenSize = packet[0] & 15
    const length = packet.length - 4 - tokenSize
    const head = length < 13 ? [length << 4] : length < 269 ? [13 << 4, length - 13] : [14 << 4, (length - 269) >> 8, (length - 269) & 255]
    head[0] |= tokenSize
    this.socket.write(Buffer.concat([Buffer.from([...head, packet[1]]), packet.subarray(4)]))
  }
  opened() {
    return this.established
  }

  async leave() {
    this.socket.end()
    this.socket.destroy()
  }
}
