// get, put, post, delete, publish and discover against Debian's server, npm's coap and a node made by hand.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { createSocket } from 'node:dgram'
import { writeFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { scratch } from '../../support/process.mjs'
import { aiot, libcoapServer, lines } from './support.mjs'

const require = createRequire(import.meta.url)
const coap = require('coap')

let server
let node
before(async () => {
  server = await libcoapServer(['-d', '10'])
  node = await new CoapNode('127.0.0.2', { temperature: '23°C', led: '0' }).start()
})
after(async () => {
  node.stop()
  await server.end()
})

test('get prints one JSON line with code 2.05', async () => {
  const got = await aiot(['--json', 'get', 'coap://127.0.0.1/time'])
  assert.equal(got.code, 0, got.stderr)
  assert.equal(got.stderr, '')
  const [value, ...more] = lines(got.stdout)
  assert.equal(more.length, 0)
  assert.equal(value.code, '2.05')
  assert.equal(value.uri, 'coap://127.0.0.1/time')
  assert.equal(value.resource, 'time')
  assert.equal(value.protocol, 'CoAP')
  assert.match(value.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
  assert.ok(value.rtt_ms > 0)
})

test('get prints the payload and a newline, nothing else', async () => {
  const got = await aiot(['get', 'coap://127.0.0.2/temperature'])
  assert.deepEqual([got.code, got.stdout, got.stderr], [0, '23°C\n', ''])
  const json = lines((await aiot(['get', '--json', 'coap://127.0.0.2/temperature'])).stdout)[0]
  assert.equal(json.number, 23)
  assert.equal(json.unit, '°C')
  assert.equal((await aiot(['get', '--raw', 'coap://127.0.0.2/temperature'])).stdout, '23°C')
})

test('several targets print URI, tab and value in the order of the arguments', async () => {
  const targets = ['coap://127.0.0.2/led', 'coap://127.0.0.1/time', 'coap://127.0.0.2/temperature']
  const got = await aiot(['get', ...targets])
  assert.equal(got.code, 0)
  const rows = got.stdout.trimEnd().split('\n').map((line) => line.split('\t'))
  assert.deepEqual(rows.map((row) => row[0]), targets)
  assert.equal(rows[0][1], '0')
  const file = join(scratch(), 'targets')
  writeFileSync(file, `# two\n${targets[0]}\n\n${targets[2]}\n`)
  const listed = await aiot(['get', '--from', file, '--output', 'csv'])
  const csv = listed.stdout.split('\r\n')
  assert.equal(csv[0], 'time,node,resource,uri,value,number,unit')
  assert.match(csv[2], /^\d{4}-.*Z,,temperature,coap:\/\/127\.0\.0\.2\/temperature,23°C,23\.0,°C$/)
  const piped = await aiot(['get', '--from', '-'], { input: `${targets[0]}\n` })
  assert.equal(piped.stdout, `${targets[0]}\t0\n`)
  const bad = await aiot(['get', '--from', '-'], { input: `${targets[0]}\nnonsense\n` })
  assert.equal(bad.code, 2)
  assert.match(bad.stderr, /standard input:2/)
})

test('the exit status tells what went wrong', async (t) => {
  const silent = createSocket('udp4')
  await new Promise((resolve) => silent.bind(7001, '127.0.0.1', resolve))
  const answers = { '4.04': 5, '4.05': 5, '4.01': 7, '4.03': 7, '5.00': 6, '5.03': 6 }
  node.answer = (packet, method, path) => (path.startsWith('/code/') ? { code: path.slice(6), payload: 'why' } : undefined)
  const cases = [
    ['coap://127.0.0.1/nothing', 5, 'rejected'],
    ['coap://127.0.0.1:7000/x', 3, 'unreachable'],
    ['coap+tcp://127.0.0.1:7000/x', 3, 'unreachable'],
    ['coap://no-such-host.invalid/x', 3, 'unreachable'],
    ['coap://127.0.0.1:7001/x', 4, 'timeout'],
    ...Object.entries(answers).map(([code, status]) => [
      `coap://127.0.0.2/code/${code}`,
      status,
      { 5: 'rejected', 6: 'peer_failed', 7: 'unauthorized' }[status],
    ]),
  ]
  for (const [uri, status, code] of cases) {
    await t.test(`${uri} is ${status}`, async () => {
      const json = await aiot(['--json', '--timeout', '1500ms', 'get', uri])
      assert.equal(json.code, status, json.stderr)
      assert.equal(json.stdout, '')
      const errors = lines(json.stderr)
      assert.equal(errors.length, 1)
      assert.deepEqual(Object.keys(errors[0].error), ['code', 'message', 'uri'])
      assert.equal(errors[0].error.code, code)
      assert.equal(errors[0].error.uri, uri)
      const text = await aiot(['get', '--timeout', '1500ms', uri])
      assert.equal(text.code, status)
      assert.equal(text.stderr.trimEnd().split('\n').length, 1)
    })
  }
  await t.test('some of several is 8, all is the first one', async () => {
    const some = await aiot(['--json', 'get', 'coap://127.0.0.1/nothing', 'coap://127.0.0.2/led'])
    assert.equal(some.code, 8)
    assert.equal(lines(some.stdout).length, 1)
    assert.deepEqual(lines(some.stderr).map((line) => line.error.code), ['rejected', 'partial'])
    const all = await aiot(['get', 'coap://127.0.0.1:7000/x', 'coap://127.0.0.1/nothing'])
    assert.equal(all.code, 3)
  })
  await t.test('a name that is a file is 1', async () => {
    assert.equal((await aiot(['put', 'coap://127.0.0.2/led', '@/nonexistent'])).code, 1)
  })
  node.answer = undefined
  silent.close()
})

test('--timeout holds for each target', async () => {
  const silent = createSocket('udp4')
  await new Promise((resolve) => silent.bind(7002, '127.0.0.1', resolve))
  const started = Date.now()
  const got = await aiot(['get', '--timeout', '700ms', 'coap://127.0.0.1:7002/a'])
  assert.equal(got.code, 4)
  assert.ok(Date.now() - started < 3000)
  silent.close()
})

test('values are sent byte for byte', async () => {
  const seen = []
  node.answer = (packet, method) => {
    if (method !== 'PUT') return undefined
    seen.push(Buffer.from(packet.payload).toString('latin1'))
    return { code: '2.04' }
  }
  const put = (args, options) => aiot(['put', 'coap://127.0.0.2/led', ...args], options)
  const file = join(scratch(), 'value')
  writeFileSync(file, Buffer.from([0, 255, 10]))
  for (const args of [['1'], ['-5'], ['-.5'], ['{}'], ['[1,2]'], [''], [], [`@${file}`], ['--', '--json']]) {
    const done = await put(args)
    assert.deepEqual([done.code, done.stdout, done.stderr], [0, '', ''], args.join(' '))
  }
  assert.equal((await put(['-'], { input: 'from stdin\n' })).code, 0)
  assert.deepEqual(seen, ['1', '-5', '-.5', '{}', '[1,2]', '', '', '\x00\xff\n', '--json', 'from stdin\n'])
  node.answer = undefined
})

test('put, post and delete work against libcoap, and say how', async () => {
  assert.equal((await aiot(['put', 'coap://127.0.0.1/made', 'hello'])).code, 0)
  assert.equal((await aiot(['get', 'coap://127.0.0.1/made'])).stdout, 'hello\n')
  const written = lines((await aiot(['put', '--json', 'coap://127.0.0.1/made', 'again'])).stdout)[0]
  assert.equal(written.code, '2.04')
  assert.ok(!('value' in written))
  assert.equal((await aiot(['delete', 'coap://127.0.0.1/made'])).code, 0)
  assert.equal((await aiot(['get', 'coap://127.0.0.1/made'])).code, 5)
  const failed = await aiot(['--json', 'put', 'coap://127.0.0.2/temperature', '1'])
  assert.equal(lines(failed.stderr)[0].error.outcome, 'rejected')
  const nowhere = await aiot(['--json', 'put', 'coap+tcp://127.0.0.1:7000/x', '1'])
  assert.equal(lines(nowhere.stderr)[0].error.outcome, 'not_sent')
})

test('publish posts one message, or each line', async () => {
  const seen = []
  node.answer = (packet, method, path) => {
    if (method !== 'POST') return undefined
    const text = Buffer.from(packet.payload).toString()
    seen.push(`${path} ${text}`)
    return text === 'bad' ? { code: '4.00' } : { code: '2.04' }
  }
  assert.equal((await aiot(['publish', 'coap://127.0.0.2/server', 'temperature:23'])).code, 0)
  const many = await aiot(['publish', '--lines', 'coap://127.0.0.2/server'], { input: 'a\nb\nlast' })
  assert.equal(many.code, 0, many.stderr)
  assert.deepEqual(seen.splice(0), ['/server temperature:23', '/server a', '/server b', '/server last'])
  // A line of text may end in CRLF; a VALUE is sent byte for byte.
  assert.equal((await aiot(['publish', '--lines', 'coap://127.0.0.2/server'], { input: 'a\r\nb\r\r\nc\r' })).code, 0)
  assert.equal((await aiot(['publish', 'coap://127.0.0.2/server', '-'], { input: 'd\r\n' })).code, 0)
  assert.deepEqual(seen, ['/server a', '/server b\r', '/server c', '/server d\r\n'])
  const some = await aiot(['publish', '--lines', 'coap://127.0.0.2/server'], { input: 'a\nbad\n' })
  assert.equal(some.code, 8)
  assert.match(some.stderr, /line 2/)
  assert.equal((await aiot(['publish', '--lines', 'coap://127.0.0.2/server'], { input: '' })).code, 0)
  assert.equal((await aiot(['publish', '--qos', '1', 'coap://127.0.0.2/server', 'x'])).code, 2)
  node.answer = undefined
})

test('discover lists the resources of a host with attributes', async () => {
  const found = await aiot(['discover', '--json', 'coap://127.0.0.1'])
  assert.equal(found.code, 0, found.stderr)
  const time = lines(found.stdout).find((entry) => entry.path === '/time')
  assert.equal(time.type, 'resource')
  assert.equal(time.uri, 'coap://127.0.0.1/time')
  assert.equal(time.attributes.if, 'clock')
  assert.equal(time.attributes.obs, true)
  assert.match((await aiot(['discover', 'coap://127.0.0.1'])).stdout, /^coap:\/\/127\.0\.0\.1\/time .*obs/m)
  assert.equal((await aiot(['discover', '--timeout', '1s', 'coap://127.0.0.1:7000'])).code, 3)
})

test('discover without a target hears loopback and says what it asked', async () => {
  const found = await aiot(['discover', '--json', '--timeout', '2s'])
  assert.equal(found.code, 0, found.stderr)
  assert.ok(lines(found.stdout).length > 0)
  assert.match(lines(found.stderr)[0].message, /127\.0\.0\.1:8000/)
  assert.equal((await aiot(['discover', '--quiet', '--timeout', '1s'])).stderr, '')
})

test('it all works against npm coap too', async () => {
  const npm = coap.createServer((request, response) => {
    if (request.url === '/.well-known/core') {
      response.setOption('Content-Format', 'application/link-format')
      return response.end('</t>;rt="temperature";obs,</j>;ct=50')
    }
    if (request.url === '/j') {
      response.setOption('Content-Format', 'application/json')
      return response.end(JSON.stringify({ method: request.method, got: request.payload.toString() }))
    }
    response.code = '4.04'
    response.end('none')
  })
  await new Promise((resolve) => npm.listen(7003, '127.0.0.1', resolve))
  const got = lines((await aiot(['--json', 'get', 'coap://127.0.0.1:7003/j'])).stdout)[0]
  assert.deepEqual(got.value, { method: 'GET', got: '' })
  assert.equal(got.format, 'application/json')
  const posted = await aiot(['post', 'coap://127.0.0.1:7003/j', 'x'])
  assert.equal(posted.stdout, '{"method":"POST","got":"x"}\n')
  const found = lines((await aiot(['discover', '--json', 'coap://127.0.0.1:7003'])).stdout)
  assert.deepEqual(found.map((entry) => entry.path).sort(), ['/j', '/t'])
  assert.equal((await aiot(['get', 'coap://127.0.0.1:7003/x'])).code, 5)
  npm.close()
})

test('--out writes the exact bytes of one payload to a file', async () => {
  const file = join(scratch(), 'out')
  const got = await aiot(['get', '--out', file, 'coap://127.0.0.2/temperature'])
  assert.deepEqual([got.code, got.stdout], [0, ''])
  assert.equal(readFileSync(file, 'utf8'), '23°C')
  assert.equal((await aiot(['get', '--out', '/dev/null/x', 'coap://127.0.0.2/led'])).code, 1)
})
