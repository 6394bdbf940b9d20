// pyaiot's wire from a CoAP node through gateway and broker to a web client, message for message. Node and client
// are made of independent parts.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, scratch, until } from '../support/process.mjs'
import { joinedClient } from '../support/web_client.mjs'

const kAddress = '127.3.0.1'
const gatewayAddress = { address: '127.0.0.1', port: 5683 }

describe('a pyaiot CoAP node, as a web client sees it', () => {
  let broker, gateway, client, node
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]

  const startGateway = () =>
    daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--coap', '127.0.0.1:5683',
      '--name', 'paris', '--max-time', '3', '--state-dir', join(state, 'gateway'), ...flags])
  const of = (uid) => (message) => message.uid === uid
  /** What came for `uid` since the last call, without the destination, which is checked to be everyone. */
  let seen = 0
  const fresh = async (uid, count) => {
    const all = await client.wait(of(uid), seen + count)
    const news = all.slice(seen)
    seen = all.length
    for (const message of news) if (message.type === 'update' || message.type === 'new') assert.equal(message.dst, 'all')
    return news.map(({ dst, ...rest }) => rest)
  }
  const update = (endpoint, data, uid = 'n1') => ({ type: 'update', uid, endpoint, data })

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await startGateway()
    client = await joinedClient(broker)
    node = await new CoapNode(kAddress, { temperature: '23°C', led: '0' }).start()
  })
  after(async () => {
    client?.socket.terminate()
    node?.stop()
    await gateway?.end()
    await broker?.end()
  })

  it('sees a new node, its address, protocol and every resource', async () => {
    const answer = await node.post(gatewayAddress, '/alive', 'Alive:n1')
    assert.deepEqual([answer.code, answer.payload], ['2.04', "Received 'Alive:n1'"])
    const messages = await fresh('n1', 5)
    assert.deepEqual(messages.slice(0, 3), [{ type: 'new', uid: 'n1' }, update('ip', kAddress), update('protocol', 'CoAP')])
    assert.deepEqual(new Set(messages.slice(3).map((m) => JSON.stringify(m))),
      new Set([update('temperature', '23°C'), update('led', '0')].map((m) => JSON.stringify(m))))
    assert.deepEqual(node.requests, ['GET /.well-known/core', 'GET /temperature', 'GET /led'])
  })

  it('sees nothing of a repeated alive, and each post', async () => {
    node.requests.length = 0
    assert.equal((await node.post(gatewayAddress, '/alive', 'alive:n1')).code, '2.04')
    const answer = await node.post(gatewayAddress, '/server', 'temperature:24.5°C')
    assert.deepEqual([answer.code, answer.payload], ['2.04', "Received 'temperature:24.5°C'"])
    assert.deepEqual(await fresh('n1', 1), [update('temperature', '24.5°C')])
    assert.deepEqual(node.requests, [])
  })

  it('sees values that hold colons and JSON whole, whether confirmable or not', async () => {
    const imu = '[{"type":"acc","values":[0.1,-0.2,1.0]}]'
    await node.post(gatewayAddress, '/server', `imu:${imu}`, { confirmable: false })
    await node.post(gatewayAddress, '/server', 'time:12:30:59')
    assert.deepEqual(await fresh('n1', 2), [update('imu', imu), update('time', '12:30:59')])
  })

  it('sees posts of the same node from another source port', async () => {
    const other = await new CoapNode(kAddress, {}, { port: 40001 }).start()
    assert.equal((await other.post(gatewayAddress, '/server', 'temperature:25°C')).code, '2.04')
    other.stop()
    assert.deepEqual(await fresh('n1', 1), [update('temperature', '25°C')])
  })

  it('writes to the node and sees the value that it confirmed, once', async () => {
    client.send({ type: 'update', data: { uid: 'n1', endpoint: 'led', payload: '1' } })
    assert.deepEqual(await fresh('n1', 1), [update('led', '1')])
    assert.equal(node.resources.get('led'), '1')
    await node.post(gatewayAddress, '/server', 'marker:1')
    assert.deepEqual(await fresh('n1', 1), [update('marker', '1')])
  })

  it('does not see a write that the node refused', async () => {
    client.send({ type: 'update', data: { uid: 'n1', endpoint: 'temperature', payload: '99' } })
    await until('the PUT', () => node.requests.includes('PUT /temperature'))
    await node.post(gatewayAddress, '/server', 'marker:2')
    assert.deepEqual(await fresh('n1', 1), [update('marker', '2')])
  })

  it('sees a node that posts the value itself during a write only once', async () => {
    node.answer = (packet, method, path) => {
      if (method !== 'PUT') return undefined
      node.answer = undefined
      node.post(gatewayAddress, '/server', 'led:0').then(() => {})
      return { code: '2.04' }
    }
    client.send({ type: 'update', data: { uid: 'n1', endpoint: 'led', payload: '0' } })
    assert.deepEqual(await fresh('n1', 1), [update('led', '0')])
    await node.post(gatewayAddress, '/server', 'marker:3')
    const rest = await fresh('n1', 1)
    // The post may come before or after the 2.04; a post after it is a second report of the node's own.
    assert.ok(rest.length <= 2 && rest.at(-1).endpoint === 'marker', JSON.stringify(rest))
  })

  it('sees a reset, then identity and values again', async () => {
    node.requests.length = 0
    await node.post(gatewayAddress, '/alive', 'reset:n1')
    const messages = await fresh('n1', 5)
    assert.deepEqual(messages.slice(0, 3), [{ type: 'reset', uid: 'n1' }, update('ip', kAddress), update('protocol', 'CoAP')])
    assert.deepEqual(new Set(messages.slice(3).map((m) => m.endpoint)), new Set(['temperature', 'led']))
    assert.ok(node.requests.includes('GET /.well-known/core'))
  })

  it('sees a reset at a new address as a reset, then the new identity and the values', async () => {
    const old = await new CoapNode('127.3.0.7', { led: '0' }).start()
    await old.post(gatewayAddress, '/alive', 'alive:moving')
    await client.wait(of('moving'), 4)
    const moved = await new CoapNode('127.3.0.8', { led: '1' }).start()
    await moved.post(gatewayAddress, '/alive', 'reset:moving')
    const messages = (await client.wait(of('moving'), 8)).slice(4).map(({ dst, ...rest }) => rest)
    assert.deepEqual(messages, [{ type: 'reset', uid: 'moving' }, update('ip', '127.3.0.8', 'moving'), update('protocol', 'CoAP', 'moving'),
      update('led', '1', 'moving')])
    old.stop()
    moved.stop()
  })

  it("reads and writes a node on the gateway's own address through the port it speaks from", async () => {
    const local = await new CoapNode('127.0.0.1', { led: '0' }, { port: 40001 }).start()
    await local.post(gatewayAddress, '/alive', 'alive:local')
    const messages = await client.wait(of('local'), 4)
    assert.deepEqual(messages.map((m) => m.endpoint), [undefined, 'ip', 'protocol', 'led'])
    client.send({ type: 'update', data: { uid: 'local', endpoint: 'led', payload: '1' } })
    await client.wait((m) => m.uid === 'local' && m.data === '1')
    assert.equal(local.resources.get('led'), '1')
    local.stop()
  })

  it('gives a joining client the whole table under its own id', async () => {
    const late = await joinedClient(broker)
    const messages = await late.wait(of('n1'), 8)
    const ids = new Set(messages.map((m) => m.dst))
    assert.equal(ids.size, 1)
    assert.notEqual([...ids][0], 'all')
    assert.deepEqual(messages.slice(0, 3).map(({ dst, ...rest }) => rest),
      [{ type: 'new', uid: 'n1' }, update('ip', kAddress), update('protocol', 'CoAP')])
    // The node's own word at the reset: the write before it was acknowledged and then not kept.
    assert.ok(messages.some((m) => m.endpoint === 'led' && m.data === '1'))
    await late.close()
  })

  it('refuses posts from nowhere and posts without a colon, in words', async () => {
    const stranger = await new CoapNode('127.3.0.99').start()
    const lost = await stranger.post(gatewayAddress, '/server', 'temperature:1')
    assert.equal(lost.code, '4.04')
    assert.match(lost.payload, /\/alive/)
    stranger.stop()
    assert.equal((await node.post(gatewayAddress, '/server', 'no colon here')).code, '4.00')
    assert.equal((await node.post(gatewayAddress, '/nothing', 'x')).code, '4.04')
  })

  it('keeps a node through a restart of the gateway, whose posts count at once', async () => {
    await node.post(gatewayAddress, '/server', 'temperature:26°C')
    await fresh('n1', 1)
    await gateway.end()
    gateway = await startGateway()
    assert.equal((await node.post(gatewayAddress, '/server', 'temperature:27°C')).code, '2.04')
    await client.wait((m) => m.uid === 'n1' && m.endpoint === 'temperature' && m.data === '27°C')
    seen = client.messages.filter(of('n1')).length
  })

  it('sees a silent node go out, and come back with its next message', async () => {
    await until('out', () => client.messages.filter(of('n1')).at(-1).type === 'out', 20_000)
    seen = client.messages.filter(of('n1')).length
    assert.equal((await node.post(gatewayAddress, '/server', 'temperature:28°C')).code, '2.04')
    const back = await fresh('n1', 4)
    assert.deepEqual(back[0], { type: 'new', uid: 'n1' })
    assert.ok(back.some((m) => m.endpoint === 'temperature' && m.data === '28°C'), JSON.stringify(back))
  })

  it('answers the standard discovery of the gateway itself', async () => {
    const answer = await node.request(gatewayAddress, 'GET', '/.well-known/core')
    assert.equal(answer.code, '2.05')
    for (const path of ['</alive>', '</server>', '</rd>']) assert.ok(answer.payload.includes(path), answer.payload)
  })
})
