// nodes, label, forget and status; get's age and state; writes with a key and an end.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { daemon, run, bin, scratch, until } from '../../support/process.mjs'
import { aiot as plain, environment, lines } from './support.mjs'

let broker, gateway, url
const nodes = []
const aiot = (args, options = {}) => plain(args, { ...options, env: { AIOT_BROKER: url, ...options.env } })
const listed = async (...args) => lines((await aiot(['--json', 'nodes', ...args])).stdout)
const uids = async (...args) => (await listed(...args)).map((node) => node.uid)
const post = (node, word) => node.request({ address: '127.0.0.1', port: 5683 }, 'POST', '/alive', word)

before(async () => {
  const directory = scratch()
  const keys = join(directory, 'keys')
  broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', join(directory, 'b')], { env: environment })
  url = `ws://127.0.0.1:${broker.listeners.http.port}`
  gateway = await daemon(['serve-gateway', '--broker', url, '--coap', '127.0.0.1:5683', '--name', 'paris', '--key-file', keys, '--state-dir', join(directory, 'g'), '--max-time-for', 'c*=2s'], { env: environment })
  for (const [i, uid] of ['a1', 'b1', 'c1'].entries()) {
    nodes.push(await new CoapNode(`127.0.0.${i + 2}`, { temperature: `${20 + i}°C`, led: '0' }).start())
    await until(`${uid}'s answer`, async () => (await post(nodes[i], `alive:${uid}`)).code === '2.04')
    await until(`${uid} at the broker`, async () => (await aiot(['get', '--stale', `${uid}/led`])).code === 0)
  }
  nodes[2].answer = () => ({ code: 'silence' })
  await until('a write that c1 does not answer', async () => {
    await post(nodes[2], 'alive:c1')
    return (await aiot(['put', '--timeout', '500ms', 'c1/led', '1'])).code === 4
  })
  nodes[2].stop() // and is out after two seconds
  for (let i = 1; i <= 2; ++i) {
    await post(nodes[1], 'reset:b1')
    await until('a reset', async () => (await listed('-q', 'b1'))[0].stats.resets === i)
  }
  assert.equal((await aiot(['put', 'a1/temperature', '1'])).code, 5)
  await until('c1 to be out', async () => (await uids('--state', 'out'))[0] === 'c1')
})
after(() => nodes.forEach((node) => node.stop()))

