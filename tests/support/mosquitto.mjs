// Debian's mosquitto with its own configuration, and clients of npm's mqtt.
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Process, scratch, until } from './process.mjs'

const require = createRequire(import.meta.url.replace('/support/', '/'))
const mqtt = require('mqtt')

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })

export class Mosquitto {
  constructor(lines = ['allow_anonymous true']) {
    this.folder = scratch()
    this.lines = lines
  }

  /** Returns once it accepts connections; again after end(): on the same port. */
  async start() {
    this.port ??= await freePort()
    const config = join(this.folder, 'mosquitto.conf')
    writeFileSync(config, [`listener ${this.port} 127.0.0.1`, 'user root', 'max_queued_messages 1000000', ...this.lines, ''].join('\n'))
    this.process = new Process('mosquitto', ['-c', config, '-v'],
      { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` } })
    await this.process.line(/mosquitto version .* running/)
    return this
  }

  end(signal) {
    return this.process.end(signal)
  }

  /** A client whose messages are kept. */
  async client(options = {}) {
    const client = mqtt.connect(`mqtt://127.0.0.1:${this.port}`, { protocolVersion: 5, reconnectPeriod: 200, ...options })
    client.messages = []
    client.on('message', (topic, payload, packet) => client.messages.push({ topic, payload: payload.toString(), packet }))
    await new Promise((resolve, reject) => {
      client.once('connect', resolve)
      client.once('error', reject)
    })
    client.wait = async (matches, count = 1, ms = 10_000) => {
      const all = () => client.messages.filter(matches)
      try {
        await until('messages', () => all().length >= count, ms)
      } catch {
        throw new Error(`only ${all().length} of ${count} MQTT messages came; all were ${JSON.stringify(client.messages.map((m) => [m.topic, m.payload]))}`)
      }
      return all()
    }
    return client
  }
}
