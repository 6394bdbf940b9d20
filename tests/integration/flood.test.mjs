// Floods of connections, frames and datagrams, bounded, on loopback: a node and a client that behave are served
// meanwhile, what is too much is counted, and memory stays where it was. How fast they are served is what
// `bench/run flood` measures.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, scratch, until } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const WebSocket = require('ws')
const { generate } = require('coap-packet')

const kWhere = { address: '127.0.0.1', port: 5683 }
const kConnections = 4000
const kFrames = 60_000
const kDatagrams = 60_000
const kStrangers = 500
// AddressSanitizer keeps what was freed, up to 256 MB.
const kMemoryMb = process.env.AIOT_SANITIZED ? 450 : 64

const memory = ({ child }) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]) / 1024

const metrics = async ({ port }) => {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`, { signal: AbortSignal.timeout(10_000) })).text()
  return (name) => Number(text.split('\n').find((line) => line.startsWith(`${name} `))?.slice(name.length + 1))
}

describe('beside a flood', () => {
  const state = scratch()
  let broker, gateway, node, client, before_
  const values = []
  let posted = 0

  before(async () => {
    const keys = ['--key-file', join(state, 'keys')]
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off', ...keys, '--max-connections', '1000'])
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, ...keys,
      '--state-dir', join(state, 'gateway'), '--name', 'paris', '--coap', '127.0.0.1:5683', '--metrics', '127.0.0.1:0'])
    node = await new CoapNode('127.3.0.1').start()
    assert.equal((await node.post(kWhere, '/alive', 'alive:good')).code, '2.04')
    client = new WebSocket(`ws://127.0.0.1:${broker.listeners.http.port}/ws`)
    await once(client, 'open')
    client.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.endpoint === 'count') values.push(Number(message.data))
    })
    client.send('{"type":"new","data":"client"}')
    await served()
    before_ = { broker: memory(broker), gateway: memory(gateway) }
  })
  after(async () => {
    client?.terminate()
    node?.stop()
    await gateway?.end()
    await broker?.end()
  })

  /** The node is answered, as one that repeats what is lost, and the client hears of it. */
  const served = async () => {
    const value = ++posted
    for (let tries = 4; ; tries--) {
      const answer = await node.post(kWhere, '/server', `count:${value}`, { ms: 3000 }).catch(() => undefined)
      if (answer) {
        assert.equal(answer.code, '2.04')
        break
      }
      assert.ok(tries > 1, 'the node is not answered')
    }
    await until(`value ${value} at the client`, () => values.includes(value))
  }
  /** Serves them until the flood is over, at least five times. */
  const servedDuring = async (flood) => {
    let over = false
    const end = flood.finally(() => (over = true))
    for (let i = 0; i < 5 || !over; i++) await served()
    await end
    for (const [name, process] of Object.entries({ broker, gateway })) {
      const grown = memory(process) - before_[name]
      assert.ok(grown < kMemoryMb, `${name} grew by ${grown} MB`)
    }
  }

  it('of connections', async () => {
    const { port } = broker.listeners.http
    const flood = async () => {
      const open = []
      for (let i = 0; i < kConnections; i++) {
        const socket = net.connect(port, '127.0.0.1', () => socket.write('GET / HT'))
        socket.on('error', () => {})
        open.push(socket)
        if (i % 50 === 49) await once(socket, 'connect').catch(() => {})
      }
      await until('room made', async () => (await metrics(broker.listeners.http))('aiot_connections_refused_total') >= kConnections - 1000)
      for (const socket of open) socket.destroy()
    }
    await servedDuring(flood())
    await until('the flood gone', async () => (await metrics(broker.listeners.http))('aiot_connections') < 10)
  })

  it('of frames', async () => {
    const flood = async () => {
      const socket = new WebSocket(`ws://127.0.0.1:${broker.listeners.http.port}/ws`, 'aiot.client.v1')
      await once(socket, 'open')
      socket.on('error', () => {})
      socket.send('{"type":"hello","version":1}')
      for (let id = 1; id <= kFrames; id++) socket.send(`{"type":"unsubscribe","id":${id}}`)
      await until('the client to be held back', async () =>
        (await metrics(broker.listeners.http))('aiot_paced_total{peer="client"}') >= 1)
      socket.terminate()
    }
    await servedDuring(flood())
  })

  it('of datagrams', async () => {
    const core = ['.well-known', 'core'].map((value) => ({ name: 'Uri-Path', value: Buffer.from(value) }))
    const server = [{ name: 'Uri-Path', value: Buffer.from('server') }]
    let received = 0
    const flood = async () => {
      const strangers = await Promise.all(Array.from({ length: kStrangers }, async (_, i) => {
        const socket = dgram.createSocket('udp4')
        socket.on('message', (datagram) => (received += datagram.length))
        await new Promise((resolve) => socket.bind(5683, `127.9.${i >> 8}.${i & 255}`, resolve))
        return socket
      }))
      let sent = 0
      for (let i = 0; i < kDatagrams; i++) {
        const socket = strangers[i % kStrangers]
        const id = (i / kStrangers) | 0
        const token = Buffer.from([i & 255])
        const datagram = [
          () => generate({ code: 'GET', confirmable: true, messageId: id, token, options: core }),
          () => generate({ code: 'GET', confirmable: false, messageId: id, token, options: core }),
          () => generate({ code: 'POST', confirmable: true, messageId: id, token, options: server, payload: Buffer.from('count:666') }),
          () => Buffer.from([0x4f, 0x01, i & 255, 0, 0xff]),
        ][i % 4]()
        sent += datagram.length + 32 + 8
        if (i % 100 === 99) await new Promise((resolve) => socket.send(datagram, kWhere.port, kWhere.address, resolve))
        else socket.send(datagram, kWhere.port, kWhere.address)
      }
      await until('the flood counted', async () => {
        const metric = await metrics(gateway.listeners.metrics)
        return metric('aiot_coap_reduced_answers_total') > 0 &&
          metric('aiot_updates_dropped_total{hop="gateway",reason="unknown_address"}') > 0 &&
          metric('aiot_updates_dropped_total{hop="gateway",reason="malformed"}') > 0
      })
      assert.ok(received <= sent, `${received} bytes came of ${sent} that may`)
      for (const socket of strangers) socket.close()
    }
    await servedDuring(flood())
    assert.ok(!values.includes(666))
  })
})
