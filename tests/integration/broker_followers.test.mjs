// Clients of aiot.client.v1, written from docs/protocol.md with npm's ws alone.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { Process, bin, until } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'
import { Broker, joined, out, reset, value } from './broker_peers.mjs'

const of = (type) => (m) => m.type === type

/** A client that said hello. */
async function follower(broker, ...subscriptions) {
  const client = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, ['aiot.client.v1'])
  assert.equal(await client.opened, 'open')
  assert.equal(client.socket.protocol, 'aiot.client.v1')
  client.send({ type: 'hello', version: 1, software: 'test' })
  client.welcome = (await client.wait(of('welcome')))[0]
  /** All items told under `id`, in order. */
  client.items = (id = 1) => client.messages.filter((m) => m.type === 'updates' && m.id === id).flatMap((m) => m.items)
  client.snapshot = async (id = 1) => {
    await client.wait((m) => m.type === 'snapshot' && m.id === id && m.last === true)
    return client.messages.filter((m) => m.type === 'snapshot' && m.id === id).flatMap((m) => m.nodes)
  }
  client.result = async (message) => {
    client.send(message)
    return (await client.wait((m) => m.type === 'result' && m.id === message.id))[0]
  }
  for (const [index, wanted] of subscriptions.entries()) {
    client.send({ type: 'subscribe', id: index + 1, ...wanted })
    await client.snapshot(index + 1)
  }
  return client
}

