// pyaiot's WebSocket nodes, made of npm's ws alone, through gateway and broker to a web client.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { daemon, run, scratch, until } from '../support/process.mjs'
import { joinedClient, WebClient } from '../support/web_client.mjs'

describe('WebSocket nodes, as a web client sees them', () => {
  let broker, gateway, client
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const open = async (path = '/node', options) => {
    const node = new WebClient(`ws://127.0.0.1:${gateway.listeners.ws.port}${path}`, undefined, options)
    node.result = await node.opened
    return node
  }
  const update = (data) => ({ type: 'update', data })
  const uidOf = async (value) => (await client.wait((m) => m.type === 'update' && m.data === value))[0].uid
  const of = (uid) => client.messages.filter((m) => m.uid === uid).map(({ dst, ...rest }) => rest)
  const outs = (uid) => client.messages.filter((m) => m.uid === uid && m.type === 'out').length

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--ws', '127.0.0.1:0',
      '--name', 'paris', '--site', 'home', '--max-time', '1', '--state-dir', join(state, 'gateway'), ...flags])
    client = await joinedClient(broker)
  })
  after(async () => {
    client?.socket.terminate()
    await gateway?.end()
    await broker?.end()
  })

  it('opens only the listener that was named', () => {
    assert.deepEqual(Object.keys(gateway.listeners), ['ws'])
  })

  it('asks the node what it has, and passes on new, protocol and each value as it was sent', async () => {
    const node = await open()
    assert.deepEqual((await node.wait((m) => m.request))[0], { request: 'discover' })
    node.send(update({ temperature: '21.5°C-a', led: '0', count: 3, imu: [1, { x: 2 }], on: true }))
    const uid = await uidOf('21.5°C-a')
    assert.match(uid, /^[0-9a-f-]{36}$/)
    await client.wait((m) => m.uid === uid && m.endpoint === 'on')
    const of_node = (endpoint, data) => ({ type: 'update', uid, endpoint, data })
    assert.deepEqual(of(uid), [{ type: 'new', uid }, of_node('protocol', 'WebSocket'), of_node('temperature', '21.5°C-a'),
      of_node('led', '0'), of_node('count', 3), of_node('imu', [1, { x: 2 }]), of_node('on', true)])

    client.send({ type: 'update', data: { uid, endpoint: 'led', payload: '1' } })
    assert.deepEqual((await node.wait((m) => m.endpoint))[0], { endpoint: 'led', payload: '1' })
    node.send(update({ led: '1' }))
    await client.wait((m) => m.uid === uid && m.endpoint === 'led' && m.data === '1')

    await node.close()
    await client.wait((m) => m.uid === uid && m.type === 'out')
  })

  it('keeps the uid of a node that names itself, over reconnects, and a newer connection replaces an older', async () => {
    const first = await open('/node?uid=door%201')
    first.send(update({ state: 'first' }))
    const uid = await uidOf('first')
    const second = await open('/node?uid=door%201')
    second.send(update({ state: 'second' }))
    assert.equal(await uidOf('second'), uid)
    assert.equal((await first.closed).code, 1008)
    const third = await open()
    third.send({ uid: 'door 1' })
    third.send(update({ state: 'third' }))
    assert.equal(await uidOf('third'), uid)
    assert.equal((await second.closed).code, 1008)
    const fourth = await open()
    fourth.send({ type: 'update', data: { uid: 'door 1', state: 'fourth' } })
    assert.equal(await uidOf('fourth'), uid)
    assert.equal((await third.closed).code, 1008)
    assert.equal(outs(uid), 0)
    await fourth.close()
    await client.wait((m) => m.uid === uid && m.type === 'out')
    assert.deepEqual(of(uid).filter((m) => m.endpoint === 'uid'), [])
  })

  it('keeps a connected node that says nothing, whatever --max-time is', async () => {
    const node = await open('/node?uid=quiet')
    node.send(update({ state: 'quiet' }))
    const uid = await uidOf('quiet')
    await new Promise((resolve) => setTimeout(resolve, 2500)) // nothing may happen in it: there is no event to wait for
    assert.equal(outs(uid), 0)
    await node.close()
  })

  it('closes on what is not understood, with a reason, and nobody else notices', async () => {
    const good = await open('/node?uid=good')
    good.send(update({ state: 'good' }))
    const uid = await uidOf('good')
    const refused = async (message) => {
      const bad = await open('/node?uid=bad')
      bad.socket.send(message)
      return bad.closed
    }
    assert.match((await refused('{"type":')).reason, /must be/)
    assert.equal((await refused('hello')).code, 1003)
    assert.equal((await refused(Buffer.from([1, 2]))).code, 1003)
    assert.equal((await refused(JSON.stringify(update({ deep: JSON.parse('['.repeat(100) + ']'.repeat(100)) })))).code, 1003)
    assert.equal((await refused('x'.repeat(300 * 1024))).code, 1009)
    assert.equal((await open('/node?uid=a/b')).result, 400)
    assert.equal((await open('/other')).result, 404)
    await until('a log line that names the peer', () => /WebSocket node 127\.0\.0\.1:\d+: /.test(gateway.stderr))
    good.send(update({ state: 'still good' }))
    assert.equal(await uidOf('still good'), uid)
    await good.close()
  })

  it('answers a write with the node’s own report, and says when there is none', async () => {
    const node = await open('/node?uid=echo')
    node.send(update({ led: '0', state: 'echo' }))
    const uid = await uidOf('echo')
    node.socket.on('message', (data) => {
      const { endpoint, payload } = JSON.parse(data)
      if (endpoint === 'led') node.send(update({ led: payload }))
    })
    const url = `aiot://127.0.0.1:${broker.listeners.http.port}/${uid}`
    const written = await run(['put', '--json', `${url}/led`, '1'])
    assert.equal(written.code, 0, written.stderr)
    assert.equal(JSON.parse(written.stdout).confirmed, 'echo')
    const silent = await run(['put', '--json', '--timeout', '1', `${url}/state`, 'x'])
    assert.equal(silent.code, 4)
    assert.equal(JSON.parse(silent.stderr).error.outcome, 'unknown')
    const wrong = await run(['post', '--json', `${url}/led`, 'x'])
    assert.equal(wrong.code, 2, wrong.stderr)
    await node.close()
    const gone = await run(['put', '--json', `${url}/led`, '1'])
    assert.equal(gone.code, 3)
  })
})
