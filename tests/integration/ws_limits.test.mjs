// core/ws under peers that take room and give nothing: others are served all the same.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import { test } from 'node:test'
import { Process, until } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const WebSocket = require('ws')

const kLoopback = '127.0.0.1'
const kElsewhere = 'fd00:a107::1' // on lo, but no loopback address: see tests/support/in_namespace

/** The server of ws_test_server.cpp with the options given. */
async function startServer(options = {}) {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)])
  const server = new Process(process.env.AIOT_WS_SERVER, args)
  const port = Number(await server.line(/^\d+$/, 'stdout'))
  let answers = 1
  return {
    port,
    async status() {
      server.child.stdin.write('status\n')
      const at = answers++
      return JSON.parse(await until('a status', () => server.stdout.split('\n')[at]))
    },
    async stop() {
      server.child.stdin.end()
      const { code, stderr } = await server.exited
      assert.equal(code, 0, stderr)
      return stderr
    },
  }
}

/** A socket that has sent `text`, and may be told to go on. */
async function peer(port, host, text) {
  const socket = net.connect(port, host)
  socket.on('error', () => {})
  socket.gone = new Promise((resolve) => socket.on('close', resolve))
  await once(socket, 'connect')
  socket.write(text)
  return socket
}
const isOpen = (socket) => !socket.destroyed && socket.readyState === 'open'
const hello = async (port, host = kLoopback) => {
  const at = host.includes(':') ? `[${host}]` : host
  const response = await fetch(`http://${at}:${port}/hello?me`, { headers: { connection: 'close' }, signal: AbortSignal.timeout(10_000) })
  return response.text()
}

test('a thousand slow heads keep nobody out', async () => {
  const server = await startServer({ 'max-connections': 1000 })
  const slow = []
  for (let i = 0; i < 1000; i++) slow.push(peer(server.port, kLoopback, 'GET /hello?slow HTTP/1.1\r\nHo'))
  const sockets = await Promise.all(slow)
  await until('all of them connected', async () => (await server.status()).accepted >= 1000)
  for (let i = 0; i < 20; i++) {
    assert.equal(await hello(server.port), 'hello me')
    for (const socket of sockets) if (isOpen(socket)) socket.write('s') // a head that goes on and on
  }
  const status = await server.status()
  assert.ok(status.refusedFull >= 1, 'some made room')
  assert.ok(status.connections <= 1000)
  assert.ok(sockets.filter(isOpen).length > 900, 'no more than were needed')
  for (const socket of sockets) socket.destroy()
  await server.stop()
})

test('slow heads end by the clock however often they send a byte', async () => {
  const server = await startServer({ 'head-timeout': 300 })
  const socket = await peer(server.port, kLoopback, 'GET /hello?slow HTTP/1.1\r\nX: ')
  let answer = ''
  socket.on('data', (data) => (answer += data))
  const timer = setInterval(() => isOpen(socket) && socket.write('x'), 20)
  await socket.gone
  clearInterval(timer)
  assert.match(answer, /^HTTP\/1.1 408/)
  await server.stop()
})

test('slow bodies and slow readers of answers make room after a while, one each', async () => {
  const server = await startServer({ 'max-connections': 6 })
  const bodies = await Promise.all([0, 1, 2].map(() =>
    peer(server.port, kLoopback, 'POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 500000\r\n\r\nabc')))
  const readers = await Promise.all([0, 1, 2].map(() => peer(server.port, kLoopback, 'GET /big?80000000 HTTP/1.1\r\nHost: a\r\n\r\n')))
  // They take a little now and then, so that no deadline of silence ends them.
  for (const socket of readers) socket.on('data', () => { socket.pause(); setTimeout(() => socket.resume(), 100) })
  const timer = setInterval(() => { for (const socket of bodies) if (isOpen(socket)) socket.write('x') }, 50)
  await until('all are at work', async () => (await server.status()).connections === 6)
  const served = await until('room', () => hello(server.port).catch(() => undefined), 20_000)
  assert.equal(served, 'hello me')
  assert.equal([...bodies, ...readers].filter(isOpen).length, 5)
  clearInterval(timer)
  for (const socket of [...bodies, ...readers]) socket.destroy()
  await server.stop()
})

test('one address has a bounded number of connections, loopback any', async () => {
  const server = await startServer({ listen: '[::]:0', 'max-connections-per-address': 3 })
  const sockets = []
  const url = `ws://[${kElsewhere}]:${server.port}/ws`
  for (let i = 0; i < 2; i++) {
    const socket = new WebSocket(url)
    await once(socket, 'open')
    sockets.push(socket)
  }
  const idle = await peer(server.port, kElsewhere, 'GET')
  await until('three', async () => (await server.status()).connections === 3)
  const refused = new WebSocket(url)
  const [error] = await once(refused, 'error')
  assert.match(error.message, /hang up|ECONNRESET/)
  assert.equal((await server.status()).refusedAddress, 1)
  for (let i = 0; i < 5; i++) {
    const socket = new WebSocket(`ws://${kLoopback}:${server.port}/ws`)
    await once(socket, 'open')
    sockets.push(socket)
  }
  // What closes makes room, a WebSocket as well as a request.
  idle.destroy()
  await until('room', async () => (await server.status()).connections === 7)
  assert.equal(await hello(server.port, kElsewhere), 'hello me')
  sockets[0].terminate()
  await until('more room', async () => (await server.status()).connections === 6)
  const again = await Promise.all([0, 1].map(() => peer(server.port, kElsewhere, 'GET')))
  await until('both', async () => (await server.status()).connections === 8)
  assert.equal((await server.status()).refusedAddress, 1)
  for (const socket of sockets) socket.terminate()
  for (const socket of again) socket.destroy()
  assert.match(await server.stop(), /fd00:a107:: has 3 connections open, which is the most for one address/)
})
