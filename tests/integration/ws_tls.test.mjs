// core/ws's server on TLS against openssl s_client, curl, Node's https and npm's ws.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import https from 'node:https'
import { createRequire } from 'node:module'
import net from 'node:net'
import { test } from 'node:test'
import tls from 'node:tls'

import { Authority } from '../support/certificates.mjs'
import { Process, run, until } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const WebSocket = require('ws')

const authority = new Authority()
const identity = authority.issue('server')
const ca = readFileSync(authority.ca)

async function startServer(...args) {
  const server = new Process(process.env.AIOT_WS_SERVER, ['--tls', identity.pem, ...args.map(String)])
  const port = Number(await server.line(/^\d+$/, 'stdout'))
  let answers = 1
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    wss: `wss://127.0.0.1:${port}`,
    async command(line) {
      server.child.stdin.write(`${line}\n`)
      const at = answers++
      return JSON.parse(await until(`an answer to ${line}`, () => server.stdout.split('\n')[at]))
    },
    async stop() {
      server.child.stdin.end()
      const { code, stderr } = await server.exited
      assert.equal(code, 0, stderr)
    },
    exited: server.exited,
  }
}

/** One HTTPS exchange. */
function ask(server, path, { method = 'GET', body, headers, agent = false } = {}) {
  return new Promise((resolve, reject) => {
    const request = https.request(`${server.url}${path}`, { method, headers, ca, agent }, async (response) => {
      const parts = []
      for await (const part of response) parts.push(part)
      resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(parts).toString() })
    })
    request.on('error', reject)
    request.end(body)
  })
}

const open = async (url, options = {}) => {
  const socket = new WebSocket(url, { ca, ...options })
  socket.kept = []
  socket.on('message', (data) => socket.kept.push(data.toString()))
  socket.next = () => until('a message', () => socket.kept.shift())
  await once(socket, 'open')
  return socket
}

const connect = async (server, options = {}) => {
  const socket = tls.connect({ port: server.port, host: '127.0.0.1', ca, ...options })
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  return socket
}

test('HTTPS: bodies both ways, keep-alive, HSTS', async () => {
  const server = await startServer('--hsts', 86400)
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 })
  assert.equal((await ask(server, '/hello?there', { agent })).text, 'hello there')
  const body = 'x'.repeat(1_000_000)
  assert.equal((await ask(server, '/echo', { method: 'POST', body, agent })).text, body)
  assert.equal((await ask(server, '/big?40000000', { agent })).text.length, 40_000_000)
  assert.equal((await server.command('status')).accepted, 1, 'one connection served all')
  agent.destroy()
  const { text, headers } = await ask(server, '/who')
  assert.match(text, /^127\.0\.0\.1 secure /)
  assert.equal(headers['strict-transport-security'], 'max-age=86400')
  const curl = await run(['-sS', '--cacert', authority.ca, `${server.url}/hello?curl`], { command: 'curl' })
  assert.deepEqual([curl.code, curl.stdout], [0, 'hello curl'])
  await until('no connection', async () => (await server.command('status')).connections === 0)
  await server.stop()
})

test('HTTPS: nothing below TLS 1.2, forward secret ciphers alone, HTTP/1.1 by ALPN', async () => {
  const server = await startServer()
  const shake = (...args) =>
    run(['s_client', '-connect', `127.0.0.1:${server.port}`, '-CAfile', authority.ca, ...args], { command: 'openssl', input: '' })
  for (const old of ['-tls1', '-tls1_1']) {
    const { code, stdout } = await shake(old, '-cipher', 'ALL:@SECLEVEL=0')
    assert.notEqual(code, 0)
    assert.match(stdout, /Cipher is \(NONE\)/)
  }
  for (const [version, name] of [['-tls1_2', 'TLSv1.2'], ['-tls1_3', 'TLSv1.3']]) {
    const { stdout } = await shake(version, '-alpn', 'h2,http/1.1')
    assert.match(stdout, new RegExp(`New, ${name}, Cipher is`))
    assert.match(stdout, /Verify return code: 0 \(ok\)/)
    assert.match(stdout, /ALPN protocol: http\/1\.1/)
  }
  for (const weak of ['AES128-SHA', 'AES128-GCM-SHA256', 'ECDHE-ECDSA-AES128-SHA', 'PSK', 'aNULL']) {
    assert.match((await shake('-tls1_2', '-cipher', `${weak}:@SECLEVEL=0`)).stdout, /Cipher is \(NONE\)/, weak)
  }
  assert.ok((await server.command('status')).failedHandshakes >= 7)
  await server.stop()
})

