// aiot.gateway.v1 at the broker, from docs/protocol.md alone; ownership of nodes between gateways.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { bare, Broker, fernet, joined, kPrivate, kSecret, out, reset, update, value } from './broker_peers.mjs'

describe('native gateways at the broker', () => {
  let broker
  before(async () => {
    broker = await Broker.start()
  })
  after(() => broker.end())
  const of = (uid) => (m) => m.uid === uid
  const node = async (uid) => (await broker.get(`/api/v1/nodes/${uid}`)).json

  it('admits a token bound to the name, and no other', async () => {
    const gateway = await broker.native('paris')
    assert.equal(gateway.socket.protocol, 'aiot.gateway.v1')
    assert.deepEqual(Object.keys(gateway.welcome).sort(), ['acknowledged', 'extensions', 'software', 'type', 'window'])
    await gateway.close()
    assert.equal((await broker.nativeSocket('paris', fernet(kPrivate, kSecret))).status, 401)
    assert.equal((await broker.nativeSocket('paris', 'nonsense')).status, 401)
    const other = await broker.nativeSocket('rome')
    other.send({ type: 'hello', version: 1, name: 'paris', site: 'paris', stream: 's' })
    const [failure] = await other.wait((m) => m.type === 'failure')
    assert.equal(failure.code, 'unauthorized')
    assert.equal((await other.closed).code, 1008)
  })

  it('closes 1008 with a failure on what breaks the protocol', async () => {
    for (const [what, send] of [
      ['no hello', [{ type: 'sync', nodes: [], last: true }]],
      ['junk', ['junk']],
      ['a wrong version', [{ type: 'hello', version: 2, name: 'g', site: 'g', stream: 's' }]],
      ['two hellos', [{ type: 'hello', version: 1, name: 'g', site: 'g', stream: 's' }, { type: 'hello', version: 1, name: 'g', site: 'g', stream: 's' }]],
      ['a bad batch', [{ type: 'hello', version: 1, name: 'g', site: 'g', stream: 's' }, { type: 'batch', first: 1, items: [{ node: 'x' }] }]],
      ["a broker's message", [{ type: 'hello', version: 1, name: 'g', site: 'g', stream: 's' }, { type: 'ack', sequence: 1 }]],
    ]) {
      const gateway = await broker.nativeSocket('g')
      for (const message of send) gateway.send(message)
      assert.equal((await gateway.closed).code, 1008, what)
      assert.equal(gateway.messages.at(-1).type, 'failure', what)
      assert.ok(gateway.messages.at(-1).message.length > 0)
    }
  })

  it('ignores messages and events of a newer version', async () => {
    const gateway = await broker.native('newer')
    gateway.send({ type: 'dance' })
    await gateway.batch({ event: 'asleep', node: 'x' }, joined('newer-1'))
    assert.equal((await node('newer-1')).state, 'live')
    await gateway.close()
  })

  it('tells clients a node in the order of the contract', async () => {
    const gateway = await broker.native('order')
    const client = await broker.joined()
    await gateway.batch(joined('o1'), value('o1', 'led', '0'), joined('o2', 'abc', 'MQTT'), joined('o3', '', 'WebSocket'), joined('o4', 'x', 'MQTT-SN'))
    await client.wait(of('o4'), 3)
    assert.deepEqual(bare(client.messages.filter(of('o1'))), [{ type: 'new', uid: 'o1' }, update('o1', 'ip', '192.0.2.1'), update('o1', 'protocol', 'CoAP'), update('o1', 'led', '0')])
    assert.deepEqual(bare(client.messages.filter(of('o2'))), [{ type: 'new', uid: 'o2' }, update('o2', 'id', 'abc'), update('o2', 'protocol', 'MQTT')])
    assert.deepEqual(bare(client.messages.filter(of('o3'))), [{ type: 'new', uid: 'o3' }, update('o3', 'protocol', 'WebSocket')])
    client.messages.length = 0
    await gateway.batch(joined('o1'), reset('o1'), value('o1', 'led', '0'), out('o1'), out('o1'), value('o1', 'led', '1'))
    const messages = await client.wait(of('o1'), 9)
    assert.deepEqual(bare(messages), [
      { type: 'reset', uid: 'o1' }, update('o1', 'ip', '192.0.2.1'), update('o1', 'protocol', 'CoAP'), update('o1', 'led', '0'),
      { type: 'out', uid: 'o1' },
      { type: 'new', uid: 'o1' }, update('o1', 'ip', '192.0.2.1'), update('o1', 'protocol', 'CoAP'), update('o1', 'led', '1'),
    ])
    await client.close()
    await gateway.close()
  })

  it('acknowledges cumulatively, stores no replay twice, and goes on after a gap', async () => {
    let gateway = await broker.native('seq', { stream: 'a' })
    await gateway.batch(joined('q1'), value('q1', 'n', '1'), value('q1', 'n', '2'))
    const client = await broker.joined()
    await client.wait((m) => m.uid === 'q1' && m.endpoint === 'n')
    gateway.send({ type: 'batch', first: 2, items: [value('q1', 'n', '1'), value('q1', 'n', '2'), value('q1', 'n', '3')] })
    await gateway.wait((m) => m.type === 'ack' && m.sequence === 4)
    gateway.send({ type: 'batch', first: 1, items: [joined('q1')] })
    await gateway.wait((m) => m.type === 'ack' && m.sequence === 4, 2)
    const live = client.messages.filter((m) => m.endpoint === 'n' && m.dst === 'all')
    assert.deepEqual(live.map((m) => m.data), ['3'])
    assert.equal(await broker.metric('aiot_updates_dropped_total', 'reason="duplicate"'), 3)
    gateway.send({ type: 'batch', first: 100, items: [value('q1', 'n', '9')] })
    await gateway.wait((m) => m.type === 'ack' && m.sequence === 100)
    await until('a gap event', () => /gap:/.test(broker.process.stderr))
    await gateway.close()
    gateway = await broker.native('seq', { stream: 'a' })
    assert.equal(gateway.welcome.acknowledged, 100)
    await gateway.close()
    gateway = await broker.native('seq', { stream: 'b' })
    assert.equal(gateway.welcome.acknowledged, 0)
    await until('an event', () => /stream_replaced/.test(broker.process.stderr))
    await gateway.close()
    await client.close()
  })

  it('makes nodes stale with their gateway, and live again with its sync', async () => {
    let gateway = await broker.native('away', { nodes: [{ node: 'a1', protocol: 'CoAP', address: '192.0.2.1', first_seen: 1700000000000, last_seen: 1700000001000, values: [{ resource: 'led', value: '0', time: 1700000000500 }] }] })
    await gateway.batch(joined('a2'))
    const client = await broker.joined()
    await client.wait(of('a2'), 3)
    gateway.socket.terminate()
    await client.wait((m) => m.type === 'out', 2)
    for (const uid of ['a1', 'a2']) assert.equal((await node(uid)).state, 'stale')
    assert.equal((await node('a1')).first_seen, '2023-11-14T22:13:20.000Z')
    const late = await broker.joined()
    client.messages.length = 0
    gateway = await broker.native('away', { nodes: [{ node: 'a1', protocol: 'CoAP', address: '192.0.2.9', values: [{ resource: 'led', value: '0' }] }] })
    assert.deepEqual(bare(await client.wait(of('a1'), 4)), [{ type: 'new', uid: 'a1' }, update('a1', 'ip', '192.0.2.9'), update('a1', 'protocol', 'CoAP'), update('a1', 'led', '0')])
    await until('a2 to be out', async () => (await node('a2')).state === 'out')
    assert.equal((await node('a1')).state, 'live')
    assert.deepEqual(bare(await late.wait(of('a1'), 4)).length, 4)
    for (const peer of [client, late, gateway]) await peer.close()
  })

  it('lets the newer of two connections with one name win', async () => {
    const first = await broker.native('twin')
    await first.batch(joined('t1'))
    const client = await broker.joined()
    await client.wait(of('t1'), 3)
    const second = await broker.native('twin', { nodes: [{ node: 't1', protocol: 'CoAP', address: '192.0.2.1', values: [] }] })
    assert.equal((await first.closed).code, 1008)
    assert.equal(first.messages.at(-1).code, 'name_conflict')
    await until('the event', () => /name_conflict/.test(broker.process.stderr))
    await second.batch(value('t1', 'led', '1'))
    await client.wait((m) => m.endpoint === 'led')
    assert.equal(client.messages.filter((m) => m.type === 'out').length, 0)
    assert.equal((await node('t1')).state, 'live')
    await client.close()
    await second.close()
  })

  it('refuses a node that another connected gateway has, and hands it over when that one is gone or has sent out', async () => {
    const owner = await broker.native('owner', { site: 'site' })
    const taker = await broker.native('taker', { site: 'site' })
    await owner.batch(joined('h1'), joined('h2'), value('h1', 'led', 'mine'))
    await taker.batch(joined('h1'), value('h1', 'led', 'theirs'), value('h1', 'led', 'theirs'))
    const refusals = await taker.wait((m) => m.type === 'refused')
    assert.deepEqual(refusals.map((m) => m.node), ['h1'])
    assert.match(refusals[0].reason, /owner/)
    assert.equal((await node('h1')).resources.led.value, 'mine')
    assert.equal(await broker.metric('aiot_updates_dropped_total', 'reason="not_owner"'), 2)

    await owner.batch(out('h1'))
    await taker.batch(joined('h1'), value('h1', 'led', 'theirs'))
    assert.equal((await node('h1')).gateway, 'taker')
    await taker.batch(out('h2'))
    assert.equal((await node('h2')).state, 'live')
    owner.socket.terminate()
    await until('h2 to be stale', async () => (await node('h2')).state === 'stale')
    await taker.batch(joined('h2'))
    assert.equal((await node('h2')).gateway, 'taker')
    assert.equal((await node('h2')).state, 'live')
    const back = await broker.native('owner', { site: 'site', nodes: [{ node: 'h2', protocol: 'CoAP', address: 'x', values: [] }] })
    await back.wait((m) => m.type === 'refused' && m.node === 'h2')
    await back.close()
    await taker.close()
  })

  it('tells a gateway that was refused a node once it is free, and one that was not nothing', async () => {
    const owner = await broker.native('first', { site: 'free' })
    const [one, two] = [await broker.native('second', { site: 'free' }), await broker.native('third', { site: 'free' })]
    await owner.batch(joined('f1'), joined('f2'), joined('f3'))
    await one.batch(joined('f1'), joined('f2'), value('f3', 'led', '1'))
    await one.wait((m) => m.type === 'refused', 3)
    await owner.batch(out('f1'), out('f1'))
    assert.deepEqual((await one.wait((m) => m.type === 'free')).map((m) => m.node), ['f1'])
    await one.batch(joined('f1'), value('f1', 'led', 'mine'))
    assert.equal((await node('f1')).gateway, 'second')
    await owner.close()
    assert.deepEqual((await one.wait((m) => m.type === 'free', 3)).map((m) => m.node).sort(), ['f1', 'f2', 'f3'])
    await two.batch(joined('f1'))
    await two.wait((m) => m.type === 'refused')
    assert.equal(two.messages.filter((m) => m.type === 'free').length, 0)
    await one.close()
    await two.close()
  })

  it('keeps native and pyaiot gateways from taking each other\'s nodes', async () => {
    const owner = await broker.native('mixed')
    await owner.batch(joined('m1'), value('m1', 'led', '0'))
    const stranger = await broker.pyaiotGateway()
    stranger.send({ type: 'new', uid: 'm1', dst: 'all' })
    stranger.send({ type: 'update', uid: 'm1', endpoint: 'led', data: '1', dst: 'all' })
    stranger.send({ type: 'out', uid: 'm1' })
    stranger.send({ type: 'new', uid: 'm2', dst: 'all' })
    await until('m2', async () => (await broker.get('/api/v1/nodes/m2')).status === 200)
    assert.equal((await node('m1')).resources.led.value, '0')
    assert.equal((await node('m1')).state, 'live')
    await stranger.close()
    await owner.close()
  })

  it('carries bytes that are not UTF-8', async () => {
    const gateway = await broker.native('bytes')
    await gateway.batch(joined('b1'), value('b1', 'blob', '/wD+', { encoding: 'base64', format: 42 }))
    const blob = (await node('b1')).resources.blob
    assert.deepEqual([blob.value, blob.encoding, blob.format], ['/wD+', 'base64', 'application/octet-stream'])
    await gateway.close()
  })

  it('reads its keys again on SIGHUP, and keeps the old ones when they are bad', async () => {
    const { writeFileSync } = await import('node:fs')
    writeFileSync(broker.keys, 'garbage')
    broker.process.child.kill('SIGHUP')
    await broker.process.line(/stay as they were/)
    assert.equal((await broker.pyaiotGateway()).status, 'open')
    writeFileSync(broker.keys, `[keys]\nsecret = new\nprivate = ${kPrivate}\n`)
    broker.process.child.kill('SIGHUP')
    await broker.process.line(/read the keys/)
    assert.equal((await broker.pyaiotGateway()).status, 401)
    assert.equal((await broker.pyaiotGateway(fernet(kPrivate, 'new').replaceAll('=', ''))).status, 'open')
  })
})
