// One simulated node of each kind, all called sim-0, as a web client of the broker sees them.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Mosquitto } from '../support/mosquitto.mjs'
import { bin, daemon, Process, scratch } from '../support/process.mjs'
import { joinedClient } from '../support/web_client.mjs'

describe('simulated nodes of each protocol', () => {
  let broker, gateway, client, mosquitto
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const simulations = []

  before(async () => {
    mosquitto = await new Mosquitto().start()
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--coap', '127.0.0.1:5683',
      '--ws', '127.0.0.1:0', '--mqttsn', '127.0.0.1:0', '--mqtt', mosquitto.url, '--name', 'paris', '--state-dir', join(state, 'gateway'), ...flags])
    await gateway.line(/connected to the broker/)
    await gateway.line(/MQTT broker .*: connected/)
    client = await joinedClient(broker)
  })
  after(async () => {
    client?.socket.terminate()
    for (const simulation of simulations) await simulation.end()
    await gateway?.end()
    await broker?.end()
    await mosquitto?.end()
  })

  const kinds = {
    coap: ['CoAP', 'ip', () => ['--gateway', '127.0.0.1:5683']],
    ws: ['WebSocket', undefined, () => ['--gateway', `127.0.0.1:${gateway.listeners.ws.port}`]],
    mqttsn: ['MQTT-SN', 'id', () => ['--gateway', `127.0.0.1:${gateway.listeners.mqttsn.port}`]],
    mqtt: ['MQTT', 'id', () => ['--broker-url', mosquitto.url]],
  }
  for (const [kind, [protocol, identity, where]] of Object.entries(kinds)) {
    it(`${kind}: new, who it is, protocol, then each resource once; and a write reaches it and comes back`, async () => {
      simulations.push(new Process(bin, ['simulate', kind, ...where(), '--nodes', '1', '--interval', '1h', '--resources', 'name,temperature,led']))
      const [{ uid }] = await client.wait((m) => m.endpoint === 'protocol' && m.data === protocol)
      await client.wait((m) => m.uid === uid && ['name', 'temperature', 'led'].includes(m.endpoint), 3)
      const seen = client.messages.filter((m) => m.uid === uid)
      const heads = identity ? ['new', identity, 'protocol'] : ['new', 'protocol']
      assert.deepEqual(seen.slice(0, heads.length).map((m) => m.endpoint ?? m.type), heads)
      if (identity === 'id') assert.equal(seen[1].data, 'sim-0')
      assert.deepEqual(seen.slice(heads.length).map((m) => m.endpoint).sort(), ['led', 'name', 'temperature'])
      assert.ok(seen.every((m) => m.dst === 'all'))
      client.send({ type: 'update', data: { uid, endpoint: 'led', payload: '1' } })
      await client.wait((m) => m.uid === uid && m.endpoint === 'led' && String(m.data) === '1')
    })
  }
})
