// The commands that go through a broker, with a gateway and nodes behind it: all real processes.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Process, bin, daemon, scratch, until } from '../../support/process.mjs'
import { WebClient } from '../../support/web_client.mjs'
import { aiot as plain, environment, lines } from './support.mjs'

let broker, gateway, node, url, keys
const aiot = (args, options = {}) => plain(args, { ...options, env: { AIOT_BROKER: url, ...options.env } })

before(async () => {
  const directory = scratch()
  keys = join(directory, 'keys')
  broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', join(directory, 'b')], { env: environment })
  url = `ws://127.0.0.1:${broker.listeners.http.port}`
  gateway = await daemon(
    ['serve-gateway', '--broker', url, '--coap', '127.0.0.1:5683', '--name', 'paris', '--key-file', keys, '--state-dir', join(directory, 'g')],
    { env: environment },
  )
  node = await new CoapNode('127.0.0.2', { temperature: '23°C', led: '0' }).start()
  await until('an answer to alive', async () => {
    const answer = await node.request({ address: '127.0.0.1', port: 5683 }, 'POST', '/alive', 'alive:n1')
    return answer.code === '2.04'
  })
  await until('the node at the broker', async () => (await aiot(['get', 'n1/led'])).code === 0)
})
after(() => node.stop())

test('get prints the last value with state and age', async () => {
  assert.equal((await aiot(['get', 'n1/temperature'])).stdout, '23°C\n')
  const got = lines((await aiot(['--json', 'get', 'n1/temperature'])).stdout)[0]
  assert.equal(got.node, 'n1')
  assert.equal(got.gateway, 'paris')
  assert.equal(got.resource, 'temperature')
  assert.equal(got.number, 23)
  assert.equal(got.protocol, 'CoAP')
  assert.equal(got.state, 'live')
  assert.equal(typeof got.age_s, 'number')
  assert.equal((await aiot(['get', `aiot://127.0.0.1:${broker.listeners.http.port}/n1/led`])).stdout, '0\n')
  assert.equal((await aiot(['get', '--max-age', '0.001', 'n1/temperature'])).code, 4)
  assert.equal((await aiot(['get', 'n1/nothing'])).code, 5)
  assert.equal((await aiot(['get', 'nobody/led'])).code, 5)
})

test('a write is confirmed by the device', async () => {
  const put = await aiot(['--json', 'put', 'n1/led', '1'])
  assert.equal(put.code, 0, put.stderr)
  assert.equal(lines(put.stdout)[0].confirmed, 'device')
  assert.equal(node.resources.get('led'), '1')
  const refused = await aiot(['--json', 'put', 'n1/temperature', '1'])
  assert.equal(refused.code, 5, refused.stderr)
  assert.equal(lines(refused.stderr).at(-1).error.outcome, 'rejected')
  // As on coap: the answer's payload in text, and it has none; a line in JSON.
  const text = await aiot(['put', 'n1/led', '0'])
  assert.deepEqual([text.code, text.stdout, text.stderr], [0, '', ''])
})

test('a write whose condition cannot reach the node does not act', async () => {
  node.resources.set('led', '0')
  const conditional = await aiot(['--json', 'put', '--if-match', '3a7f', 'n1/led', '1'])
  assert.equal(conditional.code, 2)
  assert.equal(lines(conditional.stderr)[0].error.outcome, 'not_sent')
  assert.equal(node.resources.get('led'), '0')
})

test('observing everything of a node gives its resources, each once', async () => {
  const got = await aiot(['--json', 'observe', '--for', '1500ms', 'n1/*'])
  assert.deepEqual(lines(got.stdout).map((line) => line.resource), ['led', 'temperature'])
})

