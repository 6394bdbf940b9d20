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

/** Whether a process is there, by the id that it wrote to `file`. */
function runs(file) {
  try {
    process.kill(Number(readFileSync(file, 'utf8')), 0)
    return true
  } catch {
    return false
  }
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} ends the command of --exec and what it started`, async () => {
    const directory = scratch()
    const node = await new CoapNode('127.0.0.2', { temperature: '1' }).start()
    const observer = new Process(
      bin,
      ['observe', '--poll', '50ms', '--exec', 'sleep 600 & echo $! > inner; echo $$ > outer; wait', 'coap://127.0.0.2/temperature'],
      { env: environment, cwd: directory },
    )
    await until('the command', () => existsSync(join(directory, 'outer')) && runs(join(directory, 'outer')))
    const ended = await observer.end(signal)
    assert.equal(ended.signal, signal)
    assert.ok(!runs(join(directory, 'outer')))
    await until('the end of its child', () => !runs(join(directory, 'inner')))
    node.stop()
  })
}

test('--for bounds --exec too, and says what it did not run', async () => {
  const directory = scratch()
  const node = await new CoapNode('127.0.0.2', { temperature: '1' }).start()
  for (const count of [[], ['--count', '5']]) {
    const started = Date.now()
    const got = await aiot(
      ['--json', 'observe', '--poll', '20ms', ...count, '--for', '1s', '--exec', 'echo >> runs; trap "" TERM; sleep 600', 'coap://127.0.0.2/temperature'],
      { cwd: directory },
    )
    assert.equal(got.code, 0, got.stderr)
    assert.ok(Date.now() - started < 10_000)
    const gap = lines(got.stderr).find((line) => line.event === 'gap')
    assert.ok(gap.missed >= 4, got.stderr)
  }
  assert.equal(readFileSync(join(directory, 'runs'), 'utf8'), '\n\n')
  node.stop()
})

test('--exec leaves out of the environment what does not fit there, and the token', async () => {
  const directory = scratch()
  const node = await new CoapNode('127.0.0.2', { temperature: 'a\0b' }).start()
  const got = await aiot(
    ['observe', '--poll', '20ms', '--count', '2', '--exec', 'cat >> lines; env >> environment', 'coap://127.0.0.2/temperature'],
    { cwd: directory, env: { AIOT_TOKEN: 'secret', AIOT_VALUE: 'outer' } },
  )
  assert.equal(got.code, 0)
  assert.equal(lines(readFileSync(join(directory, 'lines'), 'utf8'))[0].value, 'a\0b')
  const seen = readFileSync(join(directory, 'environment'), 'utf8')
  assert.match(seen, /AIOT_RESOURCE=temperature/)
  assert.ok(!/AIOT_VALUE|AIOT_TOKEN|secret/.test(seen))
  assert.equal(got.stderr.match(/AIOT_VALUE/g).length, 1, 'said once')
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
