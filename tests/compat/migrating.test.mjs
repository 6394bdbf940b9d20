// docs/migrating.md, walked through with a broker and a gateway that behave as pyaiot's do, and with its own commands.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { kPrivate, kSecret } from '../integration/broker_peers.mjs'
import { CoapNode } from '../support/coap_node.mjs'
import { blocks, Shells } from '../support/guide.mjs'
import { run, until } from '../support/process.mjs'
import { PyaiotBroker, PyaiotCoapGateway } from '../support/pyaiot.mjs'
import { WebClient } from '../support/web_client.mjs'

const kBroker = 8000
const kGateway = { address: '127.0.0.1', port: 5683 }
const page = readFileSync(join(process.env.AIOT_SOURCE_DIR, 'docs/migrating.md'), 'utf8')

describe('the way of docs/migrating.md', () => {
  const shells = new Shells()
  const guide = Object.fromEntries(blocks('migrating.md').map((block) => [block.name, block]))
  let oldBroker, oldGateway, broker, gateway, node, client

  const join8000 = async (options) => {
    client?.socket.terminate()
    client = new WebClient(`ws://127.0.0.1:${kBroker}/ws`, undefined, options)
    if ((await client.opened) === 'open') client.send({ type: 'new', data: 'client' })
    return client.opened
  }
  const start = async (name) => {
    const shell = shells.start(guide[name].script, name)
    await shell.line(/ready/)
    return shell
  }
  const shown = async (value) => {
    await client.wait((m) => m.type === 'new' && m.uid === 'n1')
    await client.wait((m) => m.uid === 'n1' && m.endpoint === 'temperature' && m.data === value)
  }
  const known = async () => (await fetch(`http://127.0.0.1:${kBroker}/api/v1/nodes/n1`)).json()
  const writeLed = async (value) => {
    client.send({ type: 'update', data: { uid: 'n1', endpoint: 'led', payload: value } })
    await until('the write at the node', () => node.resources.get('led') === value)
    await client.wait((m) => m.uid === 'n1' && m.endpoint === 'led' && m.data === value)
  }
  const say = async (value) => {
    await node.post(kGateway, '/alive', 'alive:n1')
    await node.post(kGateway, '/server', `temperature:${value}`)
  }
  before(async () => {
    mkdirSync(join(shells.folder, '.pyaiot'))
    writeFileSync(join(shells.folder, '.pyaiot/keys'), `[keys]\nsecret = ${kSecret}\nprivate = ${kPrivate}\n\n`)
    oldBroker = await new PyaiotBroker(kBroker).start()
    oldGateway = await new PyaiotCoapGateway(kBroker, kGateway).start()
    node = await new CoapNode('127.3.0.1', { led: '0', temperature: '20°C' }).start()
    await until('the old gateway at the old broker', () => oldBroker.gateways.size === 1)
    await say('20°C')
    assert.equal(await join8000(), 'open')
    await shown('20°C')
  })
  after(async () => {
    client?.socket.terminate()
    await oldGateway?.end()
    await oldBroker?.end()
    node?.stop()
    await shells.end()
  })

  it('1. keys: aiot reads pyaiot’s', async () => {
    const { stdout, stderr } = await shells.run(guide.keys.script)
    assert.equal(stdout, guide.keys.output, stderr)
  })

  it('2. broker: the old gateway comes back by itself, with its nodes, and takes writes', async () => {
    await oldBroker.end()
    await until('the old gateway to be refused', () => oldGateway.refusals > 0)
    broker = await start('broker')
    assert.equal(await join8000(), 'open')
    await shown('20°C')
    assert.equal(oldGateway.gaveUp, undefined)
    await say('21°C')
    await shown('21°C')
    await writeLed('1')
    assert.equal((await known()).gateway, 'pyaiot-127.0.0.1')
  })

  it('2. and back, and forth again', async () => {
    await broker.end()
    oldBroker = await new PyaiotBroker(kBroker).start()
    await until('the old gateway at the old broker', () => oldBroker.gateways.size === 1)
    await oldBroker.end()
    broker = await start('broker')
    assert.equal(await join8000(), 'open')
    await shown('21°C')
    assert.equal(oldGateway.gaveUp, undefined)
  })

  it('3. dashboard: pyaiot’s page may connect, others may not, and the broker has its own', async () => {
    assert.equal(await join8000({ origin: 'http://localhost:8081' }), 403)
    assert.equal(await join8000({ origin: 'http://localhost:8080' }), 'open')
    await shown('21°C')
    const answer = await fetch(`http://127.0.0.1:${kBroker}/`)
    assert.deepEqual([answer.status, answer.headers.get('content-type').split(';')[0]], [200, 'text/html'])
  })

  it('4. gateway: aiot’s takes the old one’s place and its node, which notices nothing', async () => {
    await oldGateway.end()
    gateway = await start('gateway')
    await gateway.line(/connected to the broker/)
    assert.equal(await join8000(), 'open')
    await say('22°C')
    await shown('22°C')
    await writeLed('0')
    const { gateway: name, state, protocol } = await known()
    assert.deepEqual([name, state, protocol], ['attic', 'live', 'CoAP'])
  })

  it('4. and back', async () => {
    await gateway.end()
    oldGateway = await new PyaiotCoapGateway(kBroker, kGateway).start()
    await until('the old gateway at the broker', () => oldGateway.connections === 1)
    assert.equal(await join8000(), 'open')
    await say('23°C')
    await shown('23°C')
    await writeLed('1')
    assert.equal((await known()).gateway, 'pyaiot-127.0.0.1')
  })

  it('a gateway with the wrong keys gives up, as the page warns', async () => {
    const wrong = await new PyaiotCoapGateway(kBroker, { address: '127.0.0.9', port: 5683 }, 'another secret of that length!!!').start()
    await until('it to give up', () => wrong.gaveUp)
    assert.match(wrong.gaveUp, /401/)
    await wrong.end()
  })
})

describe('the tables of docs/migrating.md', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('| ') && line.includes('`--')).map((line) => line.split('|').slice(1, -1))
  const flags = (text) => [...text.matchAll(/`(--[a-z-]+)/g)].map(([, flag]) => flag)

  it('have every flag of pyaiot’s commands', () => {
    const told = new Set(rows.flatMap((row) => flags(row[0])))
    const pyaiot = ['broker-host', 'broker-port', 'debug', 'key-file', 'config', 'port', // common to all; the broker's once
      'coap-port', 'coaps-port', 'use-coaps', 'max-time', 'mqtt-host', 'mqtt-port', 'gateway-port', // gateways
      'static-path', 'web-port', 'broker-ssl', 'camera-url', 'title', 'logo', 'favicon', 'map-api-key'] // dashboard
    assert.deepEqual([...told].sort(), pyaiot.map((name) => `--${name}`).sort())
  })

  it('name flags that aiot has', async () => {
    const manual = (await Promise.all(['serve-broker', 'serve-gateway', 'keys'].map((name) => run([name, '--help'])))).map((r) => r.stdout).join()
    const named = [...new Set(rows.flatMap((row) => flags(row[2] ?? '')))]
    assert.ok(named.length >= 12, named.join())
    assert.deepEqual(named.filter((flag) => !new RegExp(`${flag}\\b`).test(manual)), [])
  })
})
