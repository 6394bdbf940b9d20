// Debian's mosquitto for tests: a free port, a configuration and a folder of its own, ended by its pid; and clients of
// npm's mqtt at it.
import { existsSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'

import { Process, scratch, until } from './process.mjs'

const mqtt = createRequire(import.meta.url.replace('/support/', '/'))('mqtt')

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

const accepts = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => (socket.destroy(), resolve(true)))
    socket.on('error', () => resolve(false))
  })

export class Mosquitto {
  /** `config`: further lines; `listener`: lines that belong to the listener; FOLDER stands for the folder. */
  constructor({ config = '', listener = '', files = {} } = {}) {
    this.folder = scratch()
    this.config = config.replaceAll('FOLDER', this.folder)
    this.listener = listener.replaceAll('FOLDER', this.folder)
    for (const [name, text] of Object.entries(files)) this.write(name, text)
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text)
  }

  /** Resolves once it accepts connections; again after end(), on the same port. */
  async start() {
    this.port ??= await freePort()
    const anonymous = this.config.includes('allow_anonymous') ? '' : 'allow_anonymous true\n'
    this.write(
      'mosquitto.conf',
      `listener ${this.port} 127.0.0.1\n${this.listener}\nuser root\nmax_queued_messages 1000000\n${anonymous}${this.config}\n`,
    )
    const binary = existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto'
    this.process = new Process(binary, ['-c', join(this.folder, 'mosquitto.conf')])
    await until('mosquitto', async () => {
      if (this.process.child.exitCode !== null) throw new Error(`mosquitto: ${this.process.stderr}`)
      return accepts(this.port)
    })
    return this
  }

  async end(signal = 'SIGTERM') {
    return this.process.end(signal)
  }

  get url() {
    return `mqtt://127.0.0.1:${this.port}`
  }
  /** A client whose messages are kept. */
  async client(options = {}) {
    const client = mqtt.connect(this.url, { protocolVersion: 5, reconnectPeriod: 200, ...options })
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
        const came = client.messages.map((m) => [m.topic, m.payload])
        throw new Error(`only ${all().length} of ${count} MQTT messages came; all were ${JSON.stringify(came)}`)
      }
      return all()
    }
    return client
  }
}
