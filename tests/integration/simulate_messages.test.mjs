// aiot simulate mqtt, mqttsn and ws: nodes that speak in messages.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { test } from 'node:test'

import { mqttsnGateway } from '../support/mqttsn_gateway.mjs'
import { Process, bin, run, scratch, until } from '../support/process.mjs'

const require = createRequire(import.meta.url)
const mqtt = require('mqtt')
const { WebSocketServer } = require('ws')

function simulate(...args) {
  return new Process(bin, ['simulate', ...args])
}

test('MQTT-SN nodes say who they are, answer and take writes', async () => {
  const gateway = await mqttsnGateway('127.0.0.1:0')
  const nodes = simulate('mqttsn', '--gateway', `127.0.0.1:${gateway.port}`, '--nodes', '20', '--interval', '200ms',
    '--resources', 'name,temperature,led')
  await nodes.line(/ready: 20 nodes \(sim-0 \.\.\.\) for the gateway at 127\.0\.0\.1/)
  await nodes.line(/all 20 nodes joined/)
  const said = (topic, payload) => gateway.message((m) => m.topic === topic && (payload === undefined || m.payload === payload))
  const check = await said('node/check', '{"id":"sim-19"}')
  assert.deepEqual([check.client, check.qos, check.retain], ['sim-19', 1, false])
  gateway.publish('gateway/sim-7/discover', 'resources', 1)
  await said('node/sim-7/resources', '["name","temperature","led"]')
  gateway.publish('gateway/sim-7/discover', 'values', 1)
  await said('node/sim-7/name', '{"value":"Simulated node 7"}')
  await said('node/sim-7/led', '{"value":"0"}')
  assert.match(JSON.parse((await said('node/sim-7/temperature')).payload).value, /^\d+\.\d\d°C$/)
  gateway.publish('gateway/sim-7/led/set', '1', 1)
  await said('node/sim-7/led', '{"value":"1"}')
  // Every node goes on telling.
  for (let i = 0; i < 20; ++i) await said(`node/sim-${i}/temperature`)
  const { stderr } = await nodes.end('SIGINT')
  assert.match(stderr, /joined 20, alives 20, posts \d+ \(acknowledged \d+, refused 0, unanswered 0,/)
  assert.match(stderr, /requests served 2, writes 1,/)
  await gateway.end()
})

test('a MQTT-SN node connects once from a port of its own, and registers before each message, as emcute does', async () => {
  // By hand: a gateway that answers what it is asked and keeps the packets.
  const packets = []
  const hand = createSocket('udp4')
  await new Promise((resolve) => hand.bind(0, '127.0.0.1', resolve))
  hand.on('message', (datagram, from) => {
    packets.push({ type: datagram[1], port: from.port, text: datagram.toString('latin1') })
    const say = (bytes) => hand.send(Buffer.from(bytes), from.port, from.address)
    const id = (at) => [datagram[at], datagram[at + 1]]
    if (datagram[1] === 0x04) say([3, 0x05, 0])
    if (datagram[1] === 0x0a) say([7, 0x0b, 0, 5, ...id(4), 0])
    if (datagram[1] === 0x0c) say([7, 0x0d, ...id(3), ...id(5), 0])
    if (datagram[1] === 0x12) say([8, 0x13, 0x20, 0, 9, ...id(3), 0])
  })
  const nodes = simulate('mqttsn', '--gateway', `127.0.0.1:${hand.address().port}`, '--nodes', '2', '--interval', '100ms',
    '--resources', 'temperature')
  await nodes.line(/all 2 nodes joined/)
  const of = (port) => packets.filter((packet) => packet.port === port)
  const ports = () => [...new Set(packets.map((packet) => packet.port))]
  await until('some posts of both', () => ports().length === 2 && ports().every((port) => of(port).length > 12))
  await nodes.end()
  hand.close()
  for (const port of ports()) {
    const types = of(port).map((packet) => packet.type)
    assert.deepEqual(types.slice(0, 4), [0x04, 0x12, 0x0a, 0x0c])
    const rest = types.slice(2, types.indexOf(0x18) < 0 ? undefined : types.indexOf(0x18))
    rest.forEach((type, i) => assert.equal(type, i % 2 === 0 ? 0x0a : 0x0c))
    assert.equal(types.filter((type) => type === 0x04).length, 1)
  }
  assert.match(packets.find((packet) => packet.type === 0x0a).text, /node\/check$/)
})

test('sleeping MQTT-SN nodes fetch what waits, tell a value and sleep on', async () => {
  const gateway = await mqttsnGateway('127.0.0.1:0')
  const nodes = simulate('mqttsn', '--gateway', `127.0.0.1:${gateway.port}`, '--nodes', '3', '--sleep', '1s',
    '--resources', 'temperature,led')
  await nodes.line(/all 3 nodes joined/)
  gateway.publish('gateway/sim-1/led/set', '1', 1)
  await gateway.message((m) => m.topic === 'node/sim-1/led' && m.payload === '{"value":"1"}')
  await until('two values of each', () => [0, 1, 2].every(
    (i) => gateway.messages.filter((m) => m.topic === `node/sim-${i}/temperature`).length >= 2))
  const { stderr } = await nodes.end('SIGINT')
  assert.match(stderr, /writes 1,/)
  await gateway.end()
})

test('WebSocket nodes connect with their uid, tell, take writes and come back', async () => {
  let server
  const sockets = new Map()
  const said = []
  const listen = (port) => new Promise((resolve) => {
    server = new WebSocketServer({ host: '127.0.0.1', port }, () => resolve(server.address().port))
    server.on('connection', (socket, request) => {
      sockets.set(request.url, socket)
      socket.on('message', (data) => said.push({ url: request.url, ...JSON.parse(data) }))
      socket.send('{"request":"discover"}')
    })
  })
  const port = await listen(0)
  const nodes = simulate('ws', '--gateway', `127.0.0.1:${port}`, '--nodes', '10', '--interval', '200ms',
    '--resources', 'name,temperature,led')
  await nodes.line(/all 10 nodes joined/)
  assert.deepEqual([...sockets.keys()].sort(), Array.from({ length: 10 }, (_, i) => `/node?uid=sim-${i}`))
  const url = '/node?uid=sim-3'
  const of = (test) => until('an update', () => said.find((message) => message.url === url && test(message)))
  const all = await of((message) => Object.keys(message.data).length === 3)
  assert.equal(all.type, 'update')
  assert.equal(all.data.name, 'Simulated node 3')
  await of((message) => Object.keys(message.data).join() === 'temperature')
  sockets.get(url).send('{"endpoint":"led","payload":"1"}')
  await of((message) => Object.keys(message.data).join() === 'led' && message.data.led === '1')
  // The gateway goes, and returns at the same place.
  sockets.clear()
  for (const client of server.clients) client.terminate()
  await new Promise((resolve) => server.close(resolve))
  await listen(port)
  await until('all to come back', () => sockets.size === 10)
  const { stderr } = await nodes.end('SIGINT')
  assert.match(stderr, /joined 10, alives (2\d|[3-9]\d|\d{3,}),/)
  assert.match(stderr, /writes 1,/)
  server.close()
})

test('MQTT nodes say who they are at a broker, answer, take writes and come back', async () => {
  const folder = scratch()
  const start = () => {
    writeFileSync(join(folder, 'conf'), 'listener 18830 127.0.0.1\nallow_anonymous true\n')
    return new Process('mosquitto', ['-c', join(folder, 'conf')])
  }
  let broker = start()
  await broker.line(/mosquitto version .* running/)
  const client = mqtt.connect('mqtt://127.0.0.1:18830', { reconnectPeriod: 50 })
  const said = []
  client.on('message', (topic, payload) => said.push({ topic, payload: payload.toString() }))
  await client.subscribeAsync('node/#', { qos: 1 })
  const heard = (topic, payload) => until(topic, () => said.find((m) => m.topic === topic && (payload === undefined || m.payload === payload)))
  const nodes = simulate('mqtt', '--broker-url', 'mqtt://127.0.0.1:18830', '--nodes', '20', '--interval', '200ms',
    '--resources', 'name,temperature,led')
  await nodes.line(/ready: 20 nodes \(sim-0 \.\.\.\) for the broker at 127\.0\.0\.1:18830/)
  await nodes.line(/all 20 nodes joined/)
  for (let i = 0; i < 20; ++i) await heard('node/check', `{"id":"sim-${i}"}`)
  await client.publishAsync('gateway/sim-7/discover', 'resources', { qos: 1 })
  await heard('node/sim-7/resources', '["name","temperature","led"]')
  await client.publishAsync('gateway/sim-7/discover', 'values', { qos: 1 })
  await heard('node/sim-7/name', '{"value":"Simulated node 7"}')
  await client.publishAsync('gateway/sim-7/led/set', '1', { qos: 1 })
  await heard('node/sim-7/led', '{"value":"1"}')
  await broker.end()
  said.length = 0
  broker = start()
  await broker.line(/mosquitto version .* running/)
  for (let i = 0; i < 20; ++i) await heard(`node/sim-${i}/temperature`)
  await client.publishAsync('gateway/sim-7/led/set', '0', { qos: 1 })
  await heard('node/sim-7/led', '{"value":"0"}')
  const { stderr } = await nodes.end('SIGINT')
  assert.match(stderr, /joined 20, alives \d+, posts \d+ \(acknowledged \d+, refused 0,/)
  assert.match(stderr, /writes 2,/)
  await client.endAsync()
  await broker.end()
})

test('nodes that nobody answers end with status 4, and options of another protocol are refused', async () => {
  const alone = await run(['simulate', 'mqtt', '--broker-url', 'mqtt://127.0.0.1:9', '--for', '300ms'])
  assert.equal(alone.code, 4, alone.stderr)
  assert.match(alone.stderr, /no node was answered by the broker at 127\.0\.0\.1:9/)
  for (const protocol of ['mqttsn', 'ws']) {
    const { code, stderr } = await run(['simulate', protocol, '--gateway', '127.0.0.1:9', '--for', '300ms'])
    assert.equal(code, 4, stderr)
    assert.match(stderr, /no node was answered by the gateway at 127\.0\.0\.1:9/)
  }
  for (const [args, message] of [
    [['mqttsn', '--base', '127.2.0.1'], /--base is for coap, not for mqttsn/],
    [['ws', '--sleep', '5s'], /--sleep is for mqttsn, not for ws/],
    [['coap', '--sleep', '5s'], /--sleep is for mqttsn, not for coap/],
    [['mqttsn', '--sleep', '20h'], /--sleep: 1s to 18h/],
    [['zigbee'], /"zigbee" cannot be simulated; what can is: coap, mqtt, mqttsn, ws/],
    [['ws', '--resources', 'a/b'], /"a\/b"/],
    [['mqtt', '--resources', 'a/b'], /"a\/b"/],
    [['mqtt', '--gateway', '127.0.0.1'], /--broker-url instead of --gateway/],
    [['mqtt', '--broker-url', 'http://h'], /--broker-url: .*http/],
    [['mqtt', '--broker-url', 'coap://h'], /"coap:\/\/h" is not mqtt:\/\/HOST/],
    [['ws', '--broker-url', 'mqtt://h'], /--broker-url is for mqtt, not for ws/],
  ]) {
    const { code, stderr } = await run(['simulate', ...args, '--for', '1s'])
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, message)
  }
})
