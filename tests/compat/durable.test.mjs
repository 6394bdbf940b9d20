// What was acknowledged to a node is in the broker's history, whoever is killed meanwhile.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, scratch, until } from '../support/process.mjs'
import { joinedClient } from '../support/web_client.mjs'

describe('history over kills and outages', () => {
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const to = { address: '127.0.0.1', port: 5683 }
  let broker, gateway, node, port = 0
  let said = 0

  const startBroker = async () => {
    broker = await daemon(['serve-broker', '--listen', `127.0.0.1:${port}`, '--state-dir', join(state, 'broker'), ...flags])
    port = broker.listeners.http.port
  }
  const startGateway = async () => {
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${port}`, '--coap', '127.0.0.1:5683', '--metrics', '127.0.0.1:9100',
      '--name', 'paris', '--state-dir', join(state, 'gateway'), ...flags])
  }
  const api = async (path, options) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}`, options)
    return { status: response.status, json: await response.json() }
  }
  const history = async (query = '') => (await api(`history?node=n1&resource=t${query}`)).json.points
  const say = async (count) => {
    for (let i = 0; i < count; ++i) {
      said += 1
      assert.equal((await node.post(to, '/server', `t:${said}`)).code, '2.04')
    }
  }
  const allStored = () => until('everything in history', async () => {
    const values = (await history()).map((point) => point.value)
    if (values.length < said) return false
    assert.deepEqual(values, Array.from({ length: said }, (_, i) => String(i + 1)))
    return true
  })

  before(async () => {
    await startBroker()
    await startGateway()
    await gateway.line(/connected to the broker/)
    node = await new CoapNode('127.3.0.1', { led: '0' }).start()
    await node.post(to, '/alive', 'alive:n1')
    await until('n1 with its led', async () => (await api('nodes/n1')).json.resources?.led)
  })
  after(async () => {
    node?.stop()
    await gateway?.end()
    await broker?.end()
  })

  it('keeps every update once, in order, with its time', async () => {
    await say(20)
    await allStored()
    const points = await history('&limit=7')
    assert.equal(points.length, 7)
    const first = await api('history?node=n1&resource=t&limit=7')
    const second = await api(`history?node=n1&resource=t&limit=100&cursor=${encodeURIComponent(first.json.next)}`)
    assert.deepEqual([...first.json.points, ...second.json.points].map((point) => point.number), Array.from({ length: 20 }, (_, i) => i + 1))
    const [step] = (await api('history?node=n1&resource=t&step=1h')).json.points.slice(-1)
    assert.equal(step.max, 20)
    assert.ok(step.count > 0 && step.mean >= step.min && step.mean <= step.max)
  })

  it('has every node and value at once after a kill of the broker, stale until the gateway returns', async () => {
    await end(broker, 'SIGKILL')
    await end(gateway, 'SIGKILL')
    await startBroker()
    const { json: known } = await api('nodes/n1')
    assert.equal(known.state, 'stale')
    assert.equal(known.resources.t.value, String(said))
    assert.equal(known.resources.led.value, '0')
    assert.equal((await history()).length, said)
    await startGateway()
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live')
    await say(3)
    await allStored()
  })

  it('gets what was said while it was away, with its times, and the newest value first', async () => {
    const began = Date.now()
    await end(broker, 'SIGTERM')
    await say(50)
    await end(gateway, 'SIGKILL')
    await startGateway()
    await say(5)
    const ended = Date.now()
    await startBroker()
    const client = await joinedClient(broker)
    const [newest] = await client.wait((m) => m.uid === 'n1' && m.endpoint === 't' && m.data === String(said))
    assert.equal(newest.dst, 'all')
    await allStored()
    assert.ok(client.messages.filter((m) => m.uid === 'n1' && m.endpoint === 't').length <= 2, 'the past is no news')
    for (const point of (await history()).slice(-55)) {
      const time = Date.parse(point.time)
      assert.ok(time >= began - 5 && time <= ended + 5, `${point.value} at ${point.time}`)
    }
    client.socket.terminate()
  })

  it('is live within a second of the broker\'s return, however long that was away', async () => {
    await end(broker, 'SIGTERM')
    await say(3)
    // By now growing pauses alone would have come to eight seconds.
    await new Promise((resolve) => setTimeout(resolve, 8_000))
    await startBroker()
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live', 1_500)
    await allStored()
  })

  it('tells what happened', async () => {
    await until('events', async () => {
      const { json } = await api('events?limit=1000')
      const types = new Set(json.items.map((event) => event.type))
      return ['joined', 'gateway_up'].every((type) => types.has(type))
    })
    const { json: joins } = await api('events?type=joined&node=n1')
    assert.equal(joins.items.length, 1, JSON.stringify(joins.items))
    assert.equal(joins.items[0].gateway, 'paris')
    const { json: page } = await api('events?limit=1')
    const { json: rest } = await api(`events?limit=1000&cursor=${page.next}`)
    assert.ok(rest.items[0].id > page.items[0].id)
  })

  it('streams events, those of the past first, each once', async () => {
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live')
    const { json: known } = await api('events?limit=1000')
    const abort = new AbortController()
    const stream = await fetch(`http://127.0.0.1:${port}/api/v1/events`, { headers: { accept: 'text/event-stream', 'last-event-id': '0' }, signal: abort.signal })
    assert.equal(stream.headers.get('content-type'), 'text/event-stream')
    let text = ''
    const reading = (async () => {
      for await (const piece of stream.body) text += Buffer.from(piece).toString()
    })().catch(() => {})
    const ids = () => [...text.matchAll(/^id: (\d+)$/gm)].map((match) => Number(match[1]))
    await until('the past', () => ids().length >= known.items.length)
    assert.deepEqual(ids(), known.items.map((event) => event.id))
    const write = await api('nodes/n1/resources/led', { method: 'PUT', body: '{"value":"0"}', headers: { 'content-type': 'application/json' } })
    assert.equal(write.status, 200)
    await until('the write', () => /event: write\ndata: .*"confirmed":"device"/.test(text))
    const later = ids()
    assert.equal(new Set(later).size, later.length)
    abort.abort()
    await reading
    const bad = await fetch(`http://127.0.0.1:${port}/api/v1/events`, { headers: { accept: 'text/event-stream', 'last-event-id': 'x' } })
    assert.equal(bad.status, 400)
  })

  it('acts once on a write with a key, also when the broker is killed in between', async () => {
    const write = () => api('nodes/n1/resources/led', { method: 'PUT', body: '{"value":"1"}',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k1' } })
    const puts = () => node.requests.filter((request) => request === 'PUT /led').length
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live')
    const before = puts()
    const first = await write()
    assert.equal(first.status, 200)
    assert.equal(puts(), before + 1)
    const { json: events } = await api('events?type=write')
    assert.equal(events.items.at(-1).data.confirmed, 'device')
    await end(broker, 'SIGKILL')
    await startBroker()
    const second = await write()
    assert.deepEqual(second, first)
    assert.equal(puts(), before + 1)
    // One whose outcome nobody lived to see stays unknown, and is not done again.
    node.answer = (_packet, method) => (method === 'PUT' ? { code: 'silence' } : undefined)
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live')
    const lost = api('nodes/n1/resources/led', { method: 'PUT', body: '{"value":"2"}',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k2' } }).catch(() => 'lost')
    await until('the write at the node', () => puts() >= before + 2)
    await end(broker, 'SIGKILL')
    assert.equal(await lost, 'lost')
    await startBroker()
    const again = await api('nodes/n1/resources/led', { method: 'PUT', body: '{"value":"2"}',
      headers: { 'content-type': 'application/json', 'idempotency-key': 'k2' } })
    assert.equal(again.status, 504, JSON.stringify(again))
    node.answer = undefined
  })

  it('balances at every hop', async () => {
    await until('n1 live', async () => (await api('nodes/n1')).json.state === 'live')
    await say(3)
    await allStored()
    await until('a balanced ledger', async () => {
      const { json } = await api('status')
      return json.balanced && json.gateways[0].queued === 0
    })
    const metrics = await (await fetch('http://127.0.0.1:9100/metrics')).text()
    assert.match(metrics, /aiot_updates_received_total\{hop="gateway",protocol="CoAP"\} \d+/)
    assert.match(metrics, /aiot_queue_items\{hop="gateway",to="broker"\} 0/)
    assert.equal((await fetch('http://127.0.0.1:9100/nothing')).status, 404)
  })

  const end = (process, signal) => process.end(signal)
})
