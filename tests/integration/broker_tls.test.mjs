// The broker on https and wss, and what the command line and the gateway make of its certificate.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import https from 'node:https'
import { join } from 'node:path'
import { after, test } from 'node:test'
import tls from 'node:tls'

import { Authority, selfSigned } from '../support/certificates.mjs'
import { aiot, lines } from './cli/support.mjs'
import { Process, daemon, run, scratch, until } from '../support/process.mjs'

const authority = new Authority()
const good = authority.issue('good')
const folder = scratch()
const keys = join(folder, 'keys')

function startBroker(identity, ...more) {
  return daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--tls-cert', identity.pem, ...more])
}
const shownBy = (port) =>
  new Promise((resolve, reject) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
      resolve(socket.getPeerCertificate().subject.CN)
      socket.destroy()
    })
    socket.on('error', reject)
  })

test('the broker on TLS, with the command line and a gateway', async () => {
  const broker = await startBroker(good)
  const { port } = broker.listeners.https
  const trusting = ['--broker', `wss://localhost:${port}`, '--ca', authority.ca]
  assert.deepEqual((await aiot(['nodes', '--json', ...trusting])).code, 0)

  const gateway = await daemon(['serve-gateway', '--coap', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--name', 'paris', ...trusting])
  const coap = gateway.listeners.coap.port
  const posted = await run(['-m', 'post', '-e', 'alive:n1', `coap://127.0.0.1:${coap}/alive`], { command: 'coap-client-notls' })
  assert.equal(posted.code, 0)
  await run(['-m', 'post', '-e', 'temperature:23', `coap://127.0.0.1:${coap}/server`], { command: 'coap-client-notls' })
  await until('the value', async () => (await aiot(['get', 'n1/temperature', '--timeout', '2s', ...trusting])).stdout === '23\n')
  // By the address in the URI, by environment, and following over wss.
  const followed = await aiot(['observe', '--count', '1', `aiots://127.0.0.1:${port}/n1/temperature`, '--json'], { env: { AIOT_CA: authority.ca } })
  assert.deepEqual([followed.code, lines(followed.stdout)[0]?.value], [0, '23'])
  const config = join(folder, 'aiot.toml')
  writeFileSync(config, `[brokers.paris]\nurl = "wss://localhost:${port}"\nca = "${authority.ca}"\n`)
  assert.equal((await aiot(['nodes', '--config', config, '--broker', 'paris'])).code, 0)

  const curl = await run(['-sSi', '--cacert', authority.ca, `https://localhost:${port}/healthz`], { command: 'curl' })
  assert.match(curl.stdout, /^HTTP\/1\.1 200 [^]*strict-transport-security: max-age=31536000\r\n[^]*ok\n$/i)
  assert.deepEqual([(await gateway.end()).code, (await broker.end()).code], [0, 0])
})

test('a certificate that is expired, of nobody or of another is refused with exit 7', async () => {
  const bad = [
    [authority.expired('expired'), /has expired/],
    [selfSigned(), /self-signed/],
    [authority.issue('other', { san: 'DNS:other.example,IP:192.0.2.1' }), /mismatch/],
  ]
  for (const [identity, why] of bad) {
    const broker = await startBroker(identity)
    const { port } = broker.listeners.https
    for (const host of ['localhost', '127.0.0.1']) {
      const trusting = ['--broker', `wss://${host}:${port}`, '--ca', authority.ca, '--timeout', '5s']
      const commands = [['nodes'], ['get', 'n1/t'], ['put', 'n1/t', '1'], ['observe', 'n1/t'], ['discover', `aiots://${host}:${port}`]]
      for (const command of commands) {
        const args = command[0] === 'discover' ? [...command, '--ca', authority.ca] : [...command, ...trusting]
        const { code, stdout, stderr } = await aiot([...args, '--json'])
        assert.deepEqual([code, stdout], [7, ''], `${command}: ${stderr}`)
        assert.match(lines(stderr)[0].error.message, why)
      }
    }
    // A gateway does not give its values up: it says what is wrong, and tries on.
    const gateway = await daemon(['serve-gateway', '--coap', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--name', 'g',
      '--broker', `wss://localhost:${port}`, '--ca', authority.ca])
    await gateway.line(why)
    assert.equal((await gateway.end()).code, 0)
    assert.equal((await broker.end()).code, 0)
  }
})

test('SIGHUP takes a new certificate, and keeps the old when the new is no good', async () => {
  const file = join(folder, 'live.pem')
  copyFileSync(good.pem, file)
  const broker = await startBroker({ pem: file })
  const { port } = broker.listeners.https
  assert.equal(await shownBy(port), 'good')
  copyFileSync(authority.issue('renewed').pem, file)
  broker.child.kill('SIGHUP')
  await until('the new one', async () => (await shownBy(port)) === 'renewed')
  writeFileSync(file, 'nonsense')
  broker.child.kill('SIGHUP')
  await broker.line(/the certificate stays as it was: --tls-cert .*live\.pem/)
  assert.equal(await shownBy(port), 'renewed')
  assert.equal((await broker.end()).code, 0)
})

test('logins are Secure over TLS, also where a trusted proxy ends it, and nobody else may say so', async () => {
  const users = join(folder, 'users')
  const added = await run(['users', 'add', 'ada', '--role', 'admin', '--users-file', users, '--password-file', '-'], { input: 'correct-horse\n' })
  assert.equal(added.code, 0, added.stderr)
  const curl = async (...args) => (await run(['-sS', '--cacert', authority.ca, ...args], { command: 'curl' })).stdout
  const cookie = async (url, ...args) =>
    /^set-cookie: (.*)\r$/im.exec(await curl('-i', '--data', 'user=ada&password=correct-horse&next=%2F', ...args, `${url}/login`))?.[1].replace(/=[^;]{20,}/, '=SECRET')
  const kSecure = '__Host-aiot_login=SECRET; Path=/; HttpOnly; SameSite=Strict; Secure'
  const kPlain = 'aiot_login=SECRET; Path=/; HttpOnly; SameSite=Strict'

  const broker = await startBroker(good, '--users-file', users)
  const url = `https://localhost:${broker.listeners.https.port}`
  assert.equal(await cookie(url), kSecure)
  const jar = join(folder, 'jar')
  await curl('-c', jar, '--data', 'user=ada&password=correct-horse&next=%2F', `${url}/login`)
  assert.equal(JSON.parse(await curl('-b', jar, `${url}/api/v1/session`)).name, 'ada')
  assert.equal((await broker.end()).code, 0)

  const says = ['-H', 'X-Forwarded-Proto: https', '-H', 'X-Forwarded-For: 192.0.2.1']
  for (const [proxy, expected] of [['127.0.0.1', kSecure], ['192.0.2.0/24', kPlain]]) {
    const behind = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--users-file', users, '--trusted-proxy', proxy])
    const there = `http://127.0.0.1:${behind.listeners.http.port}`
    assert.equal(await cookie(there, ...says), expected)
    assert.equal(await cookie(there), kPlain)
    assert.equal((await behind.end()).code, 0)
  }
})

test('what a trusted proxy passes on comes from anywhere: without users nobody is let in that way', async () => {
  const args = ['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--trusted-proxy', '127.0.0.1']
  const refused = await aiot(args)
  assert.deepEqual([refused.code, /--insecure/.test(refused.stderr)], [2, true], refused.stderr)
  const accepted = await daemon([...args, '--insecure'])
  assert.equal((await accepted.end()).code, 0)
})

test('every answer says what a browser may do with it, HSTS over TLS alone', async () => {
  const users = join(folder, 'headers-users')
  assert.equal((await run(['users', 'add', 'ada', '--role', 'admin', '--users-file', users, '--password-file', '-'], { input: 'correct-horse\n' })).code, 0)
  const broker = await startBroker(good, '--users-file', users)
  const plain = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off'])
  const heads = async (url, ...args) => {
    const { stdout } = await run(['-sSi', '-m', '5', '--path-as-is', '--cacert', authority.ca, ...args, url], { command: 'curl' })
    return [...stdout.matchAll(/^HTTP\/1\.1 (\d+)[^]*?\r\n\r\n/gm)].map(([text, status]) => ({ status: Number(status), text: text.toLowerCase() }))
  }
  const large = join(folder, 'large')
  writeFileSync(large, 'x'.repeat(600_000))
  const asked = [[200, '/healthz'], [401, '/metrics'], [401, '/api/v1/nodes'], [404, '/api/v1/nope'], [401, '/api/v1/events'], [200, '/login'], [303, '/'], [200, '/favicon.svg'], [303, '/', '-H', 'Accept: text/html'], [405, '/', '-X', 'PUT'],
    [404, '/nope'], [401, '/login', '-d', 'user=ada&password=x&next=/'], [303, '/login', '-d', 'user=ada&password=correct-horse&next=/'], [403, '/login', '-d', 'user=ada', '-H', 'Origin: https://evil.example'],
    [426, '/ws'], [426, '/gw'], [400, '/%', '-H', 'Content-Length: x'], [431, '/', '-H', `X: ${'x'.repeat(10_000)}`], [413, '/login', '--data-binary', `@${large}`, '-H', 'Expect:']]
  const told = []
  for (const [secure, base] of [[true, `https://localhost:${broker.listeners.https.port}`], [false, `http://127.0.0.1:${plain.listeners.http.port}`]]) {
    for (const [status, path, ...args] of asked) {
      const [head] = await heads(`${base}${path}`, ...args)
      const what = `${base}${path} ${args.join(' ').slice(0, 60)}: ${head?.text}`
      assert.ok(head, what)
      if (secure) told.push([path, status, head.status])
      for (const header of [/^content-security-policy: default-src 'none'.*frame-ancestors 'none'/m, /^x-frame-options: deny\r$/m, /^x-content-type-options: nosniff\r$/m, /^referrer-policy: (no-referrer|same-origin)\r$/m])
        assert.match(head.text, header, what)
      for (const name of ['content-security-policy', 'x-frame-options', 'x-content-type-options', 'referrer-policy']) assert.equal(head.text.split(`\n${name}:`).length, 2, what)
      assert.equal(/^strict-transport-security: max-age=31536000\r$/m.test(head.text), secure, what)
    }
  }
  assert.deepEqual(told.map(([path, , got]) => [path, got]), told.map(([path, wanted]) => [path, wanted]))
  await plain.end()
  await broker.end()
})

test('files that cannot serve are named', async () => {
  const fails = async (args, pattern, status) => {
    const { code, stderr } = await aiot(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', ...args])
    assert.deepEqual([code, pattern.test(stderr)], [status, true], stderr)
  }
  await fails(['--tls-cert', '/nonexistent.pem'], /--tls-cert \/nonexistent\.pem: No such file/, 1)
  await fails(['--tls-cert', good.cert], /--tls-key .*good\.crt/, 1)
  await fails(['--tls-cert', good.cert, '--tls-key', selfSigned().key], /is not that of --tls-cert/, 1)
  const encrypted = join(folder, 'encrypted.key')
  assert.equal((await run(['pkey', '-in', good.key, '-aes256', '-passout', 'pass:hunter2', '-out', encrypted], { command: 'openssl' })).code, 0)
  await fails(['--tls-cert', good.cert, '--tls-key', encrypted], /--tls-key .*encrypted\.key: it is encrypted, and no passphrase is asked for/, 1)
  await fails(['--tls-cert', good.cert, '--tls-key', '/dev/null'], /--tls-key \/dev\/null: there is no private key in it \(PEM\)/, 1)
  await fails(['--tls-cert', good.key], /--tls-cert .*good\.key: there is no certificate in it \(PEM\)/, 1)
  await fails(['--tls-key', good.key], /--tls-key needs/, 2)
  await fails(['--trusted-proxy', 'nginx'], /--trusted-proxy: 'nginx' is not a network/, 2)
  const missing = await aiot(['nodes', '--broker', 'wss://localhost:1', '--ca', '/nonexistent.pem'])
  assert.notEqual(missing.code, 0)
  const plain = await aiot(['get', 'coap://127.0.0.1/x', '--ca', authority.ca])
  assert.deepEqual([plain.code, /--ca is for TLS/.test(plain.stderr)], [2, true])
})

test('nothing below TLS 1.2, no weak cipher, no renegotiation', async () => {
  const broker = await startBroker(good)
  const { port } = broker.listeners.https
  const shake = async (input, ...args) => {
    const { stdout, stderr } = await run(['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', authority.ca, ...args], { command: 'openssl', input })
    return stdout + stderr
  }
  for (const old of ['-tls1', '-tls1_1']) {
    const said = await shake('', old, '-cipher', 'ALL:@SECLEVEL=0')
    assert.match(said, /alert protocol version/)
    assert.match(said, /Cipher is \(NONE\)/)
  }
  for (const [version, name] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) assert.match(await shake('', version), new RegExp(`New, ${name}, Cipher is`))
  for (const weak of ['kRSA', 'aNULL', 'eNULL', 'ECDHE-ECDSA-AES128-SHA256', 'SHA1', 'PSK']) assert.match(await shake('', '-tls1_2', '-cipher', `${weak}:@SECLEVEL=0`), /Cipher is \(NONE\)/, weak)
  assert.match(await shake('R\n', '-tls1_2'), /no renegotiation/)
  await broker.end()
})

test('nobody falls back to plain text, neither way', async () => {
  const broker = await startBroker(good)
  const { port } = broker.listeners.https
  const plain = await aiot(['nodes', '--broker', `ws://127.0.0.1:${port}`, '--timeout', '5s'])
  assert.deepEqual([plain.code, plain.stdout], [5, ''])
  await broker.end()
  const old = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off'])
  for (const command of [['nodes'], ['observe', 'n/t']]) {
    const secure = await aiot([...command, '--broker', `wss://127.0.0.1:${old.listeners.http.port}`, '--timeout', '5s'])
    assert.deepEqual([secure.code, secure.stdout], [7, ''], secure.stderr)
  }
  await old.end()
})

test('a client certificate is shown where it is asked for', async () => {
  const client = authority.issue('client', { san: 'DNS:client' })
  const server = https.createServer(
    { key: readFileSync(good.key), cert: readFileSync(good.cert), ca: readFileSync(authority.ca), requestCert: true, rejectUnauthorized: true },
    (request, response) => response.end(JSON.stringify({ items: [], next: null, by: request.socket.getPeerCertificate().subject.CN })),
  )
  let shown
  server.on('secureConnection', (socket) => (shown = socket.getPeerCertificate().subject?.CN))
  after(() => {
    server.closeAllConnections()
    server.close()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const broker = ['--broker', `https://localhost:${server.address().port}`, '--ca', authority.ca]
  assert.equal((await aiot(['nodes', ...broker, '--cert', client.cert, '--key', client.key])).code, 0)
  assert.equal(shown, 'client')
  assert.equal((await aiot(['nodes', ...broker, '--cert', client.pem])).code, 0)
  const without = await aiot(['nodes', ...broker])
  assert.deepEqual([without.code, /certificate required/.test(without.stderr)], [7, true], without.stderr)
  const half = await aiot(['nodes', ...broker, '--key', client.key])
  assert.deepEqual([half.code, /--key needs the --cert/.test(half.stderr)], [2, true], half.stderr)

  // Node.js hangs up on a stranger without a word; OpenSSL says why.
  const strict = new Process('openssl', ['s_server', '-accept', '127.0.0.1:0', '-cert', good.cert, '-key', good.key, '-www',
    '-CAfile', authority.ca, '-Verify', '1', '-verify_return_error'])
  const port = (await strict.line(/^ACCEPT .*:\d+$/, 'stdout')).split(':').pop()
  for (const command of [['nodes'], ['observe', 'n1/t']]) {
    const stranger = await aiot([...command, '--broker', `https://localhost:${port}`, '--ca', authority.ca, '--cert', selfSigned().pem])
    assert.deepEqual([stranger.code, /ended TLS: .*(unknown CA|certificate)/i.test(stranger.stderr)], [7, true], stranger.stderr)
  }
  await strict.end('SIGKILL')
})

test('--standalone on TLS: its gateway trusts its own broker by its certificate', async () => {
  const identity = authority.issue('public', { san: 'DNS:iot.example' })
  const both = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.1:0', '--name', 'g',
    '--key-file', keys, '--state-dir', 'off', '--users-file', join(folder, 'nobody'), '--tls-cert', identity.cert, '--tls-key', identity.key])
  await both.line(/ https:\/\/127\.0\.0\.1:\d+\/setup\?code=/)
  await run(['-m', 'post', '-e', 'alive:n2', `coap://127.0.0.1:${both.listeners.coap.port}/alive`], { command: 'coap-client-notls' })
  await until('the node', async () => {
    const { stdout } = await run(['-sS', '-k', `https://127.0.0.1:${both.listeners.https.port}/api/v1/nodes`], { command: 'curl' })
    return JSON.parse(stdout).items.some((node) => node.uid === 'n2')
  })
  assert.equal((await both.end()).code, 0)
})