test('labels are set, shown, filtered by and removed', async () => {
  assert.deepEqual(await aiot(['label', 'a1', 'room=kitchen', 'floor=2']).then(({ code, stdout, stderr }) => [code, stdout, stderr]), [0, '', ''])
  assert.equal((await aiot(['label', 'a1'])).stdout, 'floor=2\nroom=kitchen\n')
  const [labelled] = lines((await aiot(['--json', 'label', 'b1', 'room=kitchen', 'note=a & b = c'])).stdout)
  assert.deepEqual([labelled.uid, labelled.labels], ['b1', { note: 'a & b = c', room: 'kitchen' }])
  assert.deepEqual(await uids('--label', 'room=kitchen'), ['a1', 'b1'])
  assert.deepEqual(await uids('--label', 'floor=2', '--label', 'room=kitchen'), ['a1'])
  assert.deepEqual(await uids('--label', 'note=a & b = c'), ['b1'])
  assert.equal((await aiot(['label', 'a1', 'floor-', 'room=hall'])).code, 0)
  assert.equal((await aiot(['label', 'a1'])).stdout, 'room=hall\n')
  for (const [code, why, ...args] of [
    [2, /'room' is neither KEY=VALUE nor KEY-/, 'a1', 'room'],
    [2, /'room=' is neither/, 'a1', 'room='],
    [2, /'=x' is neither/, 'a1', '=x'],
    [2, /'a' is given twice/, 'a1', 'a=1', 'a-'],
    [2, /label's name/, 'a1', 'a b=1'],
    [5, /no node is named nobody/, 'nobody', 'a=1'],
    [5, /no node is named nobody/, 'nobody'],
    [2, /UID is missing/],
  ]) {
    const refused = await aiot(['label', ...args])
    assert.equal(refused.code, code, args.join(' '))
    assert.match(refused.stderr, why)
  }
  assert.equal((await aiot(['label', 'a1'])).stdout, 'room=hall\n') // all or none
})

test('nodes shows what the fleet is like, and sorts', async () => {
  const table = (await aiot(['nodes'])).stdout.split('\n')
  assert.match(table[0], /^UID +STATE +PROTOCOL +GATEWAY +ADDRESS +FIRST SEEN +LAST SEEN +INTERVAL +RESETS +TIMEOUTS +REJECTED +LABELS +RESOURCES$/)
  const cell = (row, head) => table[row].slice(table[0].indexOf(head)).split('  ')[0].trim()
  assert.deepEqual(['UID', 'STATE', 'GATEWAY', 'ADDRESS', 'RESETS', 'TIMEOUTS', 'REJECTED', 'LABELS'].map((head) => cell(1, head)),
    ['a1', 'live', 'paris', '127.0.0.2', '0', '0', '1', 'room=hall'])
  assert.match(cell(1, 'FIRST SEEN'), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/)
  assert.equal(cell(2, 'RESETS'), '2')
  assert.deepEqual(['UID', 'STATE', 'TIMEOUTS'].map((head) => cell(3, head)), ['c1', 'out', '1'])
  assert.deepEqual(await uids('--sort', '-uid'), ['c1', 'b1', 'a1'])
  assert.deepEqual(await uids('--sort', '-resets', '--limit', '1'), ['b1'])
  assert.deepEqual(await uids('--sort=-timeouts'), ['c1', 'a1', 'b1'])
  assert.deepEqual(await uids('--sort', 'first-seen'), ['a1', 'b1', 'c1'])
  assert.deepEqual(await uids('--sort', '-first-seen'), ['c1', 'b1', 'a1'])
  assert.deepEqual(await uids('--sort', '-state'), ['c1', 'a1', 'b1'])
  assert.deepEqual(await uids('--limit', '2'), ['a1', 'b1'])
  assert.match((await aiot(['nodes', '--sort', '-uid'])).stdout, /\nc1 [^]*\nb1 [^]*\na1 /)
  const wrong = await aiot(['nodes', '--sort', 'reset'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /did you mean 'resets'/)
})

test('on a terminal get says how old a value is, and what its node is', async () => {
  const terminal = async (command, env = {}) =>
    (await run(['-qec', command, '/dev/null'], { command: 'script', env: { ...environment, AIOT_BROKER: url, aiot: bin, ...env } })).stdout
  assert.match(await terminal('"$aiot" get a1/temperature', { NO_COLOR: '1' }), /^20°C  \(live, [\d.]+m?s?[\d.a-z]* old\)\r\n$/)
  assert.match(await terminal('"$aiot" get a1/temperature'), /^20°C\x1b\[2m {2}\(live, [^)]+ old\)\x1b\[0m\r\n$/)
  assert.match(await terminal('"$aiot" get --stale a1/led c1/led', { NO_COLOR: '1' }), /a1\/led\t0  \(live, .* old\)\r\n.*c1\/led\t0  \(out, .* old\)\r\n$/)
  assert.equal((await terminal('"$aiot" get --raw a1/temperature')), '20°C')
  assert.equal((await aiot(['get', 'a1/temperature'])).stdout, '20°C\n')
})

test('a node that is out is exit 3, --stale gives its last value, --live asks the device', async () => {
  const out = await aiot(['--json', 'get', 'c1/led'])
  assert.equal(out.code, 3)
  assert.match(lines(out.stderr)[0].error.message, /--stale/)
  const [stale] = lines((await aiot(['--json', 'get', '--stale', 'c1/led'])).stdout)
  assert.deepEqual([stale.value, stale.state, typeof stale.age_s], ['0', 'out', 'number'])
  assert.equal((await aiot(['get', '--stale', '--max-age', '10ms', 'c1/led'])).code, 4)
  assert.equal((await aiot(['get', '--live', 'c1/led'])).code, 3)
  nodes[0].resources.set('temperature', '30°C')
  assert.equal((await aiot(['get', 'a1/temperature'])).stdout, '20°C\n')
  assert.equal((await aiot(['get', '--live', 'a1/temperature'])).stdout, '30°C\n')
})

test('a write with --id acts once, and says the same again', async () => {
  const writes = () => nodes[0].requests.filter((request) => request === 'PUT /led').length
  const before = writes()
  const put = (...args) => aiot(['--json', 'put', '--id', 'k1', ...args])
  const first = await put('a1/led', '1')
  const second = await put('a1/led', '1')
  assert.deepEqual([first.code, second.code, lines(second.stdout)[0].confirmed], [0, 0, 'device'])
  assert.equal(writes(), before + 1)
  const other = await put('a1/led', '0') // the key was used for another
  assert.equal(other.code, 2, other.stderr)
  assert.equal(writes(), before + 1)
})

test('a failed write says what is known of it', async () => {
  const failed = async (...args) => {
    const ended = await aiot(['--json', 'put', ...args])
    return [ended.code, lines(ended.stderr).at(-1).error.outcome]
  }
  assert.deepEqual(await failed('a1/temperature', '1'), [5, 'rejected'])
  assert.deepEqual(await failed('c1/led', '1'), [3, 'not_sent'])
  assert.deepEqual(await failed('nobody/led', '1'), [5, 'not_sent'])
  nodes[1].silent = true
  assert.deepEqual(await failed('--timeout', '1s', 'b1/led', '1'), [4, 'unknown'])
  const started = Date.now()
  assert.deepEqual(await failed('--timeout', '20s', '--expires', '500ms', 'b1/led', '1'), [4, 'unknown'])
  assert.ok(Date.now() - started < 10_000)
  nodes[1].silent = false
})

test('forget removes nodes, and names those that are none', async () => {
  const some = await aiot(['--json', 'forget', 'c1', 'nobody'])
  assert.deepEqual([some.code, lines(some.stdout)], [8, [{ uid: 'c1', forgotten: true }]])
  assert.match(lines(some.stderr)[0].error.uri, /\/nobody$/)
  assert.deepEqual(await uids(), ['a1', 'b1'])
  assert.deepEqual(await aiot(['forget', 'b1']).then(({ code, stdout }) => [code, stdout]), [0, ''])
  assert.equal((await aiot(['forget', 'b1'])).code, 5)
  assert.equal((await aiot(['forget'])).code, 2)
})

test('status of a broker and its gateway balances', async () => {
  const [told] = await until('what the gateway counted', async () => {
    const found = lines((await aiot(['--json', 'status'])).stdout)
    return found[0]?.gateways[0]?.received > 0 && found
  }, 60_000)
  assert.equal(told.gateways[0].name, 'paris')
  const text = await aiot(['status'])
  assert.equal(text.code, 0, text.stdout)
  assert.match(text.stdout, /\ngateway paris  connected  \d+ .*\nbroker         up [^]*\nbalanced\n$/)
})

test('status is a table of hops, says whether it balances, and exits by it', async () => {
  const answer = {
    broker: { version: '1', uptime_s: 3725, clients: 2, received: 90, stored: 88, dropped: { invalid: 2, other: 0 }, delivered: 170, queued: 0, committed: 88, bytes: 4096 },
    gateways: [
      { name: 'paris', site: 'home', state: 'connected', nodes: 3, delivered: 90, received: 100, journaled: 99, restored: 1, acknowledged: 90, queued: 10, dropped: {}, counted_at: '2026-01-31T12:00:00.000Z' },
      { name: 'old\u001b[31m', state: 'disconnected' },
    ],
    balanced: true,
    problems: [],
  }
  let body
  const server = createServer((request, response) => {
    assert.equal(request.url, '/api/v1/status')
    response.setHeader('content-type', 'application/json')
    response.end(body)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const status = (args, given) => {
    body = typeof given === 'string' ? given : JSON.stringify(given)
    return plain([...args, 'status', '--broker', `ws://127.0.0.1:${server.address().port}`])
  }
  const good = await status([], answer)
  assert.equal(good.code, 0, good.stderr)
  assert.deepEqual(good.stdout.split('\n').map((line) => line.split(/ {2,}/)), [
    ['HOP', 'STATE', 'NODES', 'RECEIVED', 'STORED', 'RESTORED', 'ACKNOWLEDGED', 'DELIVERED', 'QUEUED', 'DROPPED'],
    ['gateway paris', 'connected', '3', '100', '99', '1', '90', '90', '10', '0'],
    ['gateway old\\x1b[31m', 'disconnected', '-', '-', '-', '-', '-', '-', '-', '-'],
    ['broker', 'up 1h2m5s', '-', '90', '88', '-', '88', '170', '0 B', '2 (invalid 2)'],
    ['balanced'],
    [''],
  ])
  const bad = await status([], { ...answer, balanced: false, problems: ['paris acknowledged 90 of 100', 'two are missing'] })
  assert.equal(bad.code, 1)
  assert.match(bad.stdout, /\nnot balanced: paris acknowledged 90 of 100\nnot balanced: two are missing\n$/)
  assert.equal(bad.stderr, '')
  const json = await status(['--json'], { ...answer, balanced: false })
  assert.deepEqual([json.code, lines(json.stdout)], [1, [{ ...answer, balanced: false }]])
  assert.equal((await status([], { broker: {} })).code, 6)
  assert.equal((await status([], 'no JSON')).code, 6)
  server.close()
})