test('WSS: messages both ways, closing, aborting, shutting down', async () => {
  const server = await startServer()
  const socket = await open(`${server.wss}/ws`)
  socket.send('hello ✓')
  assert.equal(await socket.next(), 'hello ✓')
  const large = 'm'.repeat(1_000_000)
  socket.send(large)
  assert.equal(await socket.next(), large)
  const closed = once(socket, 'close')
  socket.send('close')
  const [code, reason] = await closed
  assert.deepEqual([code, reason.toString()], [4001, 'as you like'])

  const dropped = await open(`${server.wss}/ws`)
  const gone = once(dropped, 'close')
  dropped.send('abort')
  assert.equal((await gone)[0], 1006)

  const token = new WebSocket(`${server.wss}/gw`, ['token', 'T'.repeat(140)], { ca })
  await once(token, 'open')
  assert.equal(token.protocol, 'token')
  const last = once(token, 'close')
  const counters = server.command('shut_down')
  assert.equal((await last)[0], 1001)
  assert.equal((await counters).connections, 0)
  assert.equal((await server.exited).code, 0)
})

test('WSS: a reader that stops is not buffered for without end', async () => {
  const server = await startServer()
  const socket = await connect(server)
  socket.write('GET /flood HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n')
  let got = 0
  socket.on('data', (data) => (got += data.length))
  await until('a first part', () => got > 1_000_000)
  socket.pause()
  const { text } = await ask(server, '/hello?others') // the others are served meanwhile
  assert.equal(text, 'hello others')
  const before = got
  socket.resume()
  await until('more', () => got > before + 1_000_000)
  socket.destroy()
  await until('its end', async () => (await server.command('status')).sessions === 0)
  await server.stop()
})

test('HTTPS: pipelined requests, and a client that has said its last word', async () => {
  const server = await startServer()
  const socket = await connect(server, { allowHalfOpen: true })
  let answer = ''
  socket.on('data', (data) => (answer += data))
  const requests = [...Array(100).keys()].map((i) => `GET /hello?${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
  socket.end(`${requests.join('')}GET /later HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`) // close_notify follows at once
  await once(socket, 'end')
  assert.deepEqual([...answer.matchAll(/hello (\d+)/g)].map((found) => Number(found[1])), [...Array(100).keys()])
  assert.match(answer, /late$/)
  await server.stop()
})

test('HTTPS: whoever speaks plain HTTP is told; silence and slowness end', async () => {
  const server = await startServer('--head-timeout', 200, '--max-connections', 3)
  const plain = net.connect(server.port, '127.0.0.1')
  let told = ''
  plain.on('data', (data) => (told += data))
  plain.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n')
  await once(plain, 'close')
  assert.match(told, /^HTTP\/1\.1 400 [^]*this port speaks HTTPS/)

  const silent = net.connect(server.port, '127.0.0.1')
  await once(silent, 'close') // no hello
  const half = net.connect(server.port, '127.0.0.1')
  half.write(Buffer.from('16030100a5010000a10303', 'hex'))
  await once(half, 'close') // the beginning of one
  const mute = await connect(server)
  mute.resume()
  await once(mute, 'close') // no request

  const crowd = [...Array(20)].map(() => net.connect(server.port, '127.0.0.1').on('error', () => {}))
  assert.equal((await ask(server, '/hello?room')).text, 'hello room')
  assert.ok((await server.command('status')).connections <= 3)
  for (const socket of crowd) socket.destroy()
  await server.stop()
})

test('a trusted proxy speaks for its clients, others do not', async () => {
  const headers = { 'X-Forwarded-For': '203.0.113.9, 198.51.100.7', 'X-Forwarded-Proto': 'http', 'X-Forwarded-Host': 'iot.example' }
  const trusting = await startServer('--trust', '127.0.0.0/8', '--hsts', 60)
  const believed = await ask(trusting, '/who', { headers })
  assert.equal(believed.text, '198.51.100.7 plain iot.example')
  assert.equal(believed.headers['strict-transport-security'], undefined)
  await trusting.stop()
  const wary = await startServer('--trust', '192.0.2.0/24')
  assert.match((await ask(wary, '/who', { headers })).text, /^127\.0\.0\.1 secure 127\.0\.0\.1/)
  await wary.stop()
})
