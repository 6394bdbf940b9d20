// core/ws against peers that know nothing of it: npm's ws, Node's http and fetch, and bare sockets.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { createRequire } from 'node:module'
import net from 'node:net'
import { join } from 'node:path'
import { test } from 'node:test'

import { Process, scratch, until } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const WebSocket = require('ws')

const serverBinary = process.env.AIOT_WS_SERVER
const clientBinary = process.env.AIOT_WS_CLIENT

/** The server of ws_test_server.cpp with the options given. */
async function startServer(options = {}, [command, ...first] = [serverBinary]) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = new Process(command, [...first, ...args])
  const port = Number(await server.line(/^\d+$/, 'stdout'))
  let answers = 1
  return {
    process: server,
    port,
    http: `http://127.0.0.1:${port}`,
    ws: `ws://127.0.0.1:${port}`,
    async command(line) {
      server.child.stdin.write(`${line}\n`)
      const at = answers++
      return JSON.parse(await until(`an answer to ${line}`, () => server.stdout.split('\n')[at]))
    },
    async stop() {
      server.child.stdin.end()
      const { code, stderr } = await server.exited
      assert.equal(code, 0, stderr) // ASan, LSan and the loop's own check end in another code
    },
  }
}

/** Keeps what arrives until it is asked for: several messages come in one turn. */
function collect(socket) {
  const kept = []
  const waiting = []
  socket.on('message', (data) => {
    const next = waiting.shift()
    if (next) next(data.toString())
    else if (kept.length < 1000) kept.push(data.toString())
  })
  socket.next = () => (kept.length > 0 ? Promise.resolve(kept.shift()) : new Promise((resolve) => waiting.push(resolve)))
  return socket
}
const open = async (url, ...more) => {
  const socket = collect(new WebSocket(url, ...more))
  await once(socket, 'open')
  return socket
}
const message = (socket) => socket.next()
const closing = async (socket) => {
  const [code, reason] = await once(socket, 'close')
  return [code, reason.toString()]
}
const refusal = async (url, ...more) => {
  const socket = new WebSocket(url, ...more)
  const [, response] = await once(socket, 'unexpected-response')
  const status = response.statusCode
  response.resume()
  socket.on('error', () => {})
  socket.terminate()
  return status
}

/** Writes `parts` to a bare socket and returns all that comes back until the server ends it. */
async function raw(port, ...parts) {
  const socket = net.connect(port, '127.0.0.1')
  let answer = ''
  socket.on('data', (data) => (answer += data.toString('latin1')))
  socket.on('error', () => {})
  const closed = new Promise((resolve) => socket.on('close', resolve)) // also after a reset
  await once(socket, 'connect')
  for (const part of parts) {
    socket.write(part)
    await new Promise((resolve) => setImmediate(resolve))
  }
  await closed
  return answer
}

test('HTTP: methods, bodies, keep-alive and large answers', async () => {
  const server = await startServer()
  const text = async (path, init) => {
    const response = await fetch(server.http + path, init)
    return [response.status, await response.text()]
  }
  assert.deepEqual(await text('/hello?there'), [200, 'hello there'])
  assert.deepEqual(await text('/later'), [200, 'late'])
  assert.equal((await text('/nothing'))[0], 404)
  assert.equal((await text('/dropped'))[0], 500)
  assert.equal((await text('/hello', { method: 'DELETE' }))[0], 405)

  const head = await fetch(`${server.http}/static`, { method: 'HEAD' })
  assert.equal(head.headers.get('content-length'), '1200000')
  assert.equal(await head.text(), '')
  assert.equal((await text('/static'))[1].length, 1200000)
  assert.equal((await text('/big?40000000'))[1].length, 40000000)

  const body = 'x'.repeat(1000000)
  for (const method of ['POST', 'PUT', 'PATCH']) {
    const response = await fetch(`${server.http}/echo`, { method, body, headers: { 'X-Unknown-To-Libraries': 'seen' } })
    assert.equal(response.headers.get('x-method'), method)
    assert.equal(response.headers.get('x-unknown'), 'seen')
    assert.equal(await response.text(), body)
  }
  assert.equal((await text('/echo', { method: 'POST', body: 'x'.repeat(1024 * 1024 + 1) }))[0], 413)

  // Chunked, with a pause and "Expect: 100-continue" before the body.
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 })
  const chunked = await new Promise((resolve, reject) => {
    const request = http.request(
      `${server.http}/echo`,
      { method: 'POST', agent, headers: { Expect: '100-continue', 'Transfer-Encoding': 'chunked' } },
      async (response) => {
        let answer = ''
        for await (const part of response) answer += part
        resolve(answer)
      },
    )
    request.on('error', reject)
    request.flushHeaders()
    request.on('continue', () => {
      request.write('first;')
      setImmediate(() => {
        request.write('second;')
        request.end('third')
      })
    })
  })
  assert.equal(chunked, 'first;second;third')
  const before = (await server.command('status')).accepted
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve, reject) => {
      http.get(`${server.http}/hello`, { agent }, (response) => response.resume().on('end', resolve)).on('error', reject)
    })
  }
  assert.equal((await server.command('status')).accepted, before, 'one connection serves all')
  agent.destroy()
  await server.stop()
})

