// One node that two gateways hear: which of them the broker takes it from, and when.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, scratch, until } from '../support/process.mjs'

describe('gateways that hear the same node', () => {
  let broker, node
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const gateways = new Map()

  const start = async (name, address, site) => {
    const gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--coap', `${address}:5683`,
      '--name', name, '--site', site, '--state-dir', join(state, name), '--max-time', '3600', ...flags])
    await gateway.line(/connected to the broker/)
    gateways.set(name, gateway)
    return { address, port: 5683 }
  }
  const end = (name, signal) => {
    const gateway = gateways.get(name)
    gateways.delete(name)
    return gateway.end(signal)
  }
  const known = async (uid) => (await fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/nodes/${uid}`)).json()
  const owner = async (uid) => (await known(uid)).gateway
  const forget = (uid) => fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/nodes/${uid}`, { method: 'DELETE' })

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    node = await new CoapNode('127.3.0.1', { led: '0' }).start()
  })
  after(async () => {
    node?.stop()
    for (const gateway of gateways.values()) await gateway.end()
    await broker?.end()
  })

  it('hand it over at once, with what it said meanwhile, when its gateway goes', async () => {
    const [paris, rome] = [await start('paris', '127.0.0.1', 'home'), await start('rome', '127.0.0.2', 'home')]
    await node.post(paris, '/alive', 'alive:n1')
    await until('paris to have n1', async () => (await owner('n1')) === 'paris')
    await node.post(rome, '/alive', 'alive:n1')
    await gateways.get('rome').line(/the broker has it from another gateway/)
    for (const value of ['1', '2', '3']) assert.equal((await node.post(rome, '/server', `t:${value}`)).code, '2.04')
    assert.equal(await owner('n1'), 'paris')
    await end('paris', 'SIGKILL')
    // Without another word of the node's.
    await until('rome to have n1', async () => (await owner('n1')) === 'rome', 5000)
    await until('its latest value', async () => (await known('n1')).resources.t?.value === '3', 1000)
    assert.equal((await known('n1')).state, 'live')
  })

  it('hand it over at once when its gateway has it withdrawn', async () => {
    const paris = await start('paris', '127.0.0.1', 'home')
    const registered = await node.request(paris, 'POST', '/rd', '</led>', { query: ['ep=n2'], contentFormat: 40 })
    await until('paris to have n2', async () => (await owner('n2')) === 'paris')
    await node.post({ address: '127.0.0.2', port: 5683 }, '/alive', 'alive:n2')
    await gateways.get('rome').line(/'n2': the broker has it from another gateway/)
    const path = registered.packet.options.filter((o) => o.name === 'Location-Path').map((o) => o.value.toString())
    assert.equal((await node.request(paris, 'DELETE', `/${path.join('/')}`)).code, '2.02')
    await until('rome to have n2', async () => (await owner('n2')) === 'rome', 5000)
  })

  it('keep it to their site until it is forgotten', async () => {
    const oslo = await start('oslo', '127.0.0.3', 'elsewhere')
    await end('paris')
    await end('rome')
    await until('n1 to be stale', async () => (await known('n1')).state === 'stale')
    await node.post(oslo, '/alive', 'alive:n1')
    await gateways.get('oslo').line(/'n1': the broker has it from another gateway: gateway rome of site home/)
    await broker.line(/node_refused/)
    assert.equal(await owner('n1'), 'rome')
    await forget('n1')
    await end('oslo')
    await start('oslo', '127.0.0.3', 'elsewhere')
    await until('oslo to have n1', async () => (await owner('n1')) === 'oslo', 5000)
  })
})
