// A gateway written from docs/protocol.md, readers of events and queries of history that are not nice to a real broker.
import assert from 'node:assert/strict'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fernet, joined, keyFile, kPrivate, kSecret, value } from '../integration/broker_peers.mjs'
import { daemon, scratch, until } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'

describe('a broker with a store', () => {
  let broker, port
  const connect = async (name, stream = 's') => {
    const headers = { Authorization: `Bearer ${fernet(kPrivate, `${kSecret}\n${name}`)}` }
    const gateway = new WebClient(`ws://127.0.0.1:${port}/gw`, ['aiot.gateway.v1'], { headers })
    assert.equal(await gateway.opened, 'open')
    gateway.send({ type: 'hello', version: 1, name, site: name, stream, software: 'test', extensions: ['journal'] })
    const [welcome] = await gateway.wait((m) => m.type === 'welcome')
    gateway.sequence = welcome.acknowledged
    gateway.send({ type: 'sync', nodes: [], last: true })
    gateway.batch = (...items) => {
      gateway.send({ type: 'batch', first: gateway.sequence + 1, items })
      const last = (gateway.sequence += items.length)
      return gateway.wait((m) => m.type === 'ack' && m.sequence >= last)
    }
    return gateway
  }
  const api = async (path, options) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, options)
    const text = await response.text()
    return { status: response.status, text, json: JSON.parse(text) }
  }

  before(async () => {
    const state = scratch()
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), '--key-file', keyFile(state)])
    port = broker.listeners.http.port
  })
  after(async () => {
    await broker?.end()
  })

  it('says the mean of numbers whose sum is beyond all numbers', async () => {
    const gateway = await connect('large')
    await gateway.batch(joined('huge'), value('huge', 'v', '1e308'), value('huge', 'v', '1.5e308'), value('huge', 'v', '1.7e308'))
    const { status, json } = await api('history?node=huge&resource=v&step=52w')
    assert.equal(status, 200)
    assert.equal(json.points[0].count, 3)
    assert.ok(Math.abs(json.points[0].mean / 1.4e308 - 1) < 1e-9, JSON.stringify(json))
    await gateway.close()
  })

  it('acknowledges what an earlier connection brought, although its commit was under way', async () => {
    for (let round = 0; round < 8; ++round) {
      const name = `again-${round}`
      const items = Array.from({ length: 3000 }, (_, i) => value(`m${round}`, `r${i}`, 'v'.repeat(200)))
      const first = await connect(name)
      first.send({ type: 'batch', first: 1, items })
      first.socket.terminate()
      const second = await connect(name)
      await second.batch(...items.slice(second.sequence))
      const { json } = await api(`history?node=m${round}&resource=r7`)
      assert.equal(json.points.length, 1)
      await second.close()
    }
  })

  it('stores nothing twice of a gateway that starts again and again and asks for all its journal holds', async () => {
    const lives = Array.from({ length: 40 }, (_, i) => `life-${i}`)
    for (let start = 1; start <= lives.length; start += 13) {
      // Each start asks for what is left of those before it, the oldest first.
      for (const [i, stream] of lives.slice(0, start).entries()) {
        const gateway = await connect('loop', stream)
        if (gateway.sequence === 0) await gateway.batch(value('looping', 't', String(i)))
        await gateway.close()
      }
    }
    const { json } = await api('history?node=looping&resource=t')
    assert.deepEqual(json.points.map((point) => Number(point.value)), Array.from({ length: 40 }, (_, i) => i))
  })

  it('takes no number near the end of all numbers', async () => {
    const gateway = await connect('far')
    gateway.send('{"type":"batch","first":18446744073709551615,"items":[{"node":"far","resource":"t","value":"1"},{"node":"far","resource":"t","value":"2"}]}')
    const [failure] = await gateway.wait((m) => m.type === 'failure')
    assert.equal(failure.code, 'rejected')
    assert.match(failure.message, /sequence number/)
    await gateway.closed
  })

  it('gives a reader of events that pauses all of them, each once', async () => {
    const gateway = await connect('talker')
    let text = ''
    const response = await new Promise((resolve) =>
      http.get({ host: '127.0.0.1', port, path: '/api/v1/events', headers: { accept: 'text/event-stream' } }, resolve))
    response.on('data', (piece) => (text += piece))
    await until('the stream', () => text.includes('retry:'))
    response.pause()
    let told = 0
    for (let i = 0; i < 80; ++i)
      await gateway.batch(...Array.from({ length: 250 }, () => ({ event: 'notice', kind: 'uid_conflict', node: `n${told++}`, message: 'x'.repeat(400), time: Date.now() })))
    const at = text.length
    response.resume()
    const nodes = () => [...text.matchAll(/"node":"n(\d+)"/g)].map((match) => Number(match[1]))
    await until('all of them', () => text.length > at && nodes().length >= told, 20_000)
    assert.deepEqual(nodes(), Array.from({ length: told }, (_, i) => i))
    await gateway.batch({ event: 'notice', kind: 'x\nid: 999999\ndata: forged', node: 'liar', message: 'y', time: Date.now() })
    await until('the last', () => text.includes('"node":"liar"'))
    assert.ok(!/^data: forged$/m.test(text))
    response.destroy()
    await gateway.close()
  })
})
