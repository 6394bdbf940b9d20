// What an MQTT-SN client or an MQTT broker repeats, because the gateway was killed before it answered, is stored once.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { keyFile } from '../integration/broker_peers.mjs'
import { Mosquitto } from '../support/mosquitto.mjs'
import { daemon, scratch, until } from '../support/process.mjs'

const state = scratch()
const keys = keyFile(state)
let broker
const points = async (type, resource) => {
  const api = async (path) => (await fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/${path}`)).json()
  const node = (await api(`nodes?protocol=${type}`)).items.find((item) => item.resources[resource])
  if (!node) return []
  return (await api(`history?node=${node.uid}&resource=${resource}`)).points.map((point) => point.value)
}
const gateway = (...more) =>
  daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--key-file', keys, '--name', 'g', ...more])

before(async () => {
  broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), '--key-file', keys])
})
after(async () => {
  await broker?.end()
})

describe('a gateway that was killed', () => {
  it('knows an MQTT-SN message again whose PUBACK was lost', async (t) => {
    const flags = (port) => ['--mqttsn', `127.0.0.1:${port}`, '--state-dir', join(state, 'sn')]
    let served = await gateway(...flags(0))
    const { port } = served.listeners.mqttsn
    const socket = createSocket('udp4').bind(0, '127.0.0.1')
    t.after(() => socket.close())
    const answers = []
    socket.on('message', (answer) => answers.push(answer))
    const ask = async (type, body, wanted) => {
      const found = await until(`an answer of type ${wanted}`, () => {
        if (answers.some((answer) => answer[1] === wanted)) return answers.find((answer) => answer[1] === wanted)
        socket.send(Buffer.concat([Buffer.from([body.length + 2, type]), body]), port, '127.0.0.1')
      })
      answers.length = 0
      return found
    }
    await ask(0x04, Buffer.from('\x00\x01\x00\x3cc1'), 0x05)
    const id = (await ask(0x0a, Buffer.from('\x00\x00\x00\x01node/c1/t'), 0x0b)).subarray(2, 4)
    const publish = (number, qos, again) =>
      ask(0x0c, Buffer.concat([Buffer.from([(qos << 5) | (again ? 0x80 : 0)]), id, Buffer.from([0, number]), Buffer.from(`{"value":"${number}"}`)]), qos === 1 ? 0x0d : 0x0f)
    await publish(1, 1, false)
    await publish(2, 1, false)
    await publish(3, 2, false)
    await served.end('SIGKILL')
    served = await gateway(...flags(port))
    assert.equal((await publish(2, 1, true))[6], 0)
    await publish(3, 2, true)
    await publish(4, 1, false)
    await until('the last', async () => (await points('mqtt-sn', 't')).includes('4'))
    assert.deepEqual(await points('mqtt-sn', 't'), ['1', '2', '3', '4'])
    await served.end()
  })

  it('knows again what the MQTT broker repeats, since its PUBACKs were lost', async (t) => {
    const mosquitto = await new Mosquitto().start()
    let held = false
    const path = createServer((from) => {
      const to = connect(mosquitto.port, '127.0.0.1')
      from.on('data', (data) => held || to.write(data))
      to.on('data', (data) => from.write(data))
      for (const [a, b] of [[from, to], [to, from]]) a.on('close', () => b.destroy()).on('error', () => b.destroy())
    }).listen(0, '127.0.0.1')
    await until('the path', () => path.address())
    const flags = ['--mqtt', `mqtt://127.0.0.1:${path.address().port}`, '--state-dir', join(state, 'mqtt')]
    let served = await gateway(...flags)
    await served.line(/MQTT broker .*: connected/)
    const node = await mosquitto.client()
    t.after(async () => {
      node.end(true)
      path.close()
      await served.end('SIGKILL')
      await mosquitto.end()
    })
    const say = (number) => new Promise((resolve) => node.publish('node/m1/t', `{"value":"${number}"}`, { qos: 1 }, resolve))
    await say(1)
    await until('the first', async () => (await points('mqtt', 't')).includes('1'))
    held = true
    for (let number = 2; number <= 6; ++number) await say(number)
    await until('all of them', async () => (await points('mqtt', 't')).includes('6'))
    await served.end('SIGKILL')
    held = false
    await say(7)
    served = await gateway(...flags)
    await until('the last', async () => (await points('mqtt', 't')).includes('7'))
    await say(8)
    await until('one more', async () => (await points('mqtt', 't')).includes('8'))
    assert.deepEqual(await points('mqtt', 't'), ['1', '2', '3', '4', '5', '6', '7', '8'])
    await served.end()
  })
})
