// The gateway's listener on DTLS and TLS, with nodes of coap-client-openssl and openssl s_client.
import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Authority, selfSigned } from '../support/certificates.mjs'
import { DtlsNode, TlsNode } from '../support/dtls_node.mjs'
import { Process, daemon, run, scratch, until } from '../support/process.mjs'
import { aiot, lines } from './cli/support.mjs'

const authority = new Authority()
const good = authority.issue('gateway')
const folder = scratch()
const psk = join(folder, 'node-keys')
const write = (text) => writeFileSync(psk, text, { mode: 0o600 })

/** What libcoap's client prints, without what it logs. */
const answerIn = (text) => text.split('\n').filter((line) => !/^\w{3} \d\d [\d:.]+ /.test(line)).join('\n').trim()

/** Gateway and broker in one; `post` speaks to it as coap-client-openssl does. */
async function start(args, options = {}) {
  const both = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--key-file', join(folder, 'keys'), '--name', 'g',
    '--state-dir', options.state ?? 'off', '--metrics', '127.0.0.1:0', '--coaps', `127.0.0.1:${options.port ?? 0}`, ...args])
  both.port = both.listeners.coaps.port
  both.tcp = both.listeners['coaps+tcp'].port
  both.broker = ['--broker', `ws://127.0.0.1:${both.listeners.http.port}`]
  both.post = async (scheme, path, text, ...more) => {
    const port = scheme === 'coaps' ? both.port : both.tcp
    const { stdout, stderr } = await run(['-m', 'post', '-B', '4', '-e', text, ...more, `${scheme}://127.0.0.1:${port}/${path}`], { command: 'coap-client-openssl' })
    return answerIn(stdout + stderr)
  }
  both.metric = async (name) => {
    const { stdout } = await run(['-sS', `http://127.0.0.1:${both.listeners.metrics.port}/metrics`], { command: 'curl' })
    return Number(new RegExp(`^${name}(?:\\{.*\\})? (\\d+)$`, 'm').exec(stdout)?.[1])
  }
  both.value = async (path) => (await aiot(['get', path, '--timeout', '2s', ...both.broker])).stdout.trim()
  return both
}
const as = (identity, key) => ['-u', identity, '-k', key]

test('who has a key is let in, on DTLS and TLS, and nobody else', async () => {
  write('n1:"first key"\nn2:7365636f6e64\n')
  const gateway = await start(['--coaps-psk-file', psk])
  for (const scheme of ['coaps', 'coaps+tcp']) {
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n1', ...as('n1', 'first key')), "Received 'alive:n1'")
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n2', ...as('n2', 'second')), "Received 'alive:n2'")
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n3', ...as('n1', 'second')), '')
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n4', ...as('n4', 'first key')), '')
    // A certificate does not help where none is asked for.
    const certificate = authority.issue('node')
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n5', '-c', certificate.cert, '-j', certificate.key, '-n'), '')
  }
  const nodes = lines((await aiot(['nodes', '--json', ...gateway.broker])).stdout)
  assert.deepEqual(nodes.map((node) => node.uid).sort(), ['n1', 'n2'])

  // A new file on SIGHUP; a bad one changes nothing.
  write('n4:"first key"\n')
  gateway.child.kill('SIGHUP')
  await gateway.line(/keys and certificates again: 1 keys/)
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n1', ...as('n1', 'first key')), '')
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n4', ...as('n4', 'first key')), "Received 'alive:n4'")
  write('n4:nonsense\n')
  gateway.child.kill('SIGHUP')
  await gateway.line(/stay as they were: .*node-keys:1: the key is neither/)
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n4', ...as('n4', 'first key')), "Received 'alive:n4'")
  assert.equal((await gateway.end()).code, 0)
})

