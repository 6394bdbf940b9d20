// Many nodes and many clients: snapshots, bounds, and clients that do not read.
import assert from 'node:assert/strict'
import net from 'node:net'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { Broker, joined, value } from './broker_peers.mjs'

const kNodes = 10_000
const kResources = 5

describe('a broker with ten thousand nodes', () => {
  let broker, gateway
  before(async () => {
    broker = await Broker.start(1024 * 1024)
    gateway = await broker.native('big')
    const acks = []
    for (let first = 0; first < kNodes; first += 500) {
      const items = []
      for (let i = first; i < first + 500; ++i) {
        items.push(joined(`node-${i}`, `10.0.${i >> 8}.${i & 255}`))
        for (let r = 0; r < kResources; ++r) items.push(value(`node-${i}`, `resource${r}`, `${i}.${r}`))
      }
      acks.push(gateway.batch(...items))
    }
    await Promise.all(acks)
  })
  after(() => broker.end())

  /** A client that reads by itself, counting and keeping nothing but what it must. */
  class Reader {
    constructor() {
      this.client = broker.client()
      this.count = 0
      this.client.socket.removeAllListeners('message')
      this.client.socket.on('message', (data) => {
        ++this.count
        if (this.check) this.check(JSON.parse(data))
      })
    }
    async whole(count) {
      await this.client.opened
      this.client.send({ type: 'new', data: 'client' })
      await until(`${count} messages`, () => this.count >= count, 60_000)
      return this
    }
  }
  const kMessages = kNodes * (3 + kResources)

  it('gives ten clients that join together the same whole table', async () => {
    const readers = await Promise.all(Array.from({ length: 10 }, () => new Reader().whole(kMessages)))
    assert.ok(readers.every((r) => r.count === kMessages))
    for (const reader of readers) reader.client.socket.terminate()
  })

  it('gives a snapshot as of the join, and everything after it, while nodes change', async () => {
    const seen = new Map()
    const reader = new Reader()
    let updates = 0
    reader.check = (m) => {
      if (m.type === 'new') assert.ok(!seen.has(m.uid))
      if (m.type === 'new') seen.set(m.uid, {})
      if (m.type === 'update' && m.endpoint === 'counter') {
        const last = seen.get(m.uid).counter ?? -1
        // Nothing goes back and nothing is missed.
        if (m.dst === 'all') assert.equal(Number(m.data), last + 1)
        seen.get(m.uid).counter = Number(m.data)
        ++updates
      }
    }
    await gateway.batch(...Array.from({ length: 1000 }, (_, i) => value(`node-${i}`, 'counter', '0')))
    const done = reader.whole(kMessages + 1000)
    for (let n = 1; n <= 20; ++n) await gateway.batch(...Array.from({ length: 1000 }, (_, i) => value(`node-${i}`, 'counter', String(n))))
    await done
    await until('the last counts', () => [...seen.values()].filter((s) => s.counter === 20).length === 1000)
    assert.equal(seen.size, kNodes)
    assert.ok(updates >= 1000)
    reader.client.socket.terminate()
  })

  /** A client that says new and never reads. */
  async function deaf() {
    const socket = net.connect(broker.port, '127.0.0.1')
    socket.on('error', () => {})
    socket.write('GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n')
    await new Promise((resolve) => socket.once('data', resolve))
    socket.pause()
    const text = Buffer.from('{"type":"new","data":"client"}')
    socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | text.length, 0, 0, 0, 0]), text]))
    return socket
  }

  it('drops a client that does not read at its bound, counts it, and delays no one', async () => {
    const other = new Reader()
    await other.whole(kMessages)
    const socket = await deaf()
    await until('the deaf client', async () => (await broker.metric('aiot_clients')) === 2)
    const before = broker.rss()
    const filler = 'x'.repeat(1000)
    let sent = 0
    await until('the drop', async () => {
      for (let i = 0; i < 10; ++i) await gateway.batch(...Array.from({ length: 200 }, () => value('node-0', 'filler', filler + sent++)))
      return (await broker.metric('aiot_slow_clients_total')) === 1
    }, 60_000)
    await until('its end', async () => (await broker.metric('aiot_clients')) === 1)
    assert.ok((await broker.metric('aiot_updates_dropped_total', 'reason="slow_client"')) > 0)
    const count = other.count
    await gateway.batch(value('node-1', 'resource0', 'after'))
    await until('the other client', () => other.count > count)
    assert.ok(broker.rss() - before < 64 * 1024 * 1024, `${broker.rss() - before} bytes`)
    socket.destroy()
    other.client.socket.terminate()
  })

  it('lets a client ask again, and serves it again', async () => {
    const reader = await new Reader().whole(kMessages)
    reader.count = 0
    await reader.whole(kMessages)
    reader.client.socket.terminate()
  })

  it('is out of memory neither before nor after', () => {
    // Sanitizers keep what is freed; the bound is for the product.
    if (!process.env.AIOT_SANITIZED) assert.ok(broker.rss() < 400 * 1024 * 1024)
  })
})
