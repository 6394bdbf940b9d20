// The request commands over MQTT, against Debian's mosquitto, its clients and npm's mqtt.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { Mosquitto, freePort } from '../../support/mosquitto.mjs'
import { Process, bin, until } from '../../support/process.mjs'
import { aiot, environment, lines } from './support.mjs'

const mqtt = createRequire(import.meta.url)('mqtt')

let broker
before(async () => {
  broker = await new Mosquitto().start()
})
after(() => broker.end())

const spawn = (args) => new Process(bin, args, { env: environment })
/** mosquitto_pub to `topic`, to its end. */
const send = (topic, value, ...more) =>
  execFileSync('mosquitto_pub', ['-h', '127.0.0.1', '-p', String(broker.port), '-q', '1', '-t', topic, '-m', value, ...more])
/** Publishes until `child` has printed something: nobody sees from outside when a subscription stands. */
async function sendUntilSeen(child, topic, value, seen = () => child.stdout !== '') {
  await until(`${topic} at ${child.child.spawnargs.join(' ')}`, () => (send(topic, value), seen()))
}

test('put publishes a retained message, get reads it, delete clears it', async () => {
  const uri = `${broker.url}/node/n1/led`
  const put = await aiot(['put', uri, '{"value":"1"}'])
  assert.deepEqual([put.code, put.stdout, put.stderr], [0, '', ''])
  const got = await aiot(['--json', 'get', uri])
  assert.equal(got.code, 0, got.stderr)
  const [value] = lines(got.stdout)
  assert.match(value.time, /Z$/)
  delete value.time
  assert.deepEqual(value, {
    uri, resource: 'node/n1/led', value: '{"value":"1"}', protocol: 'MQTT', qos: 1, retained: true,
  })
  assert.equal((await aiot(['get', uri])).stdout, '{"value":"1"}\n')
  assert.equal((await aiot(['delete', uri])).code, 0)
  const gone = await aiot(['--json', 'get', '--timeout', '300ms', uri])
  assert.equal(gone.code, 4)
  assert.equal(lines(gone.stderr)[0].error.code, 'timeout')
})

test('get takes the next message where none is retained, and a wildcard the first that matches', async () => {
  const next = spawn(['get', `${broker.url}/next/%2F?x`])
  await sendUntilSeen(next, 'next/%2F?x', 'now')
  assert.equal((await next.exited).stdout, 'now\n')
  send('w/a/1', 'A', '-r')
  const wild = lines((await aiot(['--json', 'get', `${broker.url}/w/+/1`])).stdout)[0]
  assert.equal(wild.uri, `${broker.url}/w/a/1`)
  const two = await aiot(['get', `${broker.url}/w/#`, `${broker.url}/w/a/1`])
  assert.equal(two.stdout, `${broker.url}/w/a/1\tA\n${broker.url}/w/a/1\tA\n`)
})