test('who has a certificate by the authority is let in, and nobody else', async () => {
  const gateway = await start(['--coaps-cert', good.cert, '--coaps-key', good.key, '--coaps-ca', authority.ca])
  const showing = (identity) => ['-c', identity.cert, '-j', identity.key, '-C', authority.ca]
  for (const scheme of ['coaps', 'coaps+tcp']) {
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n1', ...showing(authority.issue('n1'))), "Received 'alive:n1'")
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n2', ...showing(authority.expired('n2'))), '')
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n3', ...showing(selfSigned('n3'))), '')
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n4', '-C', authority.ca), '')
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n5', ...as('n5', 'any key')), '')
  }
  const nodes = lines((await aiot(['nodes', '--json', ...gateway.broker])).stdout)
  assert.deepEqual(nodes.map((node) => node.uid), ['n1'])
  // The command line knows the gateway by its certificate, too.
  const n1 = authority.issue('n1')
  const cli = await aiot(['get', `coaps://127.0.0.1:${gateway.port}/.well-known/core`, '--ca', authority.ca, '--cert', n1.cert, '--key', n1.key])
  assert.deepEqual([cli.code, /<\/alive>/.test(cli.stdout)], [0, true], cli.stderr)
  for (const old of ['-tls1', '-tls1_1']) {
    const { stdout } = await run(['s_client', '-connect', `127.0.0.1:${gateway.tcp}`, old, '-cipher', 'ALL:@SECLEVEL=0'], { command: 'openssl', input: '' })
    assert.match(stdout, /Cipher is \(NONE\)/)
  }
  const { stderr } = await run(['s_client', '-dtls1', '-connect', `127.0.0.1:${gateway.port}`, '-cipher', 'ALL:@SECLEVEL=0'], { command: 'openssl', input: '' })
  assert.match(stderr, /alert protocol version/)
  assert.equal((await gateway.end()).code, 0)
})

test('a node is asked and written over the session it has opened, and never in the clear', async () => {
  write('n1:"first key"\nn2:"other"\n')
  const state = scratch()
  let gateway = await start(['--coaps-psk-file', psk], { state, port: 5684 })
  const clear = createSocket('udp4')
  const overheard = []
  clear.on('message', (data) => overheard.push(data.toString('latin1')))
  clear.bind(5683, '127.0.0.1')
  await once(clear, 'listening')

  const node = new DtlsNode(gateway.port, { identity: 'n1', key: 'first key', resources: { led: 'off', temperature: '21' } })
  assert.equal(await node.post('alive', 'alive:n1'), "2.04 Received 'alive:n1'")
  await until('what the node has', async () => (await gateway.value('n1/led')) === 'off' && (await gateway.value('n1/temperature')) === '21')
  assert.ok(node.asked.includes('0.01 .well-known/core'))
  assert.equal(await node.post('server', 'temperature:22'), "2.04 Received 'temperature:22'")
  await until('the new value', async () => (await gateway.value('n1/temperature')) === '22')
  const put = await aiot(['put', 'n1/led', 'on', '--json', ...gateway.broker])
  assert.deepEqual([put.code, lines(put.stdout)[0]?.confirmed], [0, 'device'], put.stderr)
  assert.equal(node.resources.led, 'on')

  // Nobody else speaks for it: not with another key.
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n1', ...as('n2', 'other')), '4.03 this node speaks over DTLS or TLS, with a credential that is not yours')
  const { stdout } = await aiot(['events', '--json', ...gateway.broker])
  assert.ok(lines(stdout).some((event) => event.type === 'uid_conflict' && /psk:n1.*psk:n2/.test(event.message)), stdout)

  // The session ends: there is no way to the node until it opens another.
  await node.leave()
  const lost = await aiot(['put', 'n1/led', 'off', '--timeout', '4s', '--json', ...gateway.broker])
  assert.equal(lost.code, 3, lost.stderr)
  assert.match(lost.stderr, /secure session is no longer open/)
  const again = new DtlsNode(gateway.port, { identity: 'n1', key: 'first key', resources: { led: 'on' } })
  assert.equal(await again.post('alive', 'alive:n1'), "2.04 Received 'alive:n1'")
  assert.equal((await aiot(['put', 'n1/led', 'off', ...gateway.broker])).code, 0)
  assert.equal(again.resources.led, 'off')

  // A restart forgets sessions, not credentials.
  assert.equal((await gateway.end()).code, 0)
  await again.leave()
  gateway = await start(['--coaps-psk-file', psk], { state, port: 5684 })
  await until('the node', async () => (await aiot(['nodes', '--json', ...gateway.broker])).stdout.includes('"n1"'))
  const early = await aiot(['put', 'n1/led', 'on', '--timeout', '4s', ...gateway.broker])
  assert.equal(early.code, 3, early.stderr)
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n1', ...as('n2', 'other')), '4.03 this node speaks over DTLS or TLS, with a credential that is not yours')
  assert.deepEqual(overheard, [])
  clear.close()
  assert.equal((await gateway.end()).code, 0)
})