test('observe follows a pattern', async () => {
  const observer = new Process(bin, ['--json', 'observe', '--count', '2', '*/temperature'], {
    env: { ...environment, AIOT_BROKER: url },
  })
  await until('the snapshot', () => observer.stdout.includes('23°C'))
  await node.request({ address: '127.0.0.1', port: 5683 }, 'POST', '/server', 'temperature:24°C')
  const ended = await observer.exited
  assert.equal(ended.code, 0, ended.stderr)
  const values = lines(ended.stdout).filter((line) => 'value' in line)
  assert.deepEqual(values.map((line) => line.value), ['23°C', '24°C'])
})

test('nodes are listed as a table, as JSON and as CSV, and filtered', async () => {
  const table = await aiot(['nodes'])
  assert.equal(table.code, 0, table.stderr)
  assert.match(table.stdout, /^UID +STATE +PROTOCOL +GATEWAY +ADDRESS +FIRST SEEN .*RESOURCES\nn1 +live +CoAP +paris +127\.0\.0\.2/)
  const [one, ...more] = lines((await aiot(['nodes', '--json'])).stdout)
  assert.equal(more.length, 0)
  assert.equal(one.uid, 'n1')
  assert.ok('temperature' in one.resources)
  assert.match((await aiot(['nodes', '--output', 'csv'])).stdout, /,n1,led,aiot:\/\/127\.0\.0\.1:\d+\/n1\/led,/)
  assert.equal((await aiot(['nodes', '--json', '--state', 'out'])).stdout, '')
  assert.equal(lines((await aiot(['nodes', '--json', '-q', 'n1'])).stdout).length, 1)
  assert.equal((await aiot(['nodes', '--broker', 'ws://127.0.0.1:9'])).code, 3)
})

test('discover lists what the broker knows', async () => {
  const found = lines((await aiot(['discover', '--json', url.replace('ws:', 'aiot:')])).stdout)
  assert.ok(found.some((entry) => entry.type === 'node' && entry.node === 'n1'))
  assert.ok(found.some((entry) => entry.type === 'resource' && entry.node === 'n1' && /led$/.test(entry.uri)))
})

test('discover and get work against the gateway itself', async () => {
  const core = await aiot(['get', 'coap://127.0.0.1/.well-known/core'])
  assert.equal(core.code, 0, core.stderr)
  assert.match(core.stdout, /<\/alive>/)
  const found = lines((await aiot(['discover', '--json', 'coap://127.0.0.1'])).stdout)
  assert.ok(found.some((entry) => entry.path === '/server'))
})

test('an address in use is exit 3', async () => {
  const second = await plain(['serve-broker', '--listen', `127.0.0.1:${broker.listeners.http.port}`, '--key-file', join(scratch(), 'k'), '--state-dir', scratch()])
  assert.equal(second.code, 3, second.stderr)
  const logged = await plain(['serve-broker', '--log-format', 'json', '--listen', `127.0.0.1:${broker.listeners.http.port}`, '--key-file', keys, '--state-dir', scratch()])
  assert.equal(lines(logged.stderr).at(-1).error.code, 'unreachable')
  const coap = await plain(['serve-gateway', '--coap', '127.0.0.1:5683', '--broker', url, '--state-dir', scratch(), '--key-file', keys])
  assert.equal(coap.code, 3, coap.stderr)
})

test('what ends a daemon at its start is JSON on stderr with --log-format json', async () => {
  const directory = scratch()
  const bad = join(directory, 'bad')
  writeFileSync(bad, 'garbage', { mode: 0o600 })
  const taken = `127.0.0.1:${broker.listeners.http.port}`
  for (const [code, ...args] of [
    ['unreachable', 'serve-broker', '--listen', taken, '--key-file', keys],
    ['usage', 'serve-broker', '--listen', '127.0.0.1:0', '--key-file', bad],
    ['usage', 'serve-broker', '--listen', '0.0.0.0:0', '--key-file', join(directory, 'none')],
    ['unreachable', 'serve-gateway', '--standalone', '--listen', taken, '--coap', '127.0.0.3:0', '--key-file', keys],
    ['unreachable', 'serve-gateway', '--coap', '127.0.0.1:5683', '--broker', url, '--key-file', keys],
    ['usage', 'serve-gateway', '--coap', '127.0.0.3:0', '--broker', url, '--key-file', bad],
  ]) {
    const ended = await plain([...args, '--log-format', 'json', '--state-dir', scratch()])
    assert.equal(ended.code, code === 'usage' ? 2 : 3, ended.stderr)
    assert.equal(lines(ended.stderr).at(-1).error.code, code, ended.stderr) // every line is JSON
  }
})

