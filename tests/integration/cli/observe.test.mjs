// observe: counts and times, events over a restart of the server, --poll and --exec.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Process, bin, scratch, until } from '../../support/process.mjs'
import { aiot, environment, libcoapServer, lines } from './support.mjs'

test('observe --count 3 prints three values', async () => {
  const server = await libcoapServer()
  const got = await aiot(['observe', '--count', '3', 'coap://127.0.0.1/time'])
  assert.equal(got.code, 0, got.stderr)
  assert.equal(got.stdout.trimEnd().split('\n').length, 3)
  const two = await aiot(['--json', 'observe', '-n', '2', 'coap://127.0.0.1/time'])
  assert.equal(lines(two.stdout).filter((line) => 'value' in line).length, 2)
  await server.end()
})

test('--for ends it: 0 without --count, 4 when the count was not reached', async () => {
  const server = await libcoapServer()
  assert.equal((await aiot(['observe', '--for', '1500ms', 'coap://127.0.0.1/time'])).code, 0)
  const short = await aiot(['--json', 'observe', '--for', '300ms', '--count', '1000', 'coap://127.0.0.1/time'])
  assert.equal(short.code, 4)
  assert.equal(lines(short.stderr).at(-1).error.code, 'timeout')
  await server.end()
})

test('the first answer must come in time, and be observable', async () => {
  const silent = createSocket('udp4')
  await new Promise((resolve) => silent.bind(7001, '127.0.0.1', resolve))
  assert.equal((await aiot(['observe', '--timeout', '1s', 'coap://127.0.0.1:7001/x'])).code, 4)
  silent.close()
  assert.equal((await aiot(['observe', '--timeout', '2s', 'coap://127.0.0.1:7000/x'])).code, 3)
  const node = await new CoapNode('127.0.0.2', { temperature: '20' }).start()
  const refused = await aiot(['--json', 'observe', 'coap://127.0.0.2/temperature'])
  assert.equal(refused.code, 5, refused.stderr)
  assert.equal(lines(refused.stderr).at(-1).error.code, 'rejected')
  node.stop()
})

test('observe survives a kill and restart of the server, and says so with events', async () => {
  let server = await libcoapServer()
  const observer = new Process(bin, ['--json', 'observe', '--timeout', '2s', 'coap://127.0.0.1/time'], { env: environment })
  await until('a value', () => observer.stdout.includes('"value"'))
  await server.end('SIGKILL')
  await until('lost', () => observer.stdout.includes('"event":"lost"'), 60_000)
  server = await libcoapServer()
  await until('resumed', () => observer.stdout.includes('"event":"resumed"'), 60_000)
  const before = observer.stdout.length
  await until('a value after it', () => observer.stdout.slice(before).includes('"value"'), 30_000)
  for (const line of lines(observer.stdout)) {
    if (line.event) assert.equal(line.uri, 'coap://127.0.0.1/time')
  }
  const ended = await observer.end('SIGINT')
  assert.equal(ended.signal, 'SIGINT')
  await server.end()
})

test('--poll follows what cannot be observed, through an outage', async () => {
  const node = await new CoapNode('127.0.0.2', { temperature: '20' }).start()
  const observer = new Process(
    bin,
    ['--json', 'observe', '--poll', '100ms', '--timeout', '500ms', 'coap://127.0.0.2/temperature'],
    { env: environment },
  )
  await until('two values', () => lines(observer.stdout).length >= 2)
  node.silent = true
  await until('lost', () => observer.stdout.includes('"event":"lost"'))
  node.silent = false
  await until('resumed', () => observer.stdout.includes('"event":"resumed"'))
  await observer.end('SIGTERM')
  node.stop()
  assert.equal((await aiot(['observe', '--poll', '1ms', 'coap://127.0.0.2/x'])).code, 2)
})

test('--exec gets the JSON line and fields, and nothing from the network becomes a command', async () => {
  const directory = scratch()
  const evil = "$(touch pwned); `touch pwned`; '; touch pwned; #"
  const node = await new CoapNode('127.0.0.2', { temperature: evil }).start()
  const got = await aiot(
    [
      'observe', '--poll', '50ms', '--count', '2', '--exec',
      'cat >> lines; printf "%s|%s|%s\\n" "$AIOT_VALUE" "$AIOT_RESOURCE" "$AIOT_URI" >> fields',
      'coap://127.0.0.2/temperature',
    ],
    { cwd: directory },
  )
  assert.equal(got.code, 0, got.stderr)
  assert.equal(got.stdout, '')
  const written = lines(readFileSync(join(directory, 'lines'), 'utf8'))
  assert.equal(written.length, 2)
  assert.equal(written[0].value, evil)
  assert.equal(
    readFileSync(join(directory, 'fields'), 'utf8'),
    `${evil}|temperature|coap://127.0.0.2/temperature\n`.repeat(2),
  )
  assert.ok(!existsSync(join(directory, 'pwned')))
  node.stop()
})

test('--exec runs one command at a time, and a failing one is told', async () => {
  const directory = scratch()
  const node = await new CoapNode('127.0.0.2', { temperature: '1' }).start()
  const got = await aiot(
    [
      'observe', '--poll', '10ms', '--count', '8', '--exec',
      'mkdir lock || touch overlap; sleep 0.03; rmdir lock; exit 3', 'coap://127.0.0.2/temperature',
    ],
    { cwd: directory },
  )
  assert.equal(got.code, 0)
  assert.match(got.stderr, /status 3/)
  assert.ok(!existsSync(join(directory, 'overlap')))
  node.stop()
})

test('an observation is taken back at the end', async () => {
  const server = await libcoapServer(['-v', '7'])
  const observer = new Process(bin, ['observe', 'coap://127.0.0.1/time'], { env: environment })
  await until('a value', () => observer.stdout.length > 0)
  await observer.end('SIGTERM')
  // GET with Observe 1 (RFC 7641 section 3.6), or a reset of the next notification.
  await until('the deregistration', () => /Observe:1|removed subscription|RST/i.test(server.stdout + server.stderr), 10_000)
  await server.end()
})
