// A node on DTLS: CoAP messages of npm's coap-packet through openssl's s_client.
import { createRequire } from 'node:module'
import { Process, until } from './process.mjs'

const require = createRequire(new URL('../package.json', import.meta.url))
const coap = require('coap-packet')

export class DtlsNode {
  /** `bind` is its port, any without; `resources` maps paths to values; the node answers GET and PUT for them. */
  constructor(port, { identity, key, resources = {}, bind }) {
    this.resources = resources
    this.asked = []
    this.answers = new Map()
    this.nextId = Math.floor(Math.random() * 60000)
    this.process = new Process('openssl', ['s_client', '-dtls1_2', '-brief', '-no_ign_eof', '-connect', `127.0.0.1:${port}`, '-psk_identity', identity,
      '-psk', Buffer.from(key).toString('hex'), ...(bind ? ['-bind', `127.0.0.1:${bind}`] : [])])
    // What comes in one read with something else is not understood, and comes again.
    this.process.child.stdout.on('data', (data) => this.#take(data))
  }

  #take(data) {
    let message
    try {
      message = coap.parse(data)
    } catch {
      return
    }
    if (message.code === '0.00') return
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
    this.process.child.stdin.write(coap.generate(answer))
  }

  /** POSTs and resolves to the answer's code and payload; says it again as a node would. */
  async post(path, payload) {
    const token = Buffer.from([this.nextId & 255, this.nextId >> 8])
    const packet = coap.generate({ confirmable: true, code: '0.02', messageId: this.nextId++, token, payload: Buffer.from(payload),
      options: [{ name: 'Uri-Path', value: Buffer.from(path) }] })
    await this.process.line(/CONNECTION ESTABLISHED/) // what is written before leaves as one
    let last = 0
    const answer = await until(`an answer to ${payload}: ${this.process.stderr}`, () => {
      if (Date.now() - last > 2000) {
        this.process.child.stdin.write(packet)
        last = Date.now()
      }
      return this.answers.get(token.toString('hex'))
    })
    return `${answer.code} ${answer.payload}`
  }

  /** Ends the session with close_notify. */
  async leave() {
    this.process.child.stdin.end()
    await this.process.exited
  }
}
