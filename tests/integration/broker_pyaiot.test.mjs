// pyaiot's wire at the broker, message for message, with peers that know nothing of this project.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { bare, Broker, fernet, joined, kPrivate, kSecret, update, value } from './broker_peers.mjs'

describe('pyaiot gateways and clients at the broker', () => {
  let broker
  before(async () => {
    broker = await Broker.start()
  })
  after(() => broker.end())
  const of = (uid) => (m) => m.uid === uid

  it('accepts a real token of 140 characters and refuses everything else with 401', async () => {
    const token = fernet(kPrivate, kSecret)
    assert.equal(token.length, 140)
    const good = await broker.pyaiotGateway(token)
    assert.equal(good.status, 'open')
    assert.equal(good.socket.protocol, 'token')
    await good.close()
    for (const bad of ['x', token.slice(0, -1) + (token.endsWith('A') ? 'B' : 'A'), fernet(kPrivate, 'another secret of that length!!!'),
      fernet('BAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=', kSecret)]) {
      assert.equal((await broker.pyaiotGateway(bad.replaceAll('=', ''))).status, 401)
    }
    const { WebClient } = await import('../support/web_client.mjs')
    for (const protocols of [undefined, ['token'], ['other', token.replaceAll('=', '')]]) {
      assert.equal(await new WebClient(`ws://127.0.0.1:${broker.port}/gw`, protocols).opened, 401)
    }
  })

  it('asks a gateway once, serves joining clients itself, and passes live messages on', async () => {
    const gateway = await broker.pyaiotGateway()
    const [asked] = await gateway.wait((m) => m.type === 'new')
    assert.equal(asked.data, 'client')
    assert.match(asked.src, /^[0-9a-f-]{36}$/)
    gateway.send({ type: 'new', uid: 'p1', dst: asked.src })
    for (const [endpoint, data] of [['ip', '192.0.2.7'], ['protocol', 'CoAP'], ['temperature', '21°C']]) {
      gateway.send({ type: 'update', uid: 'p1', endpoint, data, dst: asked.src })
    }
    await until('the node', async () => (await broker.get('/api/v1/nodes/p1/resources/temperature')).status === 200)
    const client = await broker.joined()
    const first = await client.wait(of('p1'), 4)
    assert.deepEqual(bare(first), [{ type: 'new', uid: 'p1' }, update('p1', 'ip', '192.0.2.7'), update('p1', 'protocol', 'CoAP'), update('p1', 'temperature', '21°C')])
    assert.ok(first.every((m) => m.dst === first[0].dst && /^[0-9a-f-]{36}$/.test(m.dst)))

    gateway.send({ type: 'update', uid: 'alive' })
    gateway.send({ type: 'update', uid: 'p1', endpoint: 'temperature', data: '22°C', dst: 'all' })
    gateway.send({ type: 'update', uid: 'p1', endpoint: 'imu', data: [{ type: 'acc', values: [0.1] }], dst: 'all' })
    gateway.send({ type: 'reset', uid: 'p1' })
    gateway.send({ type: 'out', uid: 'p1' })
    const live = (await client.wait(of('p1'), 8)).slice(4)
    assert.deepEqual(live, [
      { ...update('p1', 'temperature', '22°C'), dst: 'all' },
      { ...update('p1', 'imu', [{ type: 'acc', values: [0.1] }]), dst: 'all' },
      { type: 'reset', uid: 'p1' },
      { type: 'out', uid: 'p1' },
    ])
    // A node that is out is no part of a later snapshot.
    const late = await broker.joined()
    gateway.send({ type: 'new', uid: 'p2', dst: 'all' })
    await late.wait(of('p2'))
    assert.equal(late.messages.filter(of('p1')).length, 0)
    assert.equal(gateway.messages.filter((m) => m.type === 'new').length, 1)
    for (const peer of [client, late, gateway]) await peer.close()
  })

  it('makes the nodes of a gateway that disappears out, and tells them again when it returns', async () => {
    let gateway = await broker.pyaiotGateway()
    const client = await broker.joined()
    const tell = (dst) => {
      gateway.send({ type: 'new', uid: 'p3', dst })
      gateway.send({ type: 'update', uid: 'p3', endpoint: 'protocol', data: 'MQTT', dst })
      gateway.send({ type: 'update', uid: 'p3', endpoint: 'led', data: '0', dst })
    }
    tell('all')
    await client.wait(of('p3'), 3)
    gateway.socket.terminate()
    await client.wait((m) => m.uid === 'p3' && m.type === 'out')
    assert.equal((await broker.get('/api/v1/nodes/p3')).json.state, 'stale')
    gateway = await broker.pyaiotGateway()
    const [asked] = await gateway.wait((m) => m.type === 'new')
    tell(asked.src)
    tell(asked.src) // again: clients have it now
    gateway.send({ type: 'update', uid: 'p3', endpoint: 'led', data: '1', dst: 'all' })
    const again = (await client.wait(of('p3'), 8)).slice(4)
    assert.deepEqual(bare(again), [{ type: 'new', uid: 'p3' }, update('p3', 'protocol', 'MQTT'), update('p3', 'led', '0'), update('p3', 'led', '1')])
    assert.equal((await broker.get('/api/v1/nodes/p3')).json.state, 'live')
    await client.close()
    await gateway.close()
  })

  it('ignores what it does not understand from a gateway, counts it, and closes nothing', async () => {
    const gateway = await broker.pyaiotGateway()
    const before = await broker.metric('aiot_updates_dropped_total', 'reason="invalid"')
    for (const junk of ['not json', '[]', '{"type":"dance","uid":"x"}', '{"type":"new"}', '{"type":"update","uid":"x"}', '{"type":"update","uid":"x","endpoint":"e"}',
      `{"type":"new","uid":"${'u'.repeat(200)}"}`]) gateway.send(junk)
    gateway.socket.send(Buffer.from([1, 2, 3]), { binary: true })
    gateway.send({ type: 'new', uid: 'p4', dst: 'all' })
    await until('the node', async () => (await broker.get('/api/v1/nodes/p4')).status === 200)
    assert.equal((await broker.metric('aiot_updates_dropped_total', 'reason="invalid"')) - before, 8)
    await gateway.close()
  })

  it('closes 1003 with a reason on junk and unknown types from a client, and nobody else is disturbed', async () => {
    const other = await broker.joined()
    for (const junk of ['nonsense', '', '[1]', '"new"', '{}', '{"type":"dance"}', '{"type":7}', '{"type":"new"', '[' .repeat(5000)]) {
      const client = await broker.joined()
      client.send(junk)
      const { code, reason } = await client.closed
      assert.equal(code, 1003, junk.slice(0, 20))
      assert.ok(reason.length > 0 && reason.length <= 123)
    }
    assert.equal(other.socket.readyState, 1)
    await other.close()
  })

  it('drops a write beyond a bound, counts it, and keeps the connection', async () => {
    const gateway = await broker.pyaiotGateway()
    gateway.send({ type: 'new', uid: 'p6', dst: 'all' })
    const client = await broker.joined()
    await client.wait(of('p6'))
    const write = (payload) => client.send({ type: 'update', data: { uid: 'p6', endpoint: 'text', payload } })
    write('x'.repeat(64 * 1024 + 1))
    write('y'.repeat(64 * 1024))
    const [written] = await gateway.wait((m) => m.type === 'update')
    assert.equal(written.data.payload, 'y'.repeat(64 * 1024))
    assert.equal(client.socket.readyState, 1)
    assert.equal(await broker.metric('aiot_updates_dropped_total', 'reason="too_large"'), 1)
    await broker.process.line(/a client's write was dropped .*a value above 64 KB/)
    await client.close()
    await gateway.close()
  })

  it('takes no uid from a gateway that no node can have, and says so once', async () => {
    const gateway = await broker.pyaiotGateway()
    const client = await broker.joined()
    const before = await broker.metric('aiot_updates_dropped_total', 'reason="invalid"')
    for (const uid of ['a\nb', 'a\u0000', '\u009b2J', 'alive']) {
      gateway.send({ type: 'new', uid, dst: 'all' })
      gateway.send({ type: 'update', uid, endpoint: 'led', data: '1', dst: 'all' })
    }
    gateway.send({ type: 'update', uid: 'alive' })
    gateway.send({ type: 'new', uid: 'u'.repeat(129), dst: 'all' })
    gateway.send({ type: 'new', uid: 'ünï', dst: 'all' })
    await client.wait(of('ünï'))
    assert.deepEqual(client.messages.filter((m) => m.dst === 'all').map((m) => m.uid), ['ünï'])
    assert.equal((await broker.metric('aiot_updates_dropped_total', 'reason="invalid"')) - before, 9)
    assert.equal(broker.process.stderr.match(/no node can be named so/g).length, 1)
    await client.close()
    await gateway.close()
  })

  it('keeps the identity of a native node, whatever it posts', async () => {
    const gateway = await broker.native('posts')
    const client = await broker.joined()
    await gateway.batch(joined('i1', '192.0.2.8'), value('i1', 'ip', '6.6.6.6'), value('i1', 'id', 'x'), value('i1', 'protocol', 'MQTT'), value('i1', 'led', '0'))
    await client.wait((m) => m.uid === 'i1' && m.endpoint === 'led')
    const expected = [{ type: 'new', uid: 'i1' }, update('i1', 'ip', '192.0.2.8'), update('i1', 'protocol', 'CoAP'), update('i1', 'led', '0')]
    assert.deepEqual(bare(client.messages.filter(of('i1'))), expected)
    const late = await broker.joined()
    await late.wait((m) => m.uid === 'i1' && m.endpoint === 'led')
    assert.deepEqual(bare(late.messages.filter(of('i1'))), expected)
    const { resources, address } = (await broker.get('/api/v1/nodes/i1')).json
    assert.deepEqual([resources.ip.value, resources.protocol.value, address], ['6.6.6.6', 'MQTT', '192.0.2.8'])
    for (const peer of [client, late, gateway]) await peer.close()
  })

  it('lets no client reset, out or odd payload reach a gateway as anything but a write', async () => {
    const gateway = await broker.pyaiotGateway()
    gateway.send({ type: 'new', uid: 'p5', dst: 'all' })
    const client = await broker.joined()
    await client.wait(of('p5'))
    client.send({ type: 'reset' })
    client.send({ type: 'out' })
    client.send({ type: 'reset', uid: 'p5' })
    client.send({ type: 'out', uid: 'p5' })
    client.send({ type: 'update' })
    client.send({ type: 'update', data: 'client' })
    client.send({ type: 'update', data: { uid: 'p5' } })
    client.send({ type: 'update', data: { uid: 'nobody', endpoint: 'led', payload: '1' } })
    client.send({ type: 'update', data: { uid: 'p5', endpoint: 'led', payload: 1 } })
    client.send({ type: 'update', data: { uid: 'p5', endpoint: 'led', payload: { a: [true] } } })
    client.send({ type: 'update', data: { uid: 'p5', endpoint: 'led', payload: '0' } })
    const writes = await gateway.wait((m) => m.type === 'update', 3)
    assert.deepEqual(writes.map((m) => m.data), [
      { uid: 'p5', endpoint: 'led', payload: '1' },
      { uid: 'p5', endpoint: 'led', payload: '{"a":[true]}' },
      { uid: 'p5', endpoint: 'led', payload: '0' },
    ])
    assert.match(writes[0].src, /^[0-9a-f-]{36}$/)
    assert.equal(gateway.messages.length, 4)
    assert.equal((await broker.get('/api/v1/nodes/p5')).json.state, 'live')
    await client.close()
    await gateway.close()
  })

  it('shows control characters and quotes in uids and values as they are', async () => {
    const uid = 'odd "\\ \u0001 ü'
    const gateway = await broker.native('odd')
    const client = await broker.joined()
    await gateway.batch(joined(uid), value(uid, 'line\nbreak', 'a\u0000b"\\'))
    const messages = await client.wait(of(uid), 4)
    assert.deepEqual(bare(messages)[3], update(uid, 'line\nbreak', 'a\u0000b"\\'))
    assert.equal((await broker.get(`/api/v1/nodes/${encodeURIComponent(uid)}`)).json.uid, uid)
    await client.close()
    await gateway.close()
  })
})
