// Gateways of several protocols and sites, ours and pyaiot's, at one broker.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fernet } from '../integration/broker_peers.mjs'
import { CoapNode } from '../support/coap_node.mjs'
import { Mosquitto } from '../support/mosquitto.mjs'
import { MqttSnPeers } from '../support/mqttsn_peer.mjs'
import { daemon, scratch, until } from '../support/process.mjs'
import { joinedClient, WebClient } from '../support/web_client.mjs'

const json = JSON.stringify

describe('several gateways at one broker', () => {
  let broker, client, mosquitto, mqtt, peers, coap, ws, pyaiot
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const gateways = new Map()
  const start = async (name, site, ...listeners) => {
    const gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--name', name, '--site', site,
      '--state-dir', join(state, name), ...listeners, ...flags])
    await gateway.line(/connected to the broker/)
    gateways.set(name, gateway)
    return gateway
  }
  const end = async (name, signal) => {
    await gateways.get(name).end(signal)
    gateways.delete(name)
  }
  const nodes = async () => (await (await fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/nodes?limit=1000`)).json()).items
  const find = (gateway, protocol) => until(`a ${protocol} node of ${gateway}`, async () =>
    (await nodes()).find((node) => node.gateway === gateway && node.protocol === protocol && node.state === 'live'))

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    client = await joinedClient(broker)
    mosquitto = await new Mosquitto().start()
    mqtt = await mosquitto.client()
  })
  after(async () => {
    coap?.stop()
    client?.socket.terminate()
    ws?.socket.terminate()
    pyaiot?.socket.terminate()
    await mqtt?.endAsync(true)
    await peers?.end()
    for (const gateway of gateways.values()) await gateway.end()
    await broker?.end()
    await mosquitto?.end()
  })

  it('shows each node with its gateway, whatever it speaks, pyaiot’s gateway among them', async () => {
    await start('paris', 'home', '--coap', '127.0.0.1:5683', '--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`)
    const rome = await start('rome', 'away', '--ws', '127.0.0.1:0', '--mqttsn', '127.0.0.1:1885')
    coap = await new CoapNode('127.3.0.1', { led: '0' }).start()
    await coap.post({ address: '127.0.0.1', port: 5683 }, '/alive', 'alive:c1')
    await mqtt.publishAsync('node/check', json({ id: 'm1' }), { qos: 1 })
    ws = new WebClient(`ws://127.0.0.1:${rome.listeners.ws.port}/node?uid=w1`)
    await ws.opened
    peers = await new MqttSnPeers('127.0.0.1', 1885).start()
    const sn = peers.client('sn')
    await sn.connect('sn')
    await sn.publish('node/check', json({ id: 'm1' }))
    const keys = Object.fromEntries(readFileSync(join(state, 'keys'), 'utf8').split('\n').map((line) => line.split(/\s*=\s*/)))
    pyaiot = new WebClient(`ws://127.0.0.1:${broker.listeners.http.port}/gw`, ['token', fernet(keys.private, keys.secret)])
    assert.equal(await pyaiot.opened, 'open')
    pyaiot.send({ type: 'new', uid: 'p1', dst: 'all' })
    await find('paris', 'CoAP')
    await find('rome', 'WebSocket')
    const [a, b] = [await find('paris', 'MQTT'), await find('rome', 'MQTT-SN')]
    assert.notEqual(a.uid, b.uid)
    await until('pyaiot’s', async () => (await nodes()).some((node) => node.uid === 'p1' && node.gateway.startsWith('pyaiot')))
    assert.equal((await nodes()).length, 5)
  })

  it('has a node that two gateways of a site hear once, and hands it over when its gateway goes', async () => {
    const { uid } = await find('paris', 'MQTT')
    const before_ = client.messages.length
    await start('lyon', 'home', '--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--coap', 'off', '--ws', 'off', '--mqttsn', 'off')
    await mqtt.publishAsync('node/m1/t', json({ value: 1 }), { qos: 1 })
    await gateways.get('lyon').line(/the broker has it from another gateway/)
    await client.wait((m) => m.uid === uid && m.data === 1)
    assert.equal((await nodes()).find((node) => node.uid === uid).gateway, 'paris')
    assert.deepEqual(client.messages.slice(before_).filter((m) => m.uid === uid && m.type !== 'update'), [])
    await end('paris', 'SIGKILL')
    await find('lyon', 'MQTT')
    await mqtt.publishAsync('node/m1/t', json({ value: 2 }), { qos: 1 })
    await client.wait((m) => m.uid === uid && m.data === 2)
    assert.equal(client.messages.filter((m) => m.uid === uid && m.data === 2).length, 1)
  })

  it('keeps sites apart: the same id at another site is another node', async () => {
    await start('oslo', 'north', '--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--coap', 'off', '--ws', 'off', '--mqttsn', 'off')
    await mqtt.publishAsync('node/m1/t', json({ value: 3 }), { qos: 1 })
    const there = await find('oslo', 'MQTT')
    assert.notEqual(there.uid, (await find('lyon', 'MQTT')).uid)
  })
})