describe('a client of aiot.client.v1', () => {
  let broker, gateway
  before(async () => {
    broker = await Broker.start()
    gateway = await broker.native('paris')
    await gateway.batch(
      joined('n1', '192.0.2.1'), value('n1', 'temperature', '23°C'), value('n1', 'led', '0'),
      joined('n2', '192.0.2.2'), value('n2', 'temperature', '5'), value('n2', 'room/temperature', '6'))
  })
  after(() => broker.end())

  it('is welcomed with the limits', async () => {
    const client = await follower(broker)
    assert.equal(client.welcome.version, 1)
    assert.deepEqual(client.welcome.limits, { subscriptions: 64, patterns: 1024, patterns_in_all: 4096, node_globs: 64, requests: 64, message_bytes: 1048576 })
    await client.close()
  })

  it('gets what is known, then what comes', async () => {
    const client = await follower(broker, {})
    const nodes = await client.snapshot()
    assert.deepEqual(nodes.map((n) => [n.node, n.gateway, n.protocol, n.address, n.state]),
      [['n1', 'paris', 'CoAP', '192.0.2.1', 'live'], ['n2', 'paris', 'CoAP', '192.0.2.2', 'live']])
    assert.equal(typeof nodes[0].first_seen, 'number')
    assert.equal(typeof nodes[0].last_seen, 'number')
    const { time, seq, ...rest } = nodes[0].values[0]
    assert.deepEqual(rest, { resource: 'temperature', value: '23°C', number: 23, unit: '°C' })
    assert.ok(Math.abs(time - Date.now()) < 60_000)
    assert.equal(seq, 2)
    const update = value('n1', 'temperature', '24°C')
    await gateway.batch(update)
    await until('the update', () => client.items().length === 1)
    assert.deepEqual(client.items()[0],
      { node: 'n1', resource: 'temperature', value: '24°C', number: 24, unit: '°C', time: update.time, seq: gateway.sequence })
    // The same value again is an update again.
    await gateway.batch(value('n1', 'temperature', '24°C'))
    await until('the repeat', () => client.items().length === 2)
    await client.close()
  })

  it('gets exact bytes, and what is not text in words too', async () => {
    const client = await follower(broker, { nodes: ['n3'] })
    assert.deepEqual(await client.snapshot(), [])
    await gateway.batch(
      value('n3', 'blob', '/wA=', { encoding: 'base64', format: 42 }),
      value('n3', 'cbor', 'oWFhAQ==', { encoding: 'base64', format: 60 }),
      value('n3', 'json', '{"a": 1}', { format: 50 }),
      value('n3', 'number', '7', { format: 50 }),
      value('n3', 'text', 'x"\\\n', { format: 0 }),
      value('n3', 'when', '1', { time_uncertain: true }))
    await until('the items', () => client.items().length === 7)
    const [event, ...items] = client.items().map(({ time, seq, ...rest }) => rest)
    assert.equal(event.event, 'joined')
    assert.deepEqual(items, [
      { node: 'n3', resource: 'blob', value: '/wA=', encoding: 'base64', format: 42 },
      { node: 'n3', resource: 'cbor', value: 'oWFhAQ==', encoding: 'base64', format: 60, json: { a: 1 } },
      { node: 'n3', resource: 'json', value: '{"a": 1}', format: 50 },
      { node: 'n3', resource: 'number', value: '7', format: 50, number: 7 },
      { node: 'n3', resource: 'text', value: 'x"\\\n', format: 0 },
      { node: 'n3', resource: 'when', value: '1', number: 1, time_uncertain: true },
    ].map((item) => item))
    await client.close()
  })

  it('follows patterns of nodes and resources, also of nodes that come later', async () => {
    const client = await follower(broker,
      { nodes: ['n1', 'late*'], resources: ['temperature'], events: false },
      { resources: ['*/temperature'], snapshot: false, events: false },
      { nodes: ['*'], resources: ['*'], conflate: true, events: false })
    assert.deepEqual((await client.snapshot(1)).map((n) => n.values.map((v) => v.resource)), [['temperature']])
    assert.deepEqual(await client.snapshot(2), [])
    const all = await client.snapshot(3)
    assert.ok(all.length >= 2 && all.every((n) => n.values.every((v) => !v.resource.includes('/'))))
    await gateway.batch(
      value('n1', 'temperature', '1'), value('n1', 'led', '1'), value('n2', 'room/temperature', '2'),
      value('n2', 'temperature', '3'), joined('later', '192.0.2.9'), value('later', 'temperature', '4'), value('later', 'led', '5'))
    const names = (id) => client.items(id).map((i) => `${i.node}/${i.resource}=${i.value}`)
    await until('the last of each', () => names(1).length === 2 && names(2).length === 1 && names(3).length === 5)
    assert.deepEqual(names(1), ['n1/temperature=1', 'later/temperature=4'])
    assert.deepEqual(names(2), ['n2/room/temperature=2'])
    assert.deepEqual(names(3), ['n1/temperature=1', 'n1/led=1', 'n2/temperature=3', 'later/temperature=4', 'later/led=5'])
    await client.close()
  })

  it('hears what happens to nodes and gateways, in order with the updates', async () => {
    const rome = await broker.native('rome')
    const client = await follower(broker, { nodes: ['r*'] }, { nodes: ['r*'], conflate: true })
    await rome.batch(joined('r1', '192.0.2.10'), value('r1', 'led', '0'), reset('r1'), value('r1', 'led', '1'),
      joined('r1', '192.0.2.11'), out('r1'), value('r1', 'led', '2'))
    await until('the events', () => client.items().length === 8)
    assert.deepEqual(client.items().map((i) => [i.event ?? i.value, i.state, i.address].filter((x) => x !== undefined)), [
      ['joined', 'live', '192.0.2.10'], ['0'], ['reset', 'live', '192.0.2.10'], ['1'], ['changed', 'live', '192.0.2.11'],
      ['out', 'out', '192.0.2.11'], ['joined', 'live', '192.0.2.11'], ['2']])
    assert.ok(client.items().filter((i) => i.event).every((i) => i.gateway === 'rome' && i.node === 'r1' && i.protocol === 'CoAP' && i.time > 0))
    // A gateway that goes is one event, whatever the number of its nodes.
    await rome.close()
    await until('the gateway down', () => client.items().length === 9)
    assert.deepEqual({ ...client.items().at(-1), time: 0 }, { event: 'gateway_down', gateway: 'rome', time: 0 })
    const late = await follower(broker, { nodes: ['r*'] })
    assert.equal((await late.snapshot())[0].state, 'stale')
    await late.close()
    // It returns without the node, which is out then.
    const again = await broker.native('rome')
    await until('the end', () => client.items().length === 11)
    assert.deepEqual(client.items().slice(-2).map((i) => [i.event, i.node ?? i.gateway]), [['gateway_up', 'rome'], ['out', 'r1']])
    assert.equal((await broker.request('DELETE', '/api/v1/nodes/r1')).status, 204)
    await until('its end', () => client.items().length === 12)
    assert.equal(client.items().at(-1).event, 'forgotten')
    // With conflation the newest of each is told.
    await until('the same at the other', () => client.items(2).at(-1)?.event === 'forgotten')
    await again.close()
    await client.close()
  })

  it('is told when a node goes over to another gateway', async () => {
    const first = await broker.native('a', { site: 'shared', nodes: [{ node: 'moving', protocol: 'CoAP', address: '192.0.2.50', values: [{ resource: 'led', value: '0' }] }] })
    const client = await follower(broker, { nodes: ['moving'] })
    await first.close()
    await until('it down', () => client.items().some((i) => i.event === 'gateway_down'))
    const second = await broker.native('b', { site: 'shared', nodes: [{ node: 'moving', protocol: 'CoAP', address: '192.0.2.50', values: [{ resource: 'led', value: '0' }] }] })
    await until('the value', () => client.items().some((i) => i.resource === 'led'))
    assert.deepEqual(client.items().map((i) => [i.event ?? i.value, i.gateway].filter(Boolean)),
      [['gateway_down', 'a'], ['gateway_up', 'b'], ['joined', 'b'], ['0']])
    await second.close()
    await client.close()
  })

  it('hears nothing more once it has unsubscribed', async () => {
    const client = await follower(broker, { nodes: ['n1'] }, { nodes: ['n1'] })
    client.send({ type: 'unsubscribe', id: 1 })
    await client.wait((m) => m.type === 'unsubscribed' && m.id === 1)
    await gateway.batch(value('n1', 'led', 'after'))
    await until('the other', () => client.items(2).length === 1)
    assert.deepEqual(client.items(1), [])
    client.send({ type: 'unsubscribe', id: 99 })
    await client.wait((m) => m.type === 'unsubscribed' && m.id === 99)
    // The id is free again.
    client.send({ type: 'subscribe', id: 1, nodes: ['n1'] })
    await client.wait((m) => m.type === 'snapshot' && m.id === 1 && m.last, 2)
    await gateway.batch(value('n1', 'led', 'again'))
    await until('it again', () => client.items(1).length === 1)
    await client.close()
  })

  it('is refused what cannot be, and goes on', async () => {
    const client = await follower(broker, { nodes: ['n1'] })
    client.send({ type: 'subscribe', id: 1 })
    assert.match((await client.wait(of('refused')))[0].message, /id 1/)
    client.send({ type: 'subscribe', id: 500, nodes: Array(600).fill('a'), resources: Array(600).fill('b') })
    assert.match((await client.wait(of('refused'), 2))[1].message, /1024/)
    client.send({ type: 'subscribe', id: 501, nodes: Array.from({ length: 65 }, (_, i) => `${i}*`) })
    assert.match((await client.wait(of('refused'), 3))[2].message, /64 patterns of nodes/)
    const many = await follower(broker)
    for (let id = 1; id <= 5; ++id) many.send({ type: 'subscribe', id, nodes: Array.from({ length: 1000 }, (_, i) => `n${id}-${i}`) })
    const over = (await many.wait(of('refused')))[0]
    assert.deepEqual([over.id, over.message], [5, 'a session has at most 4096 patterns'])
    await many.close()
    for (let id = 2; id <= 65; ++id) client.send({ type: 'subscribe', id, nodes: [`x${id}`] })
    const last = (await client.wait(of('refused'), 4))[3]
    assert.deepEqual([last.id, last.code], [65, 'usage'])
    await gateway.batch(value('n1', 'led', '7'))
    await until('the update', () => client.items().length === 1)
    await client.close()
  })

  it('may say what this version does not know', async () => {
    const client = await follower(broker, { nodes: ['n1'], later: { deep: [1] } })
    client.send({ type: 'later', id: 'x' })
    await gateway.batch(value('n1', 'led', '8'))
    await until('the update', () => client.items().length === 1)
    await client.close()
  })

  it('that breaks the rules is told how, and closed', async () => {
    for (const [text, code, message] of [
      ['{', 'rejected', /byte/],
      ['[]', 'rejected', /byte/],
      ['{"type":"subscribe"}', 'rejected', /without its id/],
      ['{"type":"write","id":1,"node":"n1","resource":"r","method":"GET"}', 'rejected', /PUT/],
      ['{"type":"hello","version":1}', 'usage', /second hello/],
      [`{"type":"subscribe","id":1,"later":"${'x'.repeat(1 << 20)}"}`, 'rejected', /1 MiB/],
    ]) {
      const client = await follower(broker)
      client.send(text)
      const failure = (await client.wait(of('failure')))[0]
      assert.equal(failure.code, code)
      assert.match(failure.message, message)
      assert.equal((await client.closed).code, 1008)
    }
    const early = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, ['aiot.client.v1'])
    await early.opened
    early.send({ type: 'subscribe', id: 1 })
    assert.match((await early.wait(of('failure')))[0].message, /hello/)
    const wrong = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, ['other', 'aiot.client.v1'])
    await wrong.opened
    wrong.send({ type: 'hello', version: 2 })
    assert.match((await wrong.wait(of('failure')))[0].message, /version 1/)
    const binary = await follower(broker)
    binary.socket.send(Buffer.from('{}'))
    assert.match((await binary.wait(of('failure')))[0].message, /text frames/)
    for (const client of [early, wrong, binary]) await client.closed
  })

  it('acknowledges batches, when it asked for a window', async () => {
    const client = await follower(broker, { nodes: ['n1'], window: 2 }, { nodes: ['n1'], window: 2, conflate: true })
    for (let i = 0; i < 6; ++i) await gateway.batch(value('n1', 'led', `w${i}`)) // each acknowledged: a turn of its own
    await gateway.batch(value('n2', 'led', 'x'))
    const batches = (id) => client.messages.filter((m) => m.type === 'updates' && m.id === id).length
    await until('two batches', () => batches(1) === 2 && batches(2) === 2)
    client.send({ type: 'ack', id: 1 })
    client.send({ type: 'ack', id: 2, batches: 1 })
    await until('a third', () => batches(1) === 3 && batches(2) === 3)
    // What came meanwhile is one batch, and with conflation one value.
    assert.deepEqual(client.items(1).map((i) => i.value), ['w0', 'w1', 'w2', 'w3', 'w4', 'w5'])
    assert.deepEqual(client.items(2).map((i) => i.value), ['w0', 'w1', 'w5'])
    await gateway.batch(value('n1', 'led', 'w6'))
    assert.equal(batches(1), 3)
    client.send({ type: 'ack', id: 1, batches: 7 })
    await until('the last', () => client.items(1).at(-1).value === 'w6')
    await client.close()
  })
})

