// The broker under test and its peers, made of Node.js and npm's ws alone: pyaiot's gateways and clients, and gateways
// of aiot.gateway.v1 written from docs/protocol.md.
import { createCipheriv, createHmac, randomBytes } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { Process, scratch } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'

/** A Fernet token as pyaiot's Python makes it. */
export function fernet(key, text) {
  const raw = Buffer.from(key, 'base64url')
  const head = Buffer.concat([Buffer.from([0x80]), Buffer.alloc(8), randomBytes(16)])
  head.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 1000)), 1)
  const cipher = createCipheriv('aes-128-cbc', raw.subarray(16), head.subarray(9))
  const body = Buffer.concat([head, cipher.update(text), cipher.final()])
  const mac = createHmac('sha256', raw.subarray(0, 16)).update(body).digest()
  return Buffer.concat([body, mac]).toString('base64').replaceAll('+', '-').replaceAll('/', '_')
}

export const kSecret = 'abcdefghijklmnopqrstuvwxyz012345'
export const kPrivate = 'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8='

export function keyFile(folder = scratch()) {
  const path = join(folder, 'keys')
  writeFileSync(path, `[keys]\nsecret = ${kSecret}\nprivate = ${kPrivate}\n`)
  return path
}

export class Broker {
  static async start(...args) {
    const broker = new Broker()
    broker.keys = keyFile()
    broker.process = new Process(process.env.AIOT_BROKER_HOST, [broker.keys, ...args.map(String)])
    const ready = JSON.parse(await broker.process.line(/"event":"ready"/))
    broker.port = ready.listeners[0].port
    return broker
  }

  client(options) {
    return new WebClient(`ws://127.0.0.1:${this.port}/ws`, undefined, options)
  }
  async joined() {
    const client = this.client()
    if ((await client.opened) !== 'open') throw new Error('the broker refused a client')
    client.send({ type: 'new', data: 'client' })
    return client
  }
  async pyaiotGateway(token = fernet(kPrivate, kSecret)) {
    const gateway = new WebClient(`ws://127.0.0.1:${this.port}/gw`, ['token', token])
    gateway.status = await gateway.opened
    return gateway
  }
  async nativeSocket(name, token = fernet(kPrivate, `${kSecret}\n${name}`)) {
    const gateway = new WebClient(`ws://127.0.0.1:${this.port}/gw`, ['aiot.gateway.v1'], { headers: { Authorization: `Bearer ${token}` } })
    gateway.status = await gateway.opened
    return gateway
  }
  /** Connected, said hello, was welcomed, and told its nodes. */
  async native(name, { site = name, stream = 's1', nodes = [] } = {}) {
    const gateway = await this.nativeSocket(name)
    gateway.send({ type: 'hello', version: 1, name, site, stream, software: 'test' })
    gateway.welcome = (await gateway.wait((m) => m.type === 'welcome'))[0]
    gateway.sequence = gateway.welcome.acknowledged
    gateway.send({ type: 'sync', nodes, last: true })
    gateway.batch = (...items) => {
      gateway.send({ type: 'batch', first: gateway.sequence + 1, items })
      gateway.sequence += items.length
      const last = gateway.sequence
      return gateway.wait((m) => m.type === 'ack' && m.sequence >= last)
    }
    return gateway
  }

  /** An HTTP exchange: { status, headers, text, json }. */
  request(method, path, body, headers = {}) {
    return new Promise((resolve, reject) => {
      const request = http.request({ port: this.port, host: '127.0.0.1', method, path, headers, agent: false }, (response) => {
        const parts = []
        response.on('data', (part) => parts.push(part))
        response.on('end', () => {
          const text = Buffer.concat(parts).toString()
          let json
          try {
            json = JSON.parse(text)
          } catch {
            json = undefined
          }
          resolve({ status: response.statusCode, headers: response.headers, text, json, body: Buffer.concat(parts) })
        })
      })
      request.on('error', reject)
      if (body !== undefined) request.write(typeof body === 'string' ? body : JSON.stringify(body))
      request.end()
    })
  }
  get(path, headers) {
    return this.request('GET', path, undefined, headers)
  }
  async metric(name, labels = '') {
    const { text } = await this.get('/metrics')
    const line = text.split('\n').find((l) => l.startsWith(labels ? `${name}{` : `${name} `) && l.includes(labels))
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1))
  }
  rss() {
    const status = readFileSync(`/proc/${this.process.child.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024
  }
  async end() {
    const { code, signal, stderr } = await this.process.end()
    if (code !== 0) throw new Error(`the broker ended with ${code ?? signal}: ${stderr}`)
  }
}

export const joined = (node, address = '192.0.2.1', protocol = 'CoAP') => ({ event: 'joined', node, protocol, address, time: Date.now() })
export const value = (node, resource, text, more = {}) => ({ node, resource, value: text, time: Date.now(), ...more })
export const out = (node) => ({ event: 'out', node, time: Date.now() })
export const reset = (node) => ({ event: 'reset', node, time: Date.now() })
/** Messages without their destination. */
export const bare = (messages) => messages.map(({ dst, ...rest }) => rest)
export const update = (uid, endpoint, data) => ({ type: 'update', uid, endpoint, data })