test('failures have their exit status', async () => {
  const closed = await freePort()
  for (const command of [['get'], ['put'], ['publish'], ['observe'], ['discover'], ['delete']]) {
    const refused = await aiot(['--json', ...command, `mqtt://127.0.0.1:${closed}/x`])
    assert.equal(refused.code, 3, `${command}: ${refused.stderr}`)
    assert.equal(lines(refused.stderr)[0].error.code, 'unreachable')
  }
  const unsent = lines((await aiot(['--json', 'put', `mqtt://127.0.0.1:${closed}/x`, '1'])).stderr)[0]
  assert.equal(unsent.error.outcome, 'not_sent')
  for (const [args, names] of [
    [['get', `${broker.url}/`], /topic is missing/],
    [['put', `${broker.url}/a/+`, '1'], /without \+ and #/],
    [['get', `${broker.url}/a#`], /not an MQTT topic/],
    [['observe', `${broker.url}/$share/g`], /not an MQTT topic/],
    [['publish', '--user-property', 'x', `${broker.url}/a`, '1'], /--user-property/],
    [['publish', '--response-topic', 'a/#', `${broker.url}/a`, '1'], /--response-topic/],
    [['publish', '--message-expiry', '0', `${broker.url}/a`, '1'], /--message-expiry/],
    [['get', '--password-file', '/dev/null', `${broker.url}/a`], /--user/],
    [['get', '--ca', 'x', `${broker.url}/a`], /--ca is for TLS/],
    [['put', '--if-match', 'aa', `${broker.url}/a`, '1'], /--if-match/],
    [['observe', '--retained', 'no', 'coap://127.0.0.1/a'], /--retained is for MQTT/],
    [['get', '--user', 'x', 'coap://127.0.0.1/a'], /--user is for MQTT/],
  ]) {
    const refused = await aiot(args)
    assert.equal(refused.code, 2, `${args}: ${refused.stderr}`)
    assert.match(refused.stderr, names)
  }
})

test('user and password come from --user and a file; refused subscriptions are exit 5', async () => {
  const closed = new Mosquitto({ config: 'allow_anonymous false\npassword_file FOLDER/passwords', files: { passwords: '' } })
  execFileSync('mosquitto_passwd', ['-b', join(closed.folder, 'passwords'), 'anna', 'right'])
  closed.write('right', 'right\n')
  closed.write('wrong', 'wrong\n')
  await closed.start()
  const file = (name) => join(closed.folder, name)
  const ask = (args, env) => aiot(['put', ...args, `${closed.url}/x`, '1'], { env })
  assert.equal((await ask([])).code, 7)
  assert.equal((await ask(['--user', 'anna', '--password-file', file('wrong')])).code, 7)
  assert.equal((await ask(['--user', 'anna', '--password-file', file('wrong'), '--mqtt-version', '3.1.1'])).code, 7)
  assert.equal((await ask(['--user', 'anna', '--password-file', file('right')])).code, 0)
  assert.equal((await ask([], { AIOT_USER: 'anna', AIOT_PASSWORD_FILE: file('right') })).code, 0)
  await closed.end()

  const acl = (acltype, topic) => ({ acltype, topic, allow: true })
  const strict = await new Mosquitto({
    config: 'plugin /usr/lib/x86_64-linux-gnu/mosquitto_dynamic_security.so\nplugin_opt_config_file FOLDER/dynsec.json',
    files: {
      'dynsec.json': JSON.stringify({
        defaultACLAccess: { publishClientSend: true, publishClientReceive: true, subscribe: false, unsubscribe: true },
        roles: [{ rolename: 'some', acls: [acl('subscribePattern', 'node/#')] }],
        groups: [{ groupname: 'all', roles: [{ rolename: 'some' }], clients: [] }],
        clients: [], anonymousGroup: 'all',
      }),
    },
  }).start()
  for (const command of ['get', 'observe']) {
    const refused = await aiot(['--json', command, `${strict.url}/secret`])
    assert.equal(refused.code, 5)
    assert.match(lines(refused.stderr)[0].error.message, /secret/)
  }
  // discover asks for less where it may not hear everything.
  await aiot(['put', `${strict.url}/node/a/led`, '1'])
  const found = await aiot(['--json', 'discover', strict.url])
  assert.equal(found.code, 0, found.stderr)
  assert.ok(lines(found.stdout).some((line) => line.path === 'node/a/led'))
  await strict.end()
})

test('observe takes wildcards and several filters, and counts them together', async () => {
  send('o/1', 'kept', '-r')
  const all = spawn(['--json', 'observe', '--count', '3', `${broker.url}/o/#`, `${broker.url}/p/+`])
  await sendUntilSeen(all, 'p/1', 'b')
  await sendUntilSeen(all, 'o/2', 'c', () => all.child.exitCode !== null)
  const { code, stdout } = await all.exited
  assert.equal(code, 0)
  assert.equal(lines(stdout).length, 3)
  assert.ok(lines(stdout).some((line) => line.uri === `${broker.url}/o/1` && line.retained && line.value === 'kept'))

  const news = spawn(['--json', 'observe', '--retained', 'no', '--count', '1', `${broker.url}/o/#`])
  await sendUntilSeen(news, 'o/3', 'new')
  assert.equal(lines((await news.exited).stdout)[0].value, 'new')
  const old = spawn(['--json', 'observe', '--mqtt-version', '3.1.1', '--retained', 'no', '--count', '1', `${broker.url}/o/#`])
  await sendUntilSeen(old, 'o/3', 'new')
  assert.equal(lines((await old.exited).stdout)[0].value, 'new')
})

test('overlapping filters each get every message once', async () => {
  const both = spawn(['--json', 'observe', '--retained', 'no', `${broker.url}/v/#`, `${broker.url}/v/x`])
  await sendUntilSeen(both, 'v/x', 'start', () => lines(both.stdout).filter((line) => line.value === 'start').length >= 2)
  for (let i = 0; i < 20; i++) send('v/x', `n${i}`)
  await until('the last one, twice', () => lines(both.stdout).filter((line) => line.value === 'n19').length === 2)
  for (let i = 0; i < 20; i++) assert.equal(lines(both.stdout).filter((line) => line.value === `n${i}`).length, 2)
  both.child.kill('SIGTERM')
  assert.equal((await both.exited).signal, 'SIGTERM')
})

test('a shared subscription divides the messages', async () => {
  const members = [1, 2].map(() => spawn(['observe', `${broker.url}/$share/group/s`]))
  const seen = () => members.map((member) => member.stdout.split('\n').filter(Boolean).length)
  await until('both to have some', () => (send('s', 'x'), seen().every((count) => count > 0)))
  const before = seen()
  for (let i = 0; i < 10; i++) send('s', `y${i}`)
  await until('all ten', () => seen()[0] + seen()[1] - before[0] - before[1] >= 10)
  const values = members.flatMap((member) => member.stdout.split('\n').filter((line) => line.startsWith('y')))
  assert.deepEqual(values.sort(), Array.from({ length: 10 }, (_, i) => `y${i}`))
  for (const member of members) await member.end()
})

test('observe says lost and resumed, and goes on', async () => {
  const own = await new Mosquitto().start()
  const child = spawn(['--json', 'observe', `${own.url}/#`])
  const put = (value) => execFileSync('mosquitto_pub', ['-p', String(own.port), '-h', '127.0.0.1', '-t', 't', '-m', value])
  await until('a value', () => (put('one'), child.stdout.includes('"one"')))
  await own.end('SIGKILL')
  await child.line(/"event":"lost"/, 'stdout')
  await own.start()
  await child.line(/"event":"resumed"/, 'stdout')
  await until('a new value', () => (put('two'), child.stdout.includes('"two"')))
  await child.end()
  await own.end()
})

test('publish carries what MQTT 5 has, as another client sees it', async () => {
  const client = await mqtt.connectAsync(broker.url, { protocolVersion: 5 })
  await client.subscribeAsync('m/#', { qos: 2 })
  const packets = []
  client.on('message', (topic, payload, packet) => packets.push(packet))
  const done = await aiot([
    'publish', '--qos', '2', '--retain', '--user-property', 'unit=°C', '--user-property', 'a=b=c', '--content-type', 'text/plain',
    '--message-expiry', '1h', '--response-topic', 'answers', `${broker.url}/m/5`, '23',
  ])
  assert.equal(done.code, 0, done.stderr)
  assert.equal((await aiot(['publish', `${broker.url}/m/0`, 'plain'])).code, 0)
  await until('both', () => packets.length === 2)
  const [five, plain] = packets
  assert.equal(five.qos, 2)
  assert.deepEqual({ ...five.properties.userProperties }, { unit: '°C', a: 'b=c' })
  assert.equal(five.properties.contentType, 'text/plain')
  assert.equal(five.properties.responseTopic, 'answers')
  assert.ok(five.properties.messageExpiryInterval > 3500)
  assert.equal(plain.qos, 0)
  assert.equal(plain.retain, false)
  assert.equal((await aiot(['get', `${broker.url}/m/5`])).stdout, '23\n')
  await client.endAsync()
})

test('discover finds nodes by pyaiot and Home Assistant, and other topics', async () => {
  const own = await new Mosquitto().start()
  const client = await mqtt.connectAsync(own.url)
  await client.subscribeAsync('gateway/+/discover')
  client.on('message', (topic, payload) => {
    if (topic === 'gateway/n7/discover' && payload.toString() === 'resources') client.publish('node/n7/resources', '["led","name"]')
  })
  const announce = setInterval(() => client.publish('node/check', '{"id":"n7"}'), 100)
  const config = { name: 'Outside', '~': 'z/1', stat_t: '~/state', cmd_t: '~/set', dev: { ids: ['dev1'] } }
  await client.publishAsync('homeassistant/sensor/dev1/t/config', JSON.stringify(config), { retain: true })
  await client.publishAsync('homeassistant/sensor/bad/config', '{', { retain: true })
  await client.publishAsync('plain/topic', 'x', { retain: true })
  const found = await aiot(['--json', 'discover', '--timeout', '8s', own.url])
  clearInterval(announce)
  assert.equal(found.code, 0, found.stderr)
  const list = lines(found.stdout)
  const node = (name) => list.find((line) => line.type === 'node' && line.node === name)
  const resource = (path) => list.find((line) => line.type === 'resource' && line.path === path)
  assert.deepEqual(node('n7'), { type: 'node', uri: `${own.url}/node/n7`, node: 'n7', protocol: 'MQTT' })
  assert.ok(node('dev1'))
  assert.equal(resource('node/n7/led').node, 'n7')
  assert.equal(resource('node/n7/led').uri, `${own.url}/node/n7/led`)
  assert.deepEqual(resource('z/1/state').attributes, { rt: 'sensor', title: 'Outside', obs: true })
  assert.ok(resource('z/1/set'))
  assert.ok(resource('plain/topic'))
  assert.equal(new Set(found.stdout.split('\n')).size, found.stdout.split('\n').length)
  await client.endAsync()
  await own.end()
})

test('100,000 lines at QoS 1 all arrive, in order', async () => {
  const count = 100_000
  const client = await mqtt.connectAsync(broker.url)
  await client.subscribeAsync('lines', { qos: 1 })
  let arrived = 0
  let inOrder = true
  client.on('message', (topic, payload) => {
    inOrder &&= Number(payload) === arrived
    arrived++
  })
  const input = Array.from({ length: count }, (_, i) => `${i}\n`).join('')
  const done = await aiot(['--json', 'publish', '--lines', '--qos', '1', '--out', '/dev/null', `${broker.url}/lines`], { input })
  assert.equal(done.code, 0, done.stderr)
  assert.deepEqual(lines(done.stderr), [{ ledger: { read: count, sent: count, acknowledged: count, failed: 0 } }])
  await until('all of them', () => arrived >= count, 60_000)
  assert.equal(arrived, count)
  assert.ok(inOrder)
  await client.endAsync()
})

test('a broker restart in the middle of --lines loses none', async () => {
  const own = await new Mosquitto({ config: 'persistence true\npersistence_location FOLDER/' }).start()
  const client = await mqtt.connectAsync(own.url, { clientId: 'reader', clean: false, reconnectPeriod: 100 })
  await client.subscribeAsync('lines', { qos: 1 })
  const arrived = new Set()
  client.on('message', (topic, payload) => arrived.add(payload.toString()))
  const child = spawn(['publish', '--lines', '--qos', '1', `${own.url}/lines`])
  const half = (from) => Array.from({ length: 5000 }, (_, i) => `${from + i}\n`).join('')
  child.child.stdin.write(half(0))
  await until('the middle', () => arrived.size > 100)
  await own.end()
  child.child.stdin.end(half(5000))
  await own.start()
  const { code, stderr } = await child.exited
  assert.equal(code, 0, stderr)
  assert.match(stderr, /10000 lines read, 10000 sent, 10000 acknowledged, 0 failed/)
  await until('all of them', () => arrived.size === 10_000, 30_000)
  await client.endAsync()
  await own.end()
})

test('--lines gives up when no broker comes back, and says what became of the lines', async () => {
  const own = await new Mosquitto().start()
  const child = spawn(['--json', 'publish', '--lines', '--qos', '1', '--timeout', '1s', `${own.url}/lines`])
  child.child.stdin.write('one\n')
  await until('the first acknowledgement', () => child.stdout.includes('lines'))
  await own.end('SIGKILL')
  child.child.stdin.end('two\nthree\n')
  const { code, stderr } = await child.exited
  assert.equal(code, 8)
  const told = lines(stderr)
  assert.equal(told[0].error.code, 'unreachable')
  assert.deepEqual(told.at(-1).ledger ?? told.find((line) => line.ledger).ledger, { read: 3, sent: 3, acknowledged: 1, failed: 2 })
})

test('a signal prints the ledger', async () => {
  const child = spawn(['publish', '--lines', '--qos', '1', `${broker.url}/lines`])
  child.child.stdin.write('one\ntwo\n')
  const reader = await aiot(['get', `${broker.url}/lines`, '--timeout', '100ms'])
  assert.ok([0, 4].includes(reader.code))
  // Acknowledged by the time a later message of another client has been.
  await until('SIGINT to be told', async () => {
    if (child.child.exitCode === null && child.child.signalCode === null) child.child.kill('SIGINT')
    return /lines read/.test(child.stderr)
  })
  assert.equal((await child.exited).signal, 'SIGINT')
})
