// What a gateway still knows of its nodes after it was stopped or killed.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, run, scratch, until } from '../support/process.mjs'

const gatewayAddress = { address: '127.0.0.1', port: 5683 }

describe('a gateway that starts again', () => {
  let broker, gateway
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const startGateway = () =>
    daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--coap', '127.0.0.1:5683',
      '--name', 'paris', '--state-dir', join(state, 'gateway'), ...flags])
  const stateOf = async (uid) =>
    (await (await fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/nodes/${uid}`)).json()).state

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await startGateway()
  })
  after(async () => {
    await gateway?.end()
    await broker?.end()
  })

  it('leaves a withdrawn node out until its next message', async () => {
    const node = await new CoapNode('127.3.0.1', { led: '0' }).start()
    const registered = await node.request(gatewayAddress, 'POST', '/rd', '</led>', { query: ['ep=n1'], contentFormat: 40 })
    assert.equal(registered.code, '2.01')
    const path = registered.packet.options.filter((o) => o.name === 'Location-Path').map((o) => o.value.toString())
    await until('n1', async () => (await stateOf('n1')) === 'live')
    assert.equal((await node.request(gatewayAddress, 'DELETE', `/${path.join('/')}`)).code, '2.02')
    await until('n1 to be out', async () => (await stateOf('n1')) === 'out')
    // Another one, by which the sync of the next run is seen.
    await node.post(gatewayAddress, '/alive', 'alive:n2')
    await gateway.end()
    assert.equal(await stateOf('n2'), 'stale')
    gateway = await startGateway()
    await until('n2 to be live', async () => (await stateOf('n2')) === 'live')
    assert.equal(await stateOf('n1'), 'out')
    await node.post(gatewayAddress, '/alive', 'alive:n1')
    await until('n1 to be live', async () => (await stateOf('n1')) === 'live')
    node.stop()
  })

  it('knows a node that joined just before it was killed', async () => {
    const nodes = await Promise.all([...Array(50).keys()].map((i) => new CoapNode(`127.3.1.${i + 1}`, { led: '0' }).start()))
    await Promise.all(nodes.map((node, i) => node.post(gatewayAddress, '/alive', `alive:k${i}`)))
    const file = join(state, 'gateway', 'nodes.jsonl')
    await until('all of them to be on disk', () => nodes.every((_, i) => readFileSync(file, 'utf8').includes(`"k${i}"`)), 1000)
    await gateway.end('SIGKILL')
    gateway = await startGateway()
    for (const node of nodes) {
      assert.equal((await node.post(gatewayAddress, '/server', 'led:1')).code, '2.04')
      node.stop()
    }
  })

  it('is alone on its state directory', async () => {
    const { code, stderr } = await run(['serve-gateway', '--broker', 'off', '--coap', '127.0.0.2:0', '--state-dir', join(state, 'gateway')])
    assert.equal(code, 1, stderr)
    assert.match(stderr, /another gateway uses the state directory/)
    assert.ok(stderr.includes(join(state, 'gateway')))
  })
})
