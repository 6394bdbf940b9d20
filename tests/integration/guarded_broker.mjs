// A broker with users and tokens, made by the real command line.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { daemon, run, scratch } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'
import { Broker, joined, keyFile, value } from './broker_peers.mjs'

/** A broker of the real command line, with a users file that the real command line changes. */
export class GuardedBroker extends Broker {
  constructor(options = {}) {
    super()
    this.folder = scratch()
    this.options = options
    this.users = join(this.folder, 'users')
    this.keys = keyFile(this.folder)
  }
  async serve(...args) {
    this.process = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', this.keys, '--state-dir', join(this.folder, 'state'), '--users-file', this.users, ...args], this.options)
    this.port = this.process.listeners.http.port
    return this
  }
  async aiot(args, options) {
    const { code, stdout, stderr } = await run([...args, '--users-file', this.users], options)
    assert.equal(code, 0, `${args.join(' ')}: ${stderr}`)
    return stdout
  }
  user(name, role, password = `password of ${name}`) {
    return this.aiot(['users', 'add', name, '--role', role, '--password-file', '-'], { input: `${password}\n` })
  }
  async token(...args) {
    return JSON.parse(await this.aiot(['tokens', 'create', ...args, '--json']))
  }
  /** { status, headers, text, json, cookie } */
  async post(path, fields, headers = {}) {
    const answer = await this.request('POST', path, new URLSearchParams(fields).toString(), { 'content-type': 'application/x-www-form-urlencoded', ...headers })
    return { ...answer, cookie: answer.headers['set-cookie']?.[0].split(';')[0] }
  }
  login(user, password = `password of ${user}`, headers) {
    return this.post('/login', { user, password, next: '/nodes/n1?a=b' }, headers)
  }
  bearer(token) {
    return token ? { authorization: `Bearer ${token}` } : {}
  }
  socket(path, protocols, token) {
    return new WebClient(`ws://127.0.0.1:${this.port}${path}`, protocols, { headers: this.bearer(token) })
  }
  async follower(token) {
    const client = this.socket('/ws', ['aiot.client.v1'], token)
    const opened = await client.opened
    if (opened !== 'open') return { refused: String(opened) }
    client.send({ type: 'hello', version: 1, software: 'test' })
    await client.wait((m) => m.type === 'welcome')
    return client
  }
  /** A gateway that has nodes n1, n2 and n3 and does what it is asked. */
  async withNodes() {
    const gateway = await this.native('oslo')
    for (const node of ['n1', 'n2', 'n3']) await gateway.batch(joined(node), value(node, 'led', '0'), value(node, 'temperature', '20°C'))
    gateway.asked = []
    gateway.socket.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.type !== 'ask') return
      gateway.asked.push(message)
      gateway.send({ type: 'answer', id: message.id, value: '1', code: message.method === 'GET' ? '2.05' : '2.04', confirmed: 'device', rtt_us: 900 })
    })
    return gateway
  }
}
