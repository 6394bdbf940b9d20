// aiot simulate and aiot demo as a person starts them.
import assert from 'node:assert/strict'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { test } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { Process, bin, daemon, run, scratch, until } from '../support/process.mjs'

test('simulated nodes join a gateway, are discovered and can be written', async () => {
  const gateway = await daemon(['serve-gateway', '--broker', 'off', '--coap', '127.0.0.1:0', '--name', 'g', '--state-dir', scratch()])
  const simulation = new Process(bin, [
    'simulate', 'coap', '--gateway', `127.0.0.1:${gateway.listeners.coap.port}`, '--nodes', '50', '--interval', '100ms',
    '--resources', 'name,temperature,led', '--confirmable',
  ])
  await simulation.line(/ready: 50 nodes from 127\.1\.0\.1/)
  await simulation.line(/all 50 nodes joined/)
  const peer = await new CoapNode('127.0.0.9', {}, { port: 0 }).start()
  const last = { address: '127.1.0.50', port: 5683 }
  assert.equal((await peer.request(last, 'GET', '/.well-known/core')).payload, '</.well-known/core>,</name>,</temperature>,</led>')
  assert.match((await peer.request(last, 'GET', '/temperature')).payload, /^\d+\.\d\d°C$/)
  assert.equal((await peer.request(last, 'PUT', '/led', '1')).code, '2.04')
  assert.equal((await peer.request(last, 'GET', '/led')).payload, '1')
  peer.stop()
  const { signal, stderr } = await simulation.end('SIGINT')
  assert.equal(signal, 'SIGINT')
  assert.match(stderr, /joined 50, alives \d+, posts \d+ \(acknowledged \d+, refused 0, /)
  assert.match(stderr, /writes 1,/)
  assert.equal((await gateway.end()).code, 0)
})

test('nodes that no gateway answers end with status 4 and a sentence', async () => {
  const { code, stderr } = await run(['simulate', 'coap', '--gateway', '127.0.0.1:9', '--for', '300ms'])
  assert.equal(code, 4)
  assert.match(stderr, /no node was answered by the gateway at 127\.0\.0\.1:9/)
})

test('what cannot be simulated is refused by name', async () => {
  for (const [args, status, message] of [
    [['lwm2m'], 2, /lwm2m/],
    [['coap', '--resources', 'a/b'], 2, /"a\/b"/],
    [['coap', '--resources', ''], 2, /resource name/],
    [['coap', '--gateway', '127.0.0.1:http'], 2, /"127\.0\.0\.1:http" is not HOST:PORT/],
    [['coap', '--gateway', '[::1]:5683'], 2, /one is IPv4, the other IPv6/],
    [['coap', '--base', '127.0.0.0'], 2, /must not end in \.0/],
    [['coap', '--base', '192.0.2.1'], 3, /192\.0\.2\.1:5683/],
    [['coap', '--nodes', '0'], 2, /nodes/],
    [['coap', '--gateway', 'no-such-host.invalid'], 3, /no-such-host\.invalid/],
  ]) {
    const { code, stderr } = await run(['simulate', ...args, '--for', '1s'])
    assert.equal(code, status, `${args.join(' ')}: ${stderr}`)
    assert.match(stderr, message)
  }
})

test('the demo runs, its commands work as printed, and Ctrl-C leaves nothing behind', async () => {
  const temporary = scratch()
  mkdirSync(`${temporary}/t`)
  const env = { ...process.env, TMPDIR: `${temporary}/t` }
  const demo = new Process(bin, ['demo', '--interval', '200ms'], { env })
  await demo.line(/Ctrl-C stops it/, 'stdout')
  assert.equal(readdirSync(`${temporary}/t`).length, 1)
  const page = demo.stdout.match(/Dashboard\s+(http:\S+)/)[1]
  assert.equal((await fetch(page)).status, 200)
  const commands = demo.stdout.split('\n').filter((line) => /--broker ws:|coap:\/\//.test(line)).map((line) => line.trim())
  assert.equal(commands.length, 6)
  await until('the nodes at the broker', async () => {
    const { code, stdout } = await run(['-c', commands[1]], { command: '/bin/sh' })
    return code === 0 && /°C/.test(stdout)
  })
  for (const command of commands) {
    if (command.includes(' observe ')) continue
    const { code, stdout, stderr } = await run(['-c', command], { command: '/bin/sh' })
    assert.equal(code, 0, `${command}: ${stderr}`)
    if (!command.includes(' put ')) assert.notEqual(stdout.trim(), '', command)
  }
  const observe = commands.find((command) => command.includes(' observe '))
  const { code, stdout, stderr } = await run(['-c', `${observe} --count 6`], { command: '/bin/sh' })
  assert.equal(code, 0, stderr)
  assert.equal(stdout.trim().split('\n').length, 6)
  const ended = await demo.end('SIGINT')
  assert.equal(ended.code, 0, ended.stderr)
  assert.deepEqual(readdirSync(`${temporary}/t`), [])
  assert.ok(existsSync(temporary))
})

test('two demos run beside each other', async () => {
  const one = new Process(bin, ['--json', 'demo', '--nodes', '2'])
  const two = new Process(bin, ['--json', 'demo', '--nodes', '2'])
  const ready = await Promise.all([one, two].map(async (demo) => JSON.parse(await demo.line(/"event":"ready"/, 'stdout'))))
  assert.notEqual(ready[0].node, ready[1].node)
  assert.notEqual(ready[0].broker, ready[1].broker)
  assert.deepEqual((await Promise.all([one.end('SIGINT'), two.end('SIGTERM')])).map((ended) => ended.code), [0, 0])
})