describe('reads and writes on aiot.client.v1', () => {
  let broker, gateway, client
  before(async () => {
    broker = await Broker.start()
    gateway = await broker.native('paris')
    await gateway.batch(joined('n1'), value('n1', 'led', '0'), joined('gone'), value('gone', 'led', '0'), out('gone'))
    client = await follower(broker)
  })
  after(() => broker.end())
  let id = 0
  const write = (more) => client.result({ type: 'write', id: ++id, node: 'n1', resource: 'led', value: '1', ...more })
  const asked = async (count) => (await gateway.wait(of('ask'), count)).at(-1)

  it('a write that the device confirmed', async () => {
    const answer = write()
    const ask = await asked(1)
    assert.deepEqual([ask.method, ask.node, ask.resource, ask.value], ['PUT', 'n1', 'led', '1'])
    gateway.send({ type: 'answer', id: ask.id, code: '2.04', value: '', confirmed: 'device', rtt_us: 1500 })
    const { type, id: same, time, ...rest } = await answer
    assert.deepEqual(rest, { uri: `aiot://127.0.0.1:${broker.port}/n1/led`, node: 'n1', gateway: 'paris', resource: 'led', value: '1',
      number: 1, code: '2.04', protocol: 'CoAP', state: 'live', confirmed: 'device', rtt_ms: 1.5 })
  })
  it('a write that the node refused', async () => {
    const answer = write({ method: 'POST', value: '/wA=', encoding: 'base64', format: 42 })
    const ask = await asked(2)
    assert.deepEqual([ask.method, ask.value, ask.encoding, ask.format], ['POST', '/wA=', 'base64', 42])
    gateway.send({ type: 'answer', id: ask.id, code: '4.05', value: '', error: { code: 'rejected', message: 'n1 answered 4.05', native: 405, outcome: 'rejected' } })
    assert.deepEqual(await answer, { type: 'result', id, code: '4.05', error: { code: 'rejected', message: 'n1 answered 4.05', outcome: 'rejected' } })
  })
  it('a write that nobody answered', async () => {
    const { error } = await write({ deadline_ms: 100, expires_ms: 50 })
    assert.deepEqual([error.code, error.outcome], ['timeout', 'unknown'])
    assert.equal((await asked(3)).deadline_ms, 50)
  })
  it('a write that was not sent', async () => {
    assert.deepEqual(await write({ node: 'nobody' }).then((r) => [r.error.code, r.error.outcome]), ['rejected', 'not_sent'])
    assert.deepEqual(await write({ node: 'gone' }).then((r) => [r.error.code, r.error.outcome]), ['unreachable', 'not_sent'])
    assert.deepEqual(await write({ value: undefined }).then((r) => [r.error.code, r.error.outcome]), ['usage', 'not_sent'])
    assert.deepEqual(await write({ encoding: 'rot13' }).then((r) => [r.error.code, r.error.outcome]), ['usage', 'not_sent'])
    assert.equal(gateway.messages.filter(of('ask')).length, 3)
  })
  it('a write that its echo confirms', async () => {
    const old = await broker.pyaiotGateway()
    old.send({ type: 'new', uid: 'p1', dst: 'all' })
    old.send({ type: 'update', uid: 'p1', endpoint: 'led', data: '0', dst: 'all' })
    await until('the node', async () => (await broker.get('/api/v1/nodes/p1')).status === 200)
    const answer = write({ node: 'p1' })
    await old.wait((m) => m.data?.endpoint === 'led')
    old.send({ type: 'update', uid: 'p1', endpoint: 'led', data: '1', dst: 'all' })
    assert.equal((await answer).confirmed, 'echo')
    await old.close()
  })
  it('a repeated key acts once', async () => {
    const first = write({ key: 'k1', value: '5' })
    const ask = await asked(4)
    gateway.send({ type: 'answer', id: ask.id, code: '2.04', value: '', confirmed: 'device' })
    assert.equal((await first).confirmed, 'device')
    const again = await write({ key: 'k1', value: '5' })
    assert.equal(again.confirmed, 'device')
    assert.equal((await write({ key: 'k1', value: '6' })).error.code, 'usage')
    assert.equal(gateway.messages.filter(of('ask')).length, 4)
  })
  it('a read of the last value, and of the device', async () => {
    const held = await client.result({ type: 'read', id: ++id, node: 'n1', resource: 'led' })
    assert.deepEqual([held.value, held.state, typeof held.age_s], ['0', 'live', 'number'])
    const answer = client.result({ type: 'read', id: ++id, node: 'n1', resource: 'led', live: true, deadline_ms: 3000 })
    const ask = await asked(5)
    assert.deepEqual([ask.method, ask.deadline_ms], ['GET', 3000])
    gateway.send({ type: 'answer', id: ask.id, code: '2.05', value: '9' })
    assert.equal((await answer).value, '9')
    const none = await client.result({ type: 'read', id: ++id, node: 'n1', resource: 'nothing' })
    assert.deepEqual(Object.keys(none.error), ['code', 'message'])
  })
  it('no more than 64 at a time', async () => {
    const before = gateway.messages.filter(of('ask')).length
    for (let i = 0; i < 65; ++i) client.send({ type: 'write', id: 1000 + i, node: 'n1', resource: 'led', value: '1' })
    const { error } = (await client.wait((m) => m.id === 1064))[0]
    assert.deepEqual([error.code, error.outcome], ['internal', 'not_sent'])
    await asked(before + 64)
    for (const ask of gateway.messages.filter(of('ask')).slice(before)) {
      gateway.send({ type: 'answer', id: ask.id, code: '2.04', value: '', confirmed: 'device' })
    }
    await client.wait((m) => m.type === 'result' && m.id >= 1000 && m.confirmed === 'device', 64)
    const more = write()
    gateway.send({ type: 'answer', id: (await asked(before + 65)).id, code: '2.04', value: '', confirmed: 'device' })
    assert.equal((await more).confirmed, 'device')
  })
})