test('TLS to a broker without TLS is exit 7, at once', async () => {
  for (const scheme of ['wss', 'https', 'aiots']) {
    const base = `${scheme}://127.0.0.1:${broker.listeners.http.port}`
    for (const command of [['nodes'], ['get', 'n1/led'], ['observe', 'n1/led']]) {
      const started = Date.now()
      const ended = await plain([...command, '--broker', base, '--timeout', '20s'])
      assert.equal(ended.code, 7, `${scheme} ${command}: ${ended.stderr}`)
      assert.ok(Date.now() - started < 10_000)
    }
  }
})

test('keys that others can read are warned of, a demo for the network is refused, and so is --standalone with --broker', async () => {
  const directory = scratch()
  const open = join(directory, 'open')
  assert.equal((await plain(['keys', 'generate', '--key-file', open])).code, 0)
  chmodSync(open, 0o644)
  const loose = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', open, '--state-dir', scratch()], { env: environment })
  assert.match(loose.stderr, /open to others \(mode 0644\): chmod 600/)
  assert.ok(loose.stderr.includes(open))
  assert.equal((await loose.end()).code, 0)
  assert.ok(!/open to others/.test(broker.stderr))

  const demo = await plain(['demo', '--listen', '0.0.0.0:0', '--for', '1s'], { env: { TMPDIR: directory } })
  assert.equal(demo.code, 2, demo.stderr)
  assert.match(demo.stderr, /loopback/)

  const both = await plain(['serve-gateway', '--standalone', '--broker', url, '--listen', '127.0.0.1:0', '--coap', '127.0.0.3:0', '--key-file', join(directory, 'k'), '--state-dir', scratch()])
  assert.equal(both.code, 2, both.stderr)
  assert.match(both.stderr, /--standalone .*--broker/)
  assert.ok(!existsSync(join(directory, 'k')))
})

test('of two gateways with one name one serves, and clients see no storm', async () => {
  const client = new WebClient(`${url}/ws`)
  await client.opened
  client.send({ type: 'new', data: 'client' })
  const twin = (host) => daemon(['serve-gateway', '--broker', url, '--coap', `${host}:0`, '--name', 'twin', '--key-file', keys, '--state-dir', scratch()], { env: environment })
  const first = await twin('127.0.0.5')
  await broker.line(/gateway twin connected/)
  const other = await new CoapNode('127.0.0.6', { led: '0' }).start()
  await other.request({ address: '127.0.0.5', port: first.listeners.coap.port }, 'POST', '/alive', 'alive:t1')
  await client.wait((m) => m.uid === 't1' && m.endpoint === 'led')
  const second = await twin('127.0.0.7')
  await broker.line(/name_conflict/)
  await new Promise((resolve) => setTimeout(resolve, 8000)) // the time in which they once fought 21 times
  const conflicts = broker.stderr.match(/name_conflict:/g).length
  assert.ok(conflicts <= 2, `${conflicts} conflicts`)
  const told = client.messages.filter((m) => m.uid === 't1' && (m.type === 'new' || m.type === 'out'))
  assert.ok(told.length <= 4, JSON.stringify(told))
  other.stop()
  await client.close()
  for (const gateway of [first, second]) assert.equal((await gateway.end()).code, 0)
})

