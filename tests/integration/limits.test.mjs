// The limits that options set, on the daemons themselves: who exceeds one is held back and counted, others notice nothing.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, run, scratch, until } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const WebSocket = require('ws')

const metric = async (listener, name) => {
  const text = await (await fetch(`http://127.0.0.1:${listener.port}/metrics`)).text()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  assert.ok(line, `${name} is not in ${text}`)
  return Number(line.slice(name.length + 1))
}

describe('limits of a broker', () => {
  let broker
  const state = scratch()
  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off', '--key-file', join(state, 'keys'),
      '--max-connections', '20', '--client-rate', '10'])
  })
  after(() => broker?.end())

  it('serve requests while idle connections take all the room', async () => {
    const { port } = broker.listeners.http
    const sockets = await Promise.all(Array.from({ length: 20 }, async () => {
      const socket = net.connect(port, '127.0.0.1')
      socket.on('error', () => {})
      await once(socket, 'connect')
      socket.write('GET / HT')
      return socket
    }))
    assert.equal((await fetch(`http://127.0.0.1:${port}/healthz`)).status, 200)
    assert.ok((await metric(broker.listeners.http, 'aiot_connections_refused_total')) >= 1)
    for (const socket of sockets) socket.destroy()
  })

  it('hold back a client that sends more than --client-rate, and answer everything', async () => {
    const { port } = broker.listeners.http
    const socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'aiot.client.v1')
    await once(socket, 'open')
    const answers = []
    socket.on('message', (data) => answers.push(JSON.parse(data)))
    socket.send(JSON.stringify({ type: 'hello', version: 1 }))
    for (let id = 1; id <= 104; id++) socket.send(JSON.stringify({ type: 'unsubscribe', id }))
    await until('every answer', () => answers.length === 105)
    assert.ok((await metric(broker.listeners.http, 'aiot_paced_total{peer="client"}')) >= 1)
    // What comes once the rate is kept again is read, too.
    socket.send(JSON.stringify({ type: 'unsubscribe', id: 200 }))
    await until('the last answer', () => answers.length === 106)
    socket.terminate()
  })

  it('are refused when they are no numbers', async () => {
    const { code, stderr } = await run(['serve-broker', '--client-rate', 'fast'])
    assert.equal(code, 2)
    assert.match(stderr, /--client-rate.*'fast' is not a whole number/)
  })
})

describe('limits of a gateway', () => {
  const state = scratch()
  const where = { address: '127.0.0.1', port: 5683 }
  let broker, gateway, node
  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off', '--key-file', join(state, 'keys'),
      '--max-nodes-per-gateway', '2', '--gateway-rate', '10'])
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`,
      '--key-file', join(state, 'keys'), '--state-dir', join(state, 'gateway'), '--name', 'paris',
      '--coap', '127.0.0.1:5683', '--metrics', '127.0.0.1:0', '--max-nodes', '3', '--node-rate', '1'])
    node = await new CoapNode('127.3.0.1').start()
  })
  after(async () => {
    node?.stop()
    await gateway?.end()
    await broker?.end()
  })

  it('answer a node above its rate with 4.29 and Max-Age', async () => {
    assert.equal((await node.post(where, '/alive', 'alive:n1')).code, '2.04')
    const codes = []
    let refused
    for (let i = 0; i < 40; i++) {
      const answer = await node.post(where, '/server', `count:${i}`)
      codes.push(answer.code)
      if (answer.code === '4.29') refused ??= answer
    }
    assert.ok(codes.slice(0, 10).every((code) => code === '2.04'), codes.join())
    assert.ok(refused, codes.join())
    const maxAge = refused.packet.options.find((option) => option.name === 'Max-Age')
    assert.equal(Buffer.from(maxAge.value).readUIntBE(0, maxAge.value.length), 1)
    assert.equal(await metric(gateway.listeners.metrics, 'aiot_updates_dropped_total{hop="gateway",reason="too_fast"}'),
      codes.filter((code) => code === '4.29').length)
  })

  it('refuse a node too many at the gateway, and count one too many at the broker', async () => {
    const others = await Promise.all([2, 3, 4].map((i) => new CoapNode(`127.3.0.${i}`).start()))
    const answers = []
    for (const [i, other] of others.entries()) answers.push((await other.post(where, '/alive', `alive:n${i + 2}`)).code)
    assert.deepEqual(answers, ['2.04', '2.04', '5.03'])
    await others[1].post(where, '/server', 'count:1')
    await until('the broker to count it', async () =>
      (await metric(broker.listeners.http, 'aiot_updates_dropped_total{hop="broker",reason="table_full"}')) >= 1)
    assert.match(broker.stderr, /node 'n3' of gateway paris is not taken: a gateway may have 2 nodes/)
    for (const other of others) other.stop()
  })
})