describe('many nodes and slow clients on aiot.client.v1', () => {
  const kNodes = 10_000
  const kOutbox = 1024 * 1024
  let broker, gateway
  before(async () => {
    broker = await Broker.start(kOutbox)
    gateway = await broker.native('big')
    const acks = []
    for (let first = 0; first < kNodes; first += 1000) {
      acks.push(gateway.batch(...Array.from({ length: 1000 }, (_, i) => [joined(`node-${first + i}`), value(`node-${first + i}`, 'counter', '0')]).flat()))
    }
    await Promise.all(acks)
  })
  after(() => broker.end())

  const count = (n) => gateway.batch(...Array.from({ length: 1000 }, (_, i) => value(`node-${i * 10}`, 'counter', String(n))))

  it('a snapshot and what follows belong to one moment, with and without conflation', async () => {
    const clients = await Promise.all([follower(broker), follower(broker), follower(broker)])
    const [plain, conflated, named] = clients
    let n = 0
    const counting = (async () => { while (n < 20) await count(++n) })()
    plain.send({ type: 'subscribe', id: 1 })
    conflated.send({ type: 'subscribe', id: 1, conflate: true })
    await until('some', () => n > 3)
    named.send({ type: 'subscribe', id: 1, nodes: Array.from({ length: 20 }, (_, i) => `node-${i * 10}`) })
    await counting
    for (const [client, size, moving] of [[plain, kNodes, 1000], [conflated, kNodes, 1000], [named, 20, 20]]) {
      const seen = new Map((await client.snapshot()).map((node) => [node.node, Number(node.values[0].value)]))
      assert.equal(seen.size, size)
      await until('the last value', () => client.items().filter((i) => i.value === '20').length + [...seen.values()].filter((v) => v === 20).length >= moving)
      for (const item of client.items()) {
        const now = Number(item.value)
        if (client === conflated) assert.ok(now > seen.get(item.node))
        else assert.equal(now, seen.get(item.node) + 1, item.node)
        seen.set(item.node, now)
      }
      assert.equal([...seen.values()].filter((v) => v === 20).length, moving)
    }
    for (const client of clients) await client.close()
  })

  it('a client that is too slow is told exactly how much it missed, and delays nobody', async () => {
    const slow = await follower(broker, { nodes: ['node-1'] })
    const quick = await follower(broker, { nodes: ['node-1'] })
    const dashboard = await follower(broker, { nodes: ['node-1'], conflate: true })
    for (const client of [slow, dashboard]) client.socket.pause()
    const before = broker.rss()
    const filler = 'x'.repeat(4000)
    let sent = 0
    const send = () => gateway.batch(...Array.from({ length: 100 }, () => value('node-1', 'filler', filler + ++sent)))
    const missed = () => broker.metric('aiot_updates_dropped_total', 'reason="slow_client"')
    await until('the bound', async () => {
      await send()
      return (await missed()) > 1000
    }, 60_000)
    await until('the quick one', () => quick.items().length === sent)
    assert.deepEqual(quick.messages.filter(of('gap')), [])
    assert.ok((await broker.metric('aiot_queue_bytes', 'to="clients"')) < 4 * kOutbox)
    assert.ok(broker.rss() - before < 64 * 1024 * 1024, `${broker.rss() - before} bytes`)
    for (const client of [slow, dashboard]) client.socket.resume()
    const last = (client) => client.items().at(-1)?.value === filler + sent
    await until('the last value at the dashboard', () => last(dashboard))
    assert.ok(dashboard.items().length < sent)
    assert.deepEqual(dashboard.messages.filter(of('gap')), [])
    const gaps = () => slow.messages.filter(of('gap')).reduce((sum, gap) => sum + gap.missed, 0)
    await until('the gap', () => gaps() > 0)
    await send() // it goes on
    await until('the last value', () => last(slow), 30_000)
    assert.equal(slow.items().length + gaps(), sent)
    assert.equal(gaps(), await missed())
    // In order: what comes after a gap is as much further on as the gap says.
    let expected = 0
    for (const message of slow.messages) {
      if (message.type === 'gap') expected += message.missed
      if (message.type !== 'updates') continue
      for (const item of message.items) assert.equal(item.value, filler + ++expected)
    }
    for (const client of [slow, quick, dashboard]) await client.close()
    await until('their ends', async () => (await broker.metric('aiot_clients')) === 0)
    assert.equal(await broker.metric('aiot_queue_bytes', 'to="clients"') < 4 * 1024 * 1024, true)
  })

  it('aiot observe says how much it missed, and goes on', async () => {
    const filler = 'w'.repeat(4000)
    let sent = 0
    const send = () => gateway.batch(...Array.from({ length: 100 }, () => value('node-3', 'filler', filler + ++sent)))
    const missed = () => broker.metric('aiot_updates_dropped_total', 'reason="slow_client"')
    const before = await missed()
    await gateway.batch(value('node-3', 'filler', filler + ++sent))
    const observer = new Process(bin, ['--json', 'observe', `aiot://127.0.0.1:${broker.port}/node-3/filler`])
    await until('its first value', () => observer.stdout.includes('\n'))
    observer.child.kill('SIGSTOP')
    await until('the bound', async () => {
      await send()
      return (await missed()) > before
    }, 60_000)
    observer.child.kill('SIGCONT')
    await until('the gap', () => observer.stdout.includes('"gap"'), 30_000)
    await send()
    await until('the last value', () => observer.stdout.includes(`w${sent}"`), 30_000)
    const lines = observer.stdout.trim().split('\n').map((line) => JSON.parse(line))
    const gaps = lines.filter((line) => line.event === 'gap')
    assert.ok(gaps.every((gap) => gap.reason && gap.uri.endsWith('/node-3/filler') && gap.time))
    assert.equal(lines.filter((line) => 'value' in line).length + gaps.reduce((sum, gap) => sum + gap.missed, 0), sent)
    assert.ok(lines.filter((line) => 'value' in line).every((line) => line.gateway === 'big' && line.protocol === 'CoAP' && line.seq > 0))
    await observer.end('SIGKILL')
  })

  it('events that a gap swallowed are counted too', async () => {
    const slow = await follower(broker, { nodes: ['node-1', 'flapping'] })
    slow.socket.pause()
    const filler = 'y'.repeat(4000)
    const before = await broker.metric('aiot_updates_dropped_total', 'reason="slow_client"')
    let events = 0
    await until('the bound', async () => {
      await gateway.batch(joined('flapping'), ...Array.from({ length: 200 }, () => value('node-1', 'filler', filler)), out('flapping'))
      events += 2
      return (await broker.metric('aiot_updates_dropped_total', 'reason="slow_client"')) > before
    }, 60_000)
    slow.socket.resume()
    await slow.wait(of('gap'))
    await gateway.batch(value('node-1', 'filler', 'end'))
    await until('the end', () => slow.items().at(-1)?.value === 'end')
    const lost = slow.messages.filter(of('gap')).reduce((sum, gap) => sum + (gap.events ?? 0), 0)
    assert.ok(lost > 0)
    assert.equal(slow.items().filter((i) => i.event).length + lost, events)
    await slow.close()
  })

  it('a client that does not read its answers is dropped', async () => {
    const deaf = await follower(broker)
    deaf.socket.pause()
    await gateway.batch(value('node-2', 'large', 'z'.repeat(60_000)))
    let id = 0
    const before = await broker.metric('aiot_slow_clients_total')
    await until('the drop', async () => {
      for (let i = 0; i < 40; ++i) deaf.send({ type: 'read', id: ++id, node: 'node-2', resource: 'large' })
      return (await broker.metric('aiot_slow_clients_total')) === before + 1
    }, 60_000)
    deaf.socket.terminate()
  })
})
