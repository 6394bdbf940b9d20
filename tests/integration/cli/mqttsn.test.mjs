// get, put, delete, publish, observe and discover on mqttsn:// against a gateway for tests.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { after, before, test } from 'node:test'

import { Process, bin, until } from '../../support/process.mjs'
import { mqttsnGateway } from '../../support/mqttsn_gateway.mjs'
import { aiot, environment, lines } from './support.mjs'

let gateway
let base
before(async () => {
  gateway = await mqttsnGateway('[::]:1885')
  base = 'mqttsn://127.0.0.1'
})
after(() => gateway.end())

test('what is put is retained, read with get, and cleared with delete', async () => {
  const put = await aiot(['put', `${base}/room/temperature`, '23°C'])
  assert.deepEqual([put.code, put.stdout, put.stderr], [0, '', ''])
  assert.deepEqual(gateway.last(), { topic: 'room/temperature', payload: '23°C', qos: 1, retain: true })
  assert.deepEqual((await aiot(['get', `${base}/room/temperature`])).stdout, '23°C\n')
  const got = await aiot(['get', '--json', `${base}/room/+`])
  assert.equal(got.code, 0, got.stderr)
  const [value] = lines(got.stdout)
  assert.equal(value.uri, `${base}/room/temperature`)
  assert.equal(value.resource, 'room/temperature')
  assert.equal(value.value, '23°C')
  assert.equal(value.number, 23)
  assert.equal(value.unit, '°C')
  assert.equal(value.protocol, 'MQTT-SN')
  assert.equal(value.qos, 1)
  assert.equal(value.retained, true)
  assert.match(value.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.equal((await aiot(['delete', `${base}/room/temperature`])).code, 0)
  assert.deepEqual(gateway.last(), { topic: 'room/temperature', payload: '', qos: 1, retain: true })
  const none = await aiot(['get', '--timeout', '300ms', `${base}/room/temperature`])
  assert.equal(none.code, 4)
  assert.match(none.stderr, /no message on 'room\/temperature' within 300ms/)
})

test('get waits for the next message when none is retained', async () => {
  const getting = new Process(bin, ['get', `${base}/next/#`], { env: environment })
  const speaking = setInterval(() => gateway.publish('next/one', 'now', 1), 50)
  const { code, stdout } = await getting.exited
  clearInterval(speaking)
  assert.deepEqual([code, stdout], [0, 'now\n'])
})

test('publish is acknowledged and not retained, on short topics too, and with --lines each line in order', async () => {
  assert.equal((await aiot(['publish', `${base}/ab`, 'x'])).code, 0)
  assert.deepEqual(gateway.last(), { topic: 'ab', payload: 'x', qos: 0, retain: false })
  assert.equal((await aiot(['publish', '--qos', '2', '--retain', `${base}/ab`, 'y'])).code, 0)
  assert.deepEqual(gateway.last(), { topic: 'ab', payload: 'y', qos: 2, retain: true })
  const count = 300
  const input = Array.from({ length: count }, (_, i) => `line ${i}\n`).join('')
  const published = await aiot(['publish', '--lines', '--qos', '1', `${base}/log`], { input })
  assert.equal(published.code, 0, published.stderr)
  const heard = gateway.messages.filter((message) => message.topic === 'log')
  assert.deepEqual(heard.map((message) => message.payload), Array.from({ length: count }, (_, i) => `line ${i}`))
  assert.equal(new Set(heard.map((message) => message.client)).size, 1)
})

test('observe follows wildcards, with each message in order', async () => {
  const observing = new Process(bin, ['observe', '--json', `${base}/o/#`, '--count', '20'], { env: environment })
  const seen = () => lines(observing.stdout)
  await until('the first message', () => (gateway.publish('o/a', 'first', 1), seen().length > 0))
  for (let i = 0; i < 30; ++i) gateway.publish(`o/${i}`, String(i), i % 3)
  const { code } = await observing.exited
  assert.equal(code, 0, observing.stderr)
  const numbers = seen().filter((line) => line.resource !== 'o/a')
  assert.ok(numbers.length > 10)
  assert.deepEqual(numbers.map((line) => line.value), numbers.map((_, i) => String(i)))
  assert.deepEqual(numbers.map((line) => line.uri), numbers.map((_, i) => `${base}/o/${i}`))
})

test('observe tells that the gateway ended the session, comes back and goes on', async () => {
  const types = []
  const hand = createSocket('udp4')
  await new Promise((resolve) => hand.bind(0, '127.0.0.1', resolve))
  const message = (payload) => Buffer.from([7 + payload.length, 0x0c, 0, 0, 9, 0, 0, ...Buffer.from(payload)])
  hand.on('message', (datagram, from) => {
    const say = (bytes) => hand.send(Buffer.from(bytes), from.port, from.address)
    types.push(datagram[1])
    if (datagram[1] === 0x04) say([3, 5, 0])
    if (datagram[1] === 0x12) {
      say([8, 0x13, 0x20, 0, 9, datagram[3], datagram[4], 0])
      const again = types.filter((type) => type === 0x12).length > 1
      say(message(again ? 'second' : 'first'))
      if (!again) say([2, 0x18])
    }
  })
  const uri = `mqttsn://127.0.0.1:${hand.address().port}/o/x`
  const { code, stdout, stderr } = await aiot(['observe', '--json', '--count', '2', uri])
  hand.close()
  assert.equal(code, 0, stderr)
  const seen = lines(stdout)
  assert.deepEqual(seen.map((line) => line.event ?? line.value), ['first', 'lost', 'resumed', 'second'])
  assert.equal(seen[1].uri, uri)
  assert.match(seen[1].reason, /the gateway ended the session/)
  assert.deepEqual(types.slice(0, 4), [0x04, 0x12, 0x04, 0x12])
})

test('discover finds gateways by multicast and by name, each once, with its id', async () => {
  const found = await aiot(['discover', '--json', '--timeout', '1500ms', 'mqttsn://'])
  assert.equal(found.code, 0, found.stderr)
  const nodes = lines(found.stdout)
  assert.ok(nodes.some((node) => node.uri === 'mqttsn://127.0.0.1'), found.stdout)
  assert.ok(nodes.some((node) => node.uri === 'mqttsn://[::1]'), found.stdout)
  assert.equal(new Set(nodes.map((node) => node.uri)).size, nodes.length)
  for (const node of nodes) {
    assert.equal(node.type, 'node')
    assert.equal(node.protocol, 'MQTT-SN')
    assert.equal(node.attributes.gwid, '7')
  }
  const asked = await aiot(['discover', '--json', base])
  assert.deepEqual(lines(asked.stdout).map((node) => node.uri), ['mqttsn://127.0.0.1'])
  const nobody = await aiot(['discover', '--timeout', '300ms', 'mqttsn://127.0.0.1:9'])
  assert.equal(nobody.code, 4)
  assert.match(nobody.stderr, /no answer from mqttsn:\/\/127\.0\.0\.1:9 within 300ms/)
})

test('an ADVERTISE makes a gateway known, and what is none is passed over', async () => {
  await gateway.end()
  const speaker = createSocket('udp4')
  await new Promise((resolve) => speaker.bind(0, '127.0.0.1', resolve))
  const speaking = setInterval(() => {
    for (const bytes of [[5, 0, 3, 0, 60], [9, 1], [2, 0x17]]) speaker.send(Buffer.from(bytes), 1885, '127.0.0.1')
  }, 50)
  const { code, stdout } = await aiot(['discover', '--json', '--timeout', '700ms', 'mqttsn://'])
  clearInterval(speaking)
  const { port } = speaker.address()
  speaker.close()
  gateway = await mqttsnGateway('[::]:1885')
  assert.equal(code, 0)
  assert.deepEqual(lines(stdout).map((node) => [node.uri, node.attributes.gwid]), [[`mqttsn://127.0.0.1:${port}`, '3']])
})

test('without a gateway a write says that it was not sent, and names are looked up', async () => {
  const lost = await aiot(['put', '--json', '--timeout', '300ms', 'mqttsn://127.0.0.1:9/a/b', '1'])
  assert.equal(lost.code, 4)
  const { error } = lines(lost.stderr)[0]
  assert.equal(error.outcome, 'not_sent')
  assert.equal(error.code, 'timeout')
  assert.match(error.message, /no answer from the MQTT-SN gateway at 127\.0\.0\.1:9 within 300ms/)
  const unknown = await aiot(['put', '--json', 'mqttsn://no-such-host.invalid/a', '1'])
  assert.equal(unknown.code, 3)
  assert.equal(lines(unknown.stderr)[0].error.outcome, 'not_sent')
  const observing = await aiot(['observe', '--timeout', '300ms', 'mqttsn://127.0.0.1:9/a'])
  assert.equal(observing.code, 4)
})

test('a name with several addresses finds the one where the gateway is', async () => {
  const only = await mqttsnGateway('127.0.0.1:0')
  const put = await aiot(['put', `mqttsn://localhost:${only.port}/a/b`, '1'])
  assert.equal(put.code, 0, put.stderr)
  await only.end()
})

test('a message whose acknowledgement is missing has an unknown outcome', async () => {
  const mute = createSocket('udp4')
  await new Promise((resolve) => mute.bind(0, '127.0.0.1', resolve))
  mute.on('message', (datagram, from) => {
    if (datagram[1] === 0x04) mute.send(Buffer.from([3, 5, 0]), from.port, from.address) // CONNACK, and no more
  })
  const uri = `mqttsn://127.0.0.1:${mute.address().port}/ab`
  const put = await aiot(['put', '--json', '--timeout', '500ms', uri, '1'])
  mute.close()
  assert.equal(put.code, 4)
  assert.equal(lines(put.stderr)[0].error.outcome, 'unknown')
})

test('topics that are none and verbs that messages do not have are refused', async () => {
  for (const [args, pattern] of [
    [['put', `${base}/a/+`, '1'], /'a\/\+' is not a topic that can be published to/],
    [['get', `${base}/a/#/b`], /'a\/#\/b' is not a topic filter/],
    [['get', base], /names no topic/],
    [['observe', `${base}/`], /names no topic/],
    [['post', `${base}/a`, '1'], /post is not possible on mqttsn/],
    [['put', '--method', 'PATCH', `${base}/a`, '1'], /PATCH is not possible on mqttsn/],
  ]) {
    const { code, stderr } = await aiot(args)
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, pattern)
  }
})