test('a node that speaks in the clear cannot take the name of one that does not', async () => {
  write('n1:"first key"\n')
  const gateway = await start(['--coaps-psk-file', psk, '--coap', '127.0.0.1:0'])
  assert.equal(await gateway.post('coaps', 'alive', 'alive:n1', ...as('n1', 'first key')), "Received 'alive:n1'")
  const plain = async (path, text) => {
    const { stdout, stderr } = await run(['-m', 'post', '-e', text, `coap://127.0.0.1:${gateway.listeners.coap.port}/${path}`], { command: 'coap-client-notls' })
    return answerIn(stdout + stderr)
  }
  assert.match(await plain('alive', 'alive:n1'), /^4\.03 /)
  assert.match(await plain('alive', 'reset:n1'), /^4\.03 /)
  assert.match(await plain('server', 'temperature:99'), /^4\.03 /)
  assert.equal(await gateway.value('n1/temperature'), '')
  assert.equal(await plain('alive', 'alive:n2'), "Received 'alive:n2'")
  assert.equal((await gateway.end()).code, 0)
})

test('files and options that cannot serve are named', async () => {
  const fails = async (args, pattern, status) => {
    const { code, stderr } = await aiot(['serve-gateway', '--broker', 'off', '--state-dir', 'off', ...args])
    assert.deepEqual([code, pattern.test(stderr)], [status, true], stderr)
  }
  const at = ['--coaps', '127.0.0.1:0']
  write('n1:"first key"\n')
  await fails(at, /--coaps needs --coaps-psk-file, or --coaps-cert and --coaps-ca/, 2)
  await fails(['--coaps-psk-file', psk], /need --coaps ADDRESS/, 2)
  await fails([...at, '--coaps-cert', good.pem], /needs both, --coaps-cert .* --coaps-ca/, 2)
  await fails([...at, '--coaps-psk-file', '/nonexistent'], /cannot read .*\/nonexistent/, 1)
  await fails([...at, '--coaps-cert', good.cert, '--coaps-ca', authority.ca], /--coaps-key .*gateway\.crt/, 1)
  await fails([...at, '--coaps-cert', good.pem, '--coaps-ca', '/nonexistent'], /--coaps-ca \/nonexistent: No such file/, 1)
  chmodSync(psk, 0o622)
  await fails([...at, '--coaps-psk-file', psk], /can be written by others/, 2)
  chmodSync(psk, 0o600)
  const holder = createSocket('udp4')
  holder.bind(0, '127.0.0.1')
  await once(holder, 'listening')
  await fails(['--coaps', `127.0.0.1:${holder.address().port}`, '--coaps-psk-file', psk], /coaps:\/\/127\.0\.0\.1:\d+: address in use/, 3)
  holder.close()
})

/** A ClientHello without extensions: what a flood is made of. */
function hello(cookie = '') {
  const suites = '00aec0a8' // TLS_PSK_WITH_AES_128_CBC_SHA256, TLS_PSK_WITH_AES_128_CCM_8
  const hex = (text) => Buffer.from(text, 'hex')
  const size = (bytes, width) => Buffer.from(bytes.length.toString(16).padStart(width * 2, '0'), 'hex')
  const body = Buffer.concat([hex('fefd'), Buffer.alloc(32, 7), hex('00'), size(Buffer.from(cookie, 'hex'), 1), hex(cookie), size(hex(suites), 2), hex(suites), hex('0100')])
  const message = Buffer.concat([hex('01'), size(body, 3), hex('0000000000'), size(body, 3), body])
  return Buffer.concat([hex('16feff0000000000000000'), size(message, 2), message])
}

