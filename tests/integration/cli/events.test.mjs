// events: what happened at a real broker, and following it over a restart.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Process, bin, daemon, scratch, until } from '../../support/process.mjs'
import { aiot as plain, environment, lines } from './support.mjs'

let broker, url, node, directory
const gatewayAddress = { address: '127.0.0.1', port: 5683 }
const aiot = (args, options = {}) => plain(args, { ...options, env: { AIOT_BROKER: url, ...options.env } })
const startBroker = (port, folder) =>
  daemon(['serve-broker', '--listen', `127.0.0.1:${port}`, '--key-file', join(directory, 'keys'), '--state-dir', join(directory, folder)], { env: environment })
const alive = (uid, word = 'alive') => until(`an answer to ${uid}`, async () => (await node.request(gatewayAddress, 'POST', '/alive', `${word}:${uid}`)).code === '2.04')
const events = async (...args) => lines((await aiot(['--json', 'events', ...args])).stdout)

before(async () => {
  directory = scratch()
  broker = await startBroker(0, 'b')
  url = `ws://127.0.0.1:${broker.listeners.http.port}`
  await daemon(['serve-gateway', '--broker', url, '--coap', '127.0.0.1:5683', '--name', 'paris', '--key-file', join(directory, 'keys'), '--state-dir', join(directory, 'g')], { env: environment })
  node = await new CoapNode('127.0.0.2', { led: '0' }).start()
  await alive('n1')
  await until('the node at the broker', async () => (await aiot(['get', 'n1/led'])).code === 0)
  await alive('n1', 'reset')
  await until('its reset', async () => (await events('--type', 'reset')).length === 1)
})

test('events are listed as text and as JSON, and filtered', async () => {
  const text = await aiot(['events'])
  assert.equal(text.code, 0, text.stderr)
  assert.match(text.stdout, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d{4}  joined            n1                \S/m)
  assert.match(text.stdout, / {2}reset             n1 /)
  const all = await events()
  assert.deepEqual(all.map((event) => event.id), all.map((event) => event.id).sort((a, b) => a - b))
  assert.ok(all.some((event) => event.type === 'joined' && event.node === 'n1' && event.gateway === 'paris'))
  assert.ok(all.some((event) => !('node' in event) && event.gateway === 'paris'))
  assert.deepEqual((await events('--node', 'n1', '--type', 'reset')).map((event) => event.type), ['reset'])
  assert.deepEqual(await events('--node', 'nobody'), [])
  assert.deepEqual(await events('--since', '2020-01-01', '--until', '2020-01-02'), [])
  const latest = await events('--limit', '2')
  assert.deepEqual(latest, all.slice(-2))
})

test('a write and its result are events', async () => {
  assert.equal((await aiot(['put', 'n1/led', '1'])).code, 0)
  const [write] = await until('the event', async () => {
    const found = await events('--type', 'write')
    return found.length > 0 && found
  })
  assert.equal(write.data.resource, 'led')
  assert.equal(write.data.confirmed, 'device')
})

test('more events than a page come whole', async () => {
  for (let i = 0; i < 1100; i += 50) {
    await Promise.all(Array.from({ length: 50 }, () => fetch(url.replace('ws:', 'http:') + '/api/v1/nodes/n1/resources/led', { method: 'PUT', headers: { 'content-type': 'application/json' }, body: '{"value":"1"}' }).then((answer) => answer.text())))
  }
  const all = await until('the events', async () => {
    const found = await events('--type', 'write')
    return found.length > 1100 && found
  })
  assert.equal(new Set(all.map((event) => event.id)).size, all.length)
})

test('bad arguments are named', async () => {
  for (const [why, ...args] of [
    [/--since: 'soon' is not a time/, '--since', 'soon'],
    [/--limit: '0'/, '--limit', '0'],
    [/--follow.*--until/, '--follow', '--until', '1h'],
    [/unexpected argument 'n1'/, 'n1'],
  ]) {
    const refused = await aiot(['events', ...args])
    assert.equal(refused.code, 2, args.join(' '))
    assert.match(refused.stderr, why)
  }
  assert.equal((await aiot(['events', '--broker', 'ws://127.0.0.1:9'])).code, 3)
  assert.equal((await aiot(['events', '--follow', '--broker', 'ws://127.0.0.1:9'])).code, 3)
})

test('--follow goes on over a restart of the broker, and over one that lost its store', async () => {
  const follower = new Process(bin, ['--json', 'events', '--follow', '--limit', '1'], { env: { ...environment, AIOT_BROKER: url } })
  await until('the latest event', () => follower.stdout.includes('\n'))
  assert.equal(lines(follower.stdout).length, 1)
  const seen = (pattern) => until(`${pattern} in ${follower.stdout}${follower.stderr}`, () => follower.stdout.split('\n').filter(Boolean).map(JSON.parse).find(pattern))
  const heard = (kind, count = 1) => until(`${count} ${kind}`, () => lines(follower.stderr).filter((line) => line.event === kind).length === count)

  const second = await new CoapNode('127.0.0.3', { led: '0' }).start()
  await second.request(gatewayAddress, 'POST', '/alive', 'alive:n2')
  await seen((event) => event.type === 'joined' && event.node === 'n2')

  const port = broker.listeners.http.port
  await broker.end('SIGKILL')
  await heard('lost')
  broker = await startBroker(port, 'b')
  await heard('resumed')
  const third = await new CoapNode('127.0.0.4', { led: '0' }).start()
  await third.request(gatewayAddress, 'POST', '/alive', 'alive:n3')
  await seen((event) => event.type === 'joined' && event.node === 'n3')
  const ids = lines(follower.stdout).map((event) => event.id)
  assert.equal(new Set(ids).size, ids.length) // nothing twice

  await broker.end('SIGKILL')
  await heard('lost', 2)
  const before = lines(follower.stdout).length
  broker = await startBroker(port, 'empty')
  await heard('gap')
  await until('events of the new broker', () => lines(follower.stdout).length > before)
  const ended = await follower.end('SIGTERM')
  assert.equal(ended.signal, 'SIGTERM')
  for (const one of [node, second, third]) one.stop()
})