test('--standalone serves everything from one process', async () => {
  const directory = scratch()
  const both = await daemon(
    ['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.3:0', '--key-file', join(directory, 'k'), '--state-dir', directory],
    { env: environment },
  )
  const gatewayAddress = { address: '127.0.0.3', port: both.listeners.coap.port }
  const other = await new CoapNode('127.0.0.4', { led: '0' }).start()
  await other.request(gatewayAddress, 'POST', '/alive', 'alive:n2')
  const env = { AIOT_BROKER: `ws://127.0.0.1:${both.listeners.http.port}` }
  await until('the node', async () => (await plain(['get', 'n2/led'], { env })).code === 0)
  other.stop()
  assert.equal((await both.end()).code, 0)
})

test('a broker under a path of its own is reached with --broker', async () => {
  // A reverse proxy in four lines: what comes for /iot goes on without it.
  const proxy = createServer((client) => {
    const upstream = connect(broker.listeners.http.port, '127.0.0.1')
    client.once('data', (head) => {
      upstream.write(head.toString('latin1').replace(/^(\w+) \/iot\//, '$1 /'), 'latin1')
      client.pipe(upstream).pipe(client)
    })
    for (const socket of [client, upstream]) socket.on('error', () => socket.destroy())
  })
  await new Promise((resolve) => proxy.listen(0, '127.0.0.1', resolve))
  const AIOT_BROKER = `http://127.0.0.1:${proxy.address().port}/iot`
  assert.equal((await plain(['get', 'n1/temperature'], { env: { AIOT_BROKER } })).code, 0)
  assert.match((await plain(['nodes'], { env: { AIOT_BROKER } })).stdout, /^n1 /m)
  const followed = await plain(['observe', '--count', '1', 'n1/led'], { env: { AIOT_BROKER } })
  assert.equal(followed.code, 0, followed.stderr)
  proxy.close()
})

test('get expands a pattern', async () => {
  const second = await new CoapNode('127.0.0.3', { temperature: '5', 'a/temperature': '6' }).start()
  await second.request({ address: '127.0.0.1', port: 5683 }, 'POST', '/alive', 'alive:a2')
  after(() => second.stop())
  await until('the second node', async () => (await aiot(['get', 'a2/temperature'])).code === 0)
  const all = await aiot(['--json', 'get', '*/temperature'])
  assert.equal(all.code, 0, all.stderr)
  assert.deepEqual(lines(all.stdout).map((line) => [line.node, line.resource, line.value]), [
    ['a2', 'temperature', '5'],
    ['n1', 'temperature', (await aiot(['get', 'n1/temperature'])).stdout.trim()],
  ])
  const text = await aiot(['get', 'n1/*'])
  assert.match(text.stdout, /^aiot:\/\/127\.0\.0\.1:\d+\/n1\/led\t\d\naiot:\S+\/n1\/temperature\t\d+°C\n$/)
  const none = await aiot(['--json', 'get', '*/nothing'])
  assert.equal(none.code, 5)
  assert.match(lines(none.stderr)[0].error.uri, /\/\*\/nothing$/)
  assert.equal((await aiot(['get', '*/nothing', 'n1/led'])).code, 8)
  assert.equal((await aiot(['get', 'n9/*'])).code, 5)
  assert.equal((await aiot(['put', '*/led', '1'])).code, 2)
})

test('SIGTERM ends both daemons with 0', async () => {
  assert.equal((await gateway.end()).code, 0)
  assert.equal((await broker.end()).code, 0)
})

test('a second signal ends a daemon at once, and cleanly', async () => {
  const directory = scratch()
  for (let tries = 0; tries < 3; tries++) {
    const both = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.1:0', '--ws', 'off', '--state-dir', join(directory, `${tries}`),
      '--key-file', keys], { env: { ...environment, ASAN_OPTIONS: 'detect_stack_use_after_return=1' } })
    both.child.kill('SIGINT')
    both.child.kill('SIGTERM')
    const { code, signal, stderr } = await both.exited
    assert.equal(signal, null, stderr)
    assert.ok([0, 1].includes(code), stderr)
    assert.doesNotMatch(stderr, /AddressSanitizer|runtime error|could be finished/)
  }
})