test('a flood of hellos keeps no node out, and leaves nothing behind', async () => {
  write('n1:"first key"\nn2:"other"\n')
  const gateway = await start(['--coaps-psk-file', psk, '--coap', '127.0.0.1:0'])
  const known = new DtlsNode(gateway.port, { identity: 'n1', key: 'first key', resources: { led: 'off' } })
  assert.equal(await known.post('alive', 'alive:n1'), "2.04 Received 'alive:n1'")

  // Hellos from 700 ports, which libcoap alone would take for as many handshakes, and remember for half a minute.
  const sockets = await Promise.all([...Array(700)].map(async () => {
    const socket = createSocket('udp4')
    socket.bind(0, '127.0.0.1')
    await once(socket, 'listening')
    socket.on('error', () => {})
    socket.answers = []
    socket.on('message', (data) => socket.answers.push(data))
    return socket
  }))
  for (const socket of sockets.slice(0, 50)) socket.send(hello(), gateway.port, '127.0.0.1')
  await until('an answer to each of those that came together', () => sockets.slice(0, 50).every((socket) => socket.answers.length === 1), 2000)
  let flooding = true
  let sent = 0
  const flood = (async () => {
    while (flooding) {
      for (const socket of sockets) socket.send(hello(), gateway.port, '127.0.0.1', () => ++sent)
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  })()
  await until('a flood', () => sent > 7000)
  const newcomer = new DtlsNode(gateway.port, { identity: 'n2', key: 'other' })
  assert.equal(await newcomer.post('alive', 'alive:n2'), "2.04 Received 'alive:n2'")
  assert.equal(await known.post('server', 'led:on'), "2.04 Received 'led:on'")
  flooding = false
  await flood
  const answers = sockets.flatMap((socket) => socket.answers)
  assert.ok(answers.length > 700)
  // Asked back with no more than was brought (RFC 6347 section 4.2.1).
  assert.ok(answers.every((answer) => answer[13] === 3 && answer.length <= hello().length), answers[0]?.toString('hex'))

  // With cookies, one host begins no more than 16 handshakes at a time; it is its own loss.
  for (const socket of sockets.slice(0, 100)) socket.send(hello(socket.answers.at(-1).subarray(28).toString('hex')), gateway.port, '127.0.0.1')
  await until('refusals', async () => (await gateway.metric('aiot_hellos_refused_total')) >= 80)
  for (const socket of sockets) socket.close()
  assert.equal(await known.post('server', 'led:off'), "2.04 Received 'led:off'")
  assert.equal((await gateway.end()).code, 0)
})

test('who loses his key or authority loses his session', async () => {
  const nodes = { kept: 'first key', removed: 'second key', changed: 'third key' }
  write(Object.entries(nodes).map(([name, key]) => `${name}:"${key}"\n`).join(''))
  const authorities = join(folder, 'authorities.pem')
  writeFileSync(authorities, readFileSync(authority.ca))
  const gateway = await start(['--coaps-psk-file', psk, '--coaps-cert', good.pem, '--coaps-ca', authorities])
  const certified = authority.issue('certified')
  const open = {}
  for (const [name, key] of Object.entries(nodes)) open[name] = new DtlsNode(gateway.port, { identity: name, key, resources: { led: 'off' } })
  open.certified = new DtlsNode(gateway.port, { certificate: certified, ca: authority.ca, resources: { led: 'off' } })
  open.stream = new Process('openssl', ['s_client', '-quiet', '-connect', `127.0.0.1:${gateway.tcp}`, '-psk_identity', 'removed', '-psk', Buffer.from('second key').toString('hex')])
  const sessions = () => gateway.metric('aiot_secure_sessions')
  for (const name of [...Object.keys(nodes), 'certified']) assert.equal(await open[name].post('alive', `alive:${name}`), `2.04 Received 'alive:${name}'`)
  await until('five sessions', async () => (await sessions()) === 5)

  write('kept:"first key"\nchanged:"another"\n')
  gateway.child.kill('SIGHUP')
  await gateway.line(/keys and certificates again: 2 keys/)
  await open.stream.exited
  await open.removed.process.exited
  await open.changed.process.exited
  await until('two sessions', async () => (await sessions()) === 2)
  const lost = await aiot(['put', 'removed/led', 'on', '--timeout', '4s', ...gateway.broker])
  assert.equal(lost.code, 3, lost.stderr)
  for (const name of ['kept', 'certified']) assert.equal(await open[name].post('server', 'led:on'), "2.04 Received 'led:on'")

  writeFileSync(authorities, readFileSync(new Authority('another').ca))
  gateway.child.kill('SIGHUP')
  await open.certified.process.exited
  await until('one session', async () => (await sessions()) === 1)
  assert.equal(await open.kept.post('server', 'led:off'), "2.04 Received 'led:off'")
  assert.equal((await gateway.end()).code, 0)
})

test('identities of up to 128 bytes, as RFC 4279 section 5.3 has it', async () => {
  const identity = 'i'.repeat(128)
  write(`${identity}:"a key"\n`)
  const gateway = await start(['--coaps-psk-file', psk])
  const others = join(folder, 'cli-keys')
  writeFileSync(others, `${identity}:"a key"\n`, { mode: 0o600 })
  for (const [scheme, port] of [['coaps', gateway.port], ['coaps+tcp', gateway.tcp]]) {
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n1', ...as(identity, 'a key')), "Received 'alive:n1'")
    assert.equal(await gateway.post(scheme, 'alive', 'alive:n2', ...as('j'.repeat(128), 'a key')), '')
    const { code, stderr } = await aiot(['get', `${scheme}://127.0.0.1:${port}/.well-known/core`, '--psk-file', others])
    assert.equal(code, 0, stderr)
  }
  assert.equal((await gateway.end()).code, 0)
})

test('a node on coaps+tcp is asked and written over its connection', async () => {
  write('n1:"first key"\n')
  const gateway = await start(['--coaps-psk-file', psk])
  const node = new TlsNode(gateway.tcp, { identity: 'n1', key: 'first key', resources: { led: 'off' } })
  assert.equal(await node.post('alive', 'alive:n1'), "2.04 Received 'alive:n1'")
  await until('what the node has', async () => (await gateway.value('n1/led')) === 'off')
  const put = await aiot(['put', 'n1/led', 'on', '--json', ...gateway.broker])
  assert.deepEqual([put.code, lines(put.stdout)[0]?.confirmed], [0, 'device'], put.stderr)
  assert.equal(node.resources.led, 'on')
  await node.leave()
  const lost = await aiot(['put', 'n1/led', 'off', '--timeout', '4s', ...gateway.broker])
  assert.equal(lost.code, 3, lost.stderr)
  assert.equal((await gateway.end()).code, 0)
})

test('a node that restarts begins anew from the port of its former session', async () => {
  write('n1:"first key"\n')
  const gateway = await start(['--coaps-psk-file', psk])
  const probe = createSocket('udp4')
  probe.bind(0, '127.0.0.1')
  await once(probe, 'listening')
  const bind = probe.address().port
  probe.close()
  const first = new DtlsNode(gateway.port, { identity: 'n1', key: 'first key', bind })
  assert.equal(await first.post('alive', 'alive:n1'), "2.04 Received 'alive:n1'")
  await first.process.end('SIGKILL') // without a word
  const second = new DtlsNode(gateway.port, { identity: 'n1', key: 'first key', bind, resources: { led: 'on' } })
  assert.equal(await second.post('alive', 'reset:n1'), "2.04 Received 'reset:n1'")
  await until('what it has', async () => (await gateway.value('n1/led')) === 'on')
  assert.equal((await gateway.end()).code, 0)
})