test('HTTP: pipelined requests are answered in order', async () => {
  const server = await startServer()
  const requests = []
  for (let i = 0; i < 300; i++) requests.push(`GET /hello?${i} HTTP/1.1\r\nHost: a\r\n\r\n`)
  requests.push('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody')
  requests.push('GET /later HTTP/1.1\r\nHost: a\r\n\r\n')
  requests.push('HEAD /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
  const answer = await raw(server.port, requests.join(''))
  assert.deepEqual(
    [...answer.matchAll(/hello (\d+)/g)].map((found) => Number(found[1])),
    [...Array(300).keys()],
  )
  assert.match(answer, /body.*HTTP\/1.1 200 OK[^]*late[^]*Content-Length: 6\r\n/)
  assert.match(answer, /Connection: close\r\n\r\n$/)
  await server.stop()
})

test('HTTP: bad heads are refused with a status and disturb no one', async () => {
  const server = await startServer()
  const status = async (...parts) => Number((await raw(server.port, ...parts)).slice(9, 12))
  assert.equal(await status('nonsense\r\n\r\n'), 400)
  assert.equal(await status('GET / HTTP/1.1\r\n\r\n'), 400)
  assert.equal(await status('GET / HTTP/1.1\r\nHost: a\r\nBad Name: x\r\n\r\n'), 400)
  assert.equal(await status('GET / HTTP/1.1\r\nHost: a\r\n folded: x\r\n\r\n'), 400)
  assert.equal(await status('GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n'), 400)
  assert.equal(await status('GET / HTTP/2.0\r\nHost: a\r\n\r\n'), 505)
  assert.equal(await status(`GET / HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(9000)}\r\n\r\n`), 431)
  assert.equal(await status(`GET / HTTP/1.1\r\nHost: a\r\n${'X: y\r\n'.repeat(200)}\r\n`), 431)
  assert.equal(await status('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n'), 400)
  assert.equal(await status('POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3, 4\r\n\r\nabc'), 400)
  assert.equal(await status('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n'), 501)
  assert.equal(await status('POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n'), 400)
  const upgrade = 'Upgrade: websocket\r\nConnection: Upgrade\r\n'
  const key = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n'
  assert.equal(await status(`GET /ws HTTP/1.1\r\nHost: a\r\n${upgrade}${key}Sec-WebSocket-Version: 8\r\n\r\n`), 426)
  assert.equal(await status(`GET /ws HTTP/1.1\r\nHost: a\r\n${upgrade}Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n`), 400)
  assert.equal(await (await fetch(`${server.http}/hello?x`)).text(), 'hello x')
  assert.ok((await server.command('status')).refusedHeads >= 12)
  await server.stop()
})

test('HTTP: slow heads, slow bodies, idle connections and connections beyond the bound end', async () => {
  const server = await startServer({
    'head-timeout': 150,
    'body-timeout': 150,
    'idle-timeout': 150,
    'max-connections': 3,
  })
  assert.match(await raw(server.port, 'GET / HT'), /^HTTP\/1.1 408/)
  assert.equal(await raw(server.port), '')
  assert.match(await raw(server.port, 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab'), /^HTTP\/1.1 408/)
  assert.match(await raw(server.port, 'GET /hello?x HTTP/1.1\r\nHost: a\r\n\r\n'), /hello x$/)
  const held = []
  for (let i = 0; i < 3; i++) held.push(await open(`${server.ws}/ws`))
  assert.equal(await raw(server.port, 'GET /hello HTTP/1.1\r\nHost: a\r\n\r\n'), '')
  held.pop().terminate()
  await until('room', async () => (await server.command('status')).connections === 2)
  assert.equal(await (await fetch(`${server.http}/hello?y`)).text(), 'hello y')
  const counters = await server.command('status')
  assert.equal(counters.refusedFull, 1)
  assert.ok(counters.refusedHeads >= 2)
  await server.stop()
})

test('WebSocket: subprotocols, tokens of 140 characters, refusals and origins', async () => {
  const server = await startServer()
  const plain = await open(`${server.ws}/ws`)
  assert.equal(plain.protocol, '')
  assert.equal(plain.extensions, '')
  const gateway = await open(`${server.ws}/gw`, ['token', 'T'.repeat(140)])
  assert.equal(gateway.protocol, 'token')
  gateway.send('hello')
  assert.equal(await message(gateway), 'hello')
  assert.equal(await refusal(`${server.ws}/gw`, ['token', 'X'.repeat(140)]), 401)
  assert.equal(await refusal(`${server.ws}/gw`), 401)
  assert.equal(await refusal(`${server.ws}/elsewhere`), 404)
  assert.equal(await refusal(`${server.ws}/origin`, { origin: 'http://bad.example' }), 403)
  const good = await open(`${server.ws}/origin`, { origin: 'http://good.example' })
  for (const socket of [plain, gateway, good]) {
    socket.close(1000)
    await closing(socket)
  }
  await server.stop()
})

test('WebSocket: messages, fragments, pings and closing', async () => {
  const server = await startServer({ 'max-message': 300000 })
  const socket = await open(`${server.ws}/ws`)
  for (const size of [0, 1, 125, 126, 65535, 65536, 300000]) {
    socket.send('m'.repeat(size))
    assert.equal((await message(socket)).length, size)
  }
  const pong = once(socket, 'pong')
  socket.send('frag', { fin: false })
  socket.ping('in between')
  socket.send('men', { fin: false })
  socket.send('ted ✓', { fin: true })
  assert.equal((await pong)[0].toString(), 'in between')
  assert.equal(await message(socket), 'fragmented ✓')
  socket.send('close')
  assert.deepEqual(await closing(socket), [4001, 'as you like'])

  const closes = async (action) => {
    const one = await open(`${server.ws}/ws`)
    const closed = closing(one)
    action(one)
    return (await closed)[0]
  }
  assert.equal(await closes((one) => one.send(Buffer.from([1, 2, 3]))), 1003)
  assert.equal(await closes((one) => one.send('x'.repeat(300001))), 1009)
  assert.equal(
    await closes((one) => {
      for (let i = 0; i < 40; i++) one.send('y'.repeat(10000), { fin: false })
    }),
    1009,
  )
  assert.equal(await closes((one) => one.send(Buffer.from([0xff, 0xfe]), { binary: false })), 1007)
  assert.equal(await closes((one) => one.close(4321, 'mine')), 4321)
  assert.equal(await closes((one) => one.send('abort')), 1006)

  const paused = await open(`${server.ws}/ws`)
  paused.send('pause')
  for (let i = 0; i < 100; i++) paused.send(`number ${i} ${'.'.repeat(20000)}`)
  for (let i = 0; i < 100; i++) assert.match(await message(paused), new RegExp(`^number ${i} `))
  paused.terminate()
  await until('the sessions to end', async () => (await server.command('status')).sessions === 0)
  await server.stop()
})

test('WebSocket: a frame sent together with the handshake is not lost', async () => {
  const server = await startServer({ 'close-timeout': 200 })
  const handshake =
    'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n' +
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'
  const frame = (text) =>
    Buffer.concat([Buffer.from([0x81, 0x80 | text.length]), Buffer.alloc(4), Buffer.from(text)]) // a mask of zeros
  const answer = await raw(server.port, Buffer.concat([Buffer.from(handshake), frame('early'), frame('close')]))
  assert.match(answer, /Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/)
  assert.match(answer, /early/)
  assert.match(answer, /as you like/)
  await server.stop()
})

test('WebSocket: a peer that is silent is dropped, one that reads nothing costs little, others go on', async () => {
  const server = await startServer({ 'ping-interval': 200 })
  const flooded = await open(`${server.ws}/flood`)
  let bytes = 0
  flooded.on('message', (data) => (bytes += data.length))
  const deaf = net.connect(server.port, '127.0.0.1')
  deaf.on('error', () => {})
  deaf.write(
    'GET /flood HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n',
  )
  deaf.pause()
  await until('both sessions', async () => (await server.command('status')).sessions === 2)
  const echo = await open(`${server.ws}/ws`)
  const from = bytes
  for (let i = 0; i < 50; i++) {
    const start = Date.now()
    echo.send(`echo ${i}`)
    assert.equal(await message(echo), `echo ${i}`)
    assert.ok(Date.now() - start < 2000)
  }
  await until('the deaf one to be dropped', async () => (await server.command('status')).sessions === 2)
  assert.ok(bytes > from)
  const rss = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.child.pid}/status`, 'utf8'))[1])
  assert.ok(rss < 400 * 1024, `${rss} KB`)
  deaf.destroy()
  flooded.terminate()
  echo.terminate()
  await server.stop()
})

test('WebSocket: a peer that only answers pings stays', async () => {
  const server = await startServer({ 'ping-interval': 100 })
  const idle = await open(`${server.ws}/ws`)
  let pings = 0
  idle.on('ping', () => pings++)
  await until('ten pings', () => pings >= 10)
  idle.send('echo still here')
  assert.equal(await message(idle), 'echo still here')
  idle.terminate()
  await server.stop()
})

const upgrade = 'GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n'

test('HTTP: what cannot become a request is answered at once', async () => {
  const server = await startServer({ 'head-timeout': 60_000 })
  const hello = Buffer.from('16030100a5010000a10303', 'hex') // how TLS begins
  assert.match(await raw(server.port, hello), /^HTTP\/1.1 400 /)
  assert.match(await raw(server.port, 'x'.repeat(100)), /^HTTP\/1.1 400 /)
  assert.match(await raw(server.port, 'GET', ' /hello?slow HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /hello slow$/)
  await server.stop()
})

for (const [what, start, options] of [
  ['connections', startServer, { 'max-connections': 3 }],
  ['open files', (options) => startServer(options, ['prlimit', '--nofile=48', serverBinary]), {}],
]) {
  // Sanitizers need descriptors of their own to look at memory.
  const skip = what === 'open files' && process.env.AIOT_SANITIZED !== undefined
  test(`idle connections give way when there are no more ${what}`, { skip }, async () => {
    const server = await start({ 'head-timeout': 60_000, ...options })
    const used = await open(`${server.ws}/ws`)
    const idle = []
    for (let i = 0; i < 60; i++) {
      const socket = net.connect(server.port, '127.0.0.1').on('error', () => {})
      socket.ended = new Promise((resolve) => socket.on('close', resolve))
      await once(socket, 'connect')
      idle.push(socket)
      socket.write('GET /')
    }
    assert.match(await raw(server.port, 'GET /hello?room HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n'), /hello room$/)
    const late = await open(`${server.ws}/ws`)
    late.send('late')
    assert.equal(await message(late), 'late')
    await idle[0].ended // the oldest
    used.send('still here')
    assert.equal(await message(used), 'still here')
    assert.ok((await server.command('status')).refusedFull > 0)
    for (const socket of idle) socket.destroy()
    used.terminate()
    late.terminate()
    await server.stop()
  })
}

test('an upgrade that was under way when the server stopped is closed with 1001, not refused', async () => {
  const server = await startServer()
  const socket = net.connect(server.port, '127.0.0.1')
  let answer = Buffer.alloc(0)
  socket.on('data', (data) => (answer = Buffer.concat([answer, data])))
  socket.write(upgrade.slice(0, 20))
  await until('the connection', async () => (await server.command('status')).connections === 1)
  await new Promise((resolve) => setTimeout(resolve, 50)) // the bytes are in
  const counters = server.command('shut_down')
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.write(upgrade.slice(20))
  const close = Buffer.from('881d03e9' + Buffer.from('the server is shutting down').toString('hex'), 'hex')
  await until('the close frame', () => answer.includes(close))
  assert.match(answer.toString('latin1'), /^HTTP\/1.1 101 /)
  socket.write(Buffer.from('888200000000' + '03e9', 'hex'))
  assert.equal((await counters).connections, 0)
  assert.equal((await server.process.exited).code, 0)
})

test('shutting down says 1001 to WebSockets and finishes answers', async () => {
  const server = await startServer()
  const socket = await open(`${server.ws}/ws`)
  const late = fetch(`${server.http}/later`).then((response) => response.text())
  await until('the request', async () => (await server.command('status')).connections === 2)
  const closed = closing(socket)
  const counters = await server.command('shut_down')
  assert.deepEqual(await closed, [1001, 'the server is shutting down'])
  assert.equal(await late, 'late')
  assert.equal(counters.connections, 0)
  assert.equal((await server.process.exited).code, 0)
})

/** A line a client says, now or before it has ended. */
const said = (client, pattern) =>
  until(`${pattern}; it said ${client.stdout}${client.stderr}`, () =>
    client.stdout.split('\n').find((line) => pattern.test(line)),
  )

/** Runs the client of ws_test_client.cpp. */
const startClient = (...args) => new Process(clientBinary, args)

test('the client talks to npm ws: subprotocols, large messages, pings, closing', async () => {
  const server = new WebSocket.Server({ port: 0, host: '127.0.0.1', maxPayload: 8 << 20 })
  await once(server, 'listening')
  const url = `ws://127.0.0.1:${server.address().port}`
  server.on('connection', collect)
  const connected = once(server, 'connection')
  const client = startClient(url, '/prefix/gw', 'token', 'T'.repeat(140))
  const [socket, request] = await connected
  assert.equal(request.url, '/prefix/gw')
  assert.equal(request.headers['sec-websocket-protocol'], `token, ${'T'.repeat(140)}`)
  assert.equal(request.headers.host, `127.0.0.1:${server.address().port}`)
  await said(client, /^opened token$/)
  client.child.stdin.write('text hello ✓\nsend 4194304\nsend 0\n')
  assert.equal(await message(socket), 'hello ✓')
  assert.equal((await message(socket)).length, 4194304)
  assert.equal(await message(socket), '')
  socket.send('s'.repeat(4 * 1024 * 1024))
  await said(client, /^received 4194304 /)
  socket.send(Buffer.from('bytes'))
  await said(client, /^binary 5 bytes$/)
  const pong = once(socket, 'pong')
  socket.ping('are you there')
  assert.equal((await pong)[0].toString(), 'are you there')
  socket.close(1003, 'not like this')
  assert.match(await said(client, /^closed/), /^closed rejected 1003 .*not like this/)
  assert.equal((await client.exited).code, 0)

  const again = once(server, 'connection')
  const second = startClient(url, '/')
  const [other] = await again
  await said(second, /^opened $/)
  second.child.stdin.write('close\n')
  assert.deepEqual(await closing(other), [1000, 'enough'])
  assert.equal((await second.exited).code, 0)

  const third = once(server, 'connection')
  const dropping = startClient(url, '/')
  const [dropped] = await third
  await said(dropping, /^opened/)
  dropping.child.stdin.end()
  assert.equal((await closing(dropped))[0], 1001)
  assert.equal((await dropping.exited).code, 0)
  server.close()
})

test('the clients over TLS: verified, refused, and told so', async () => {
  const directory = scratch()
  execFileSync('openssl', [
    'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2',
    '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
    '-keyout', join(directory, 'key.pem'), '-out', join(directory, 'cert.pem'),
  ], { stdio: 'ignore' })
  const server = https.createServer(
    { key: readFileSync(join(directory, 'key.pem')), cert: readFileSync(join(directory, 'cert.pem')) },
    (request, response) => {
      let size = 0
      request.on('data', (data) => (size += data.length))
      request.on('end', () => {
        response.setHeader('X-Test', `${request.socket.servername} ${size}`)
        response.end('a'.repeat(3000000))
      })
    },
  )
  const sockets = new WebSocket.Server({ server })
  sockets.on('connection', (socket, request) => {
    socket.send(`SNI ${request.socket.servername} ALPN ${request.socket.alpnProtocol}`)
    socket.on('message', (data) => socket.send(data.toString()))
  })
  server.listen(0)
  await once(server, 'listening')
  const port = server.address().port
  const trusted = { env: { ...process.env, SSL_CERT_FILE: join(directory, 'cert.pem') } }

  const client = new Process(clientBinary, [`wss://localhost:${port}`, '/ws'], trusted)
  await said(client, /^received \d+ SNI localhost ALPN http\/1.1$/)
  client.child.stdin.write('send 1000000\n')
  await said(client, /^received 1000000 /)
  client.child.stdin.write('close\n')
  assert.equal((await client.exited).code, 0)
  const fetched = new Process(clientBinary, ['--http', 'POST', `https://localhost:${port}`, '/x', '2000000'], trusted)
  await said(fetched, /^answer 200 3000000 \d+ localhost 2000000$/)

  for (const url of [`wss://localhost:${port}`, `wss://127.0.0.1:${port}`]) {
    const environment = url.includes('localhost') ? {} : trusted // unknown authority, then wrong name
    const refused = new Process(clientBinary, [url, '/ws'], environment)
    assert.match(await said(refused, /^closed/), /^closed unauthorized/)
    assert.equal((await refused.exited).code, 0)
    const failed = new Process(clientBinary, ['--http', 'GET', url, '/x'], environment)
    assert.match(await said(failed, /^failed/), /^failed unauthorized .*(self-signed|mismatch)/)
  }
  sockets.close()
  server.closeAllConnections()
  server.close()
})

test('the HTTP client takes every kind of answer, and nonsense for an error', async () => {
  const answers = {
    chunked: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Test: c\r\n\r\n5;ext=1\r\nabcde\r\n3\r\nfgh\r\n0\r\nTrailer: x\r\n\r\n',
    close: 'HTTP/1.0 200 OK\r\nX-Test: u\r\n\r\nuntil the end',
    early: 'HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Test: e\r\n\r\nok',
    empty: 'HTTP/1.1 204 No Content\r\nX-Test: n\r\n\r\n',
    short: 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf',
    nonsense: 'SSH-2.0-OpenSSH_9.2p1 Debian\r\n\r\n',
    badchunk: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n',
  }
  const server = net.createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', (data) => socket.end(answers[/ \/(\w+)/.exec(data.toString())[1]]))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const get = async (name) => {
    const client = startClient('--http', 'GET', `http://127.0.0.1:${server.address().port}`, `/${name}`)
    return said(client, /./)
  }
  assert.match(await get('chunked'), /^answer 200 8 \d+ c$/)
  assert.match(await get('close'), /^answer 200 13 \d+ u$/)
  assert.match(await get('early'), /^answer 200 2 \d+ e$/)
  assert.match(await get('empty'), /^answer 204 0 \d+ n$/)
  assert.match(await get('short'), /^failed unreachable/)
  assert.match(await get('nonsense'), /^failed peer_failed/)
  assert.match(await get('badchunk'), /^failed peer_failed/)
  // A WebSocket handshake there ends in a sentence too.
  const refused = startClient(`ws://127.0.0.1:${server.address().port}`, '/nonsense')
  assert.match(await said(refused, /^closed/), /^closed (peer_failed|unreachable)/)
  server.close()
})
