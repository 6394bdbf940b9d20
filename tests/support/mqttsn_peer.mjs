// MQTT-SN clients made of scapy's codec: see mqttsn_peer.py.
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Process, until } from './process.mjs'

const script = join(dirname(fileURLToPath(import.meta.url)), 'mqttsn_peer.py')

export class MqttSnPeers {
  constructor(host, port) {
    this.process = new Process('/usr/bin/python3', [script, host, String(port)])
    this.messages = []
    this.seen = 0
    let rest = ''
    this.process.child.stdout.on('data', (data) => {
      const lines = (rest + data).split('\n')
      rest = lines.pop()
      for (const line of lines) this.messages.push(JSON.parse(line))
    })
  }

  async start() {
    await until(`scapy; it said ${this.process.stderr}`, () => this.messages.some((m) => m.ready), 30_000)
    return this
  }

  client(socket, options) {
    return new MqttSnClient(this, socket, options)
  }

  write(packet) {
    this.process.child.stdin.write(`${JSON.stringify(packet)}\n`)
  }

  end() {
    this.process.child.stdin.end()
    return this.process.exited
  }
}

/** One socket. Acknowledges what it gets, unless `silent`. */
export class MqttSnClient {
  constructor(peers, socket, options = {}) {
    Object.assign(this, { peers, socket, mid: 0, options, silent: false, taken: 0 })
  }

  get messages() {
    return this.peers.messages.filter((m) => m.socket === this.socket)
  }

  send(type, fields = {}, more = {}) {
    this.peers.write({ socket: this.socket, type, fields, ...this.options, ...more })
  }

  raw(hex) {
    this.peers.write({ socket: this.socket, raw: hex, ...this.options })
  }

  /** The next packet of `type` (and that matches) that was not taken yet. */
  async next(type, matches = () => true, ms = 10_000) {
    const find = () => this.messages.find((m) => m.type === type && !m.used && matches(m))
    let found
    try {
      found = await until('a packet', find, ms)
    } catch {
      throw new Error(`${this.socket}: no ${type} came; all were ${JSON.stringify(this.messages)}`)
    }
    found.used = true
    return found
  }

  /** Sends, and waits for the answer of that type. */
  async ask(type, fields, answer, more) {
    const mid = fields.mid
    this.send(type, fields, more)
    return this.next(answer, (m) => mid === undefined || m.mid === mid)
  }

  connect(client_id, fields = {}) {
    return this.ask('Connect', { client_id, prot_id: 1, duration: 60, cleansess: 1, ...fields }, 'Connack')
  }

  async register(topic_name) {
    return (await this.ask('Register', { tid: 0, mid: ++this.mid, topic_name }, 'Regack')).tid
  }

  async publish(topic, data, qos = 1) {
    const tid = await this.register(topic)
    if (qos <= 0) return this.send('Publish', { qos, tid_type: 0, tid, mid: 0, data })
    return this.ask('Publish', { qos, tid_type: 0, tid, mid: ++this.mid, data }, qos === 1 ? 'Puback' : 'Pubrec')
  }

  subscribe(topic_name, qos = 1) {
    return this.ask('Subscribe', { qos, tid_type: 0, mid: ++this.mid, topic_name }, 'Suback')
  }

  /** The next message, acknowledged; its topic's id is registered when need be. */
  async message(ms) {
    const m = await this.next('Publish', undefined, ms)
    if (m.qos === 1) this.send('Puback', { tid: m.tid, mid: m.mid, return_code: 0 })
    return m
  }
}
