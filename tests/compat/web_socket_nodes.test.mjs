// pyaiot's WebSocket nodes, made of npm's ws alone, through gateway and broker to a web client.
import assert from 'node:assert/strict'
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Authority } from '../support/certificates.mjs'
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

describe('WebSocket nodes at a gateway that does not trust everyone', () => {
  const state = scratch()
  const tokens = join(state, 'node-tokens')
  const secret = { door: 'a-token-of-the-door', lamp: 'a-token-of-the-lamp', spare: 'another-of-the-door' }
  const write = (...lines) => writeFileSync(tokens, lines.join('\n'), { mode: 0o600 })
  const start = async (...args) => {
    const both = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--ws', '127.0.0.1:0', '--key-file', join(state, 'keys'),
      '--name', 'g', '--state-dir', join(state, 'state'), ...args])
    both.client = await joinedClient(both)
    return both
  }
  const open = async (gateway, path, token, options = {}) => {
    const scheme = options.ca ? 'wss' : 'ws'
    const node = new WebClient(`${scheme}://127.0.0.1:${gateway.listeners.ws.port}${path}`, undefined, { headers: token ? { authorization: `Bearer ${token}` } : {}, ...options })
    node.result = await node.opened
    return node
  }
  const say = async (gateway, node, state) => {
    node.send({ type: 'update', data: { state } })
    return (await gateway.client.wait((m) => m.type === 'update' && m.data === state))[0].uid
  }
  const end = async (gateway) => {
    gateway.client.socket.terminate()
    await gateway.end()
  }

  it('by trust on first use: another address neither gets the name nor cuts off who has it', async () => {
    const gateway = await start('--trust-first-use')
    const node = await open(gateway, '/node?uid=first')
    const uid = await say(gateway, node, 'hello')
    const thief = await open(gateway, '/node?uid=first', undefined, { localAddress: '127.0.0.2' })
    assert.match((await thief.closed).reason, /another address/)
    const late = await open(gateway, '/node', undefined, { localAddress: '127.0.0.2' })
    late.send({ uid: 'first', type: 'update', data: { state: 'stolen' } })
    assert.match((await late.closed).reason, /another address/)
    assert.equal(await say(gateway, node, 'still there'), uid)
    assert.deepEqual(gateway.client.messages.filter((m) => m.type === 'out' || m.data === 'stolen'), [])
    await end(gateway)
  })

  it('by token: the name goes with it, on SIGHUP too, and stays with who had one', async () => {
    write(`door:${secret.door}`, `lamp:${secret.lamp}`)
    let gateway = await start('--ws-tokens-file', tokens)
    assert.equal((await open(gateway, '/node?uid=door')).result, 401)
    assert.equal((await open(gateway, '/node?uid=door', 'a-token-of-nobody')).result, 401)
    assert.equal((await open(gateway, '/node?uid=door', secret.lamp)).result, 403)
    assert.equal((await open(gateway, '/node?uid=door', undefined, { headers: { authorization: `Basic ${secret.door}` } })).result, 401)
    const door = await open(gateway, '/node', secret.door)
    const lamp = await open(gateway, '/node?uid=lamp', secret.lamp)
    const uid = await say(gateway, door, 'closed')
    // What a node calls itself does not count.
    lamp.send({ uid: 'door', type: 'update', data: { state: 'by the lamp' } })
    assert.notEqual((await gateway.client.wait((m) => m.data === 'by the lamp'))[0].uid, uid)

    write(`door:${secret.door}`, `door:${secret.spare}`)
    gateway.child.kill('SIGHUP')
    assert.deepEqual(await lamp.closed, { code: 1008, reason: 'the token is no longer good' })
    await gateway.client.wait((m) => m.type === 'out')
    assert.equal((await open(gateway, '/node?uid=lamp', secret.lamp)).result, 401)
    const again = await open(gateway, '/node', secret.spare)
    assert.equal(await say(gateway, again, 'by another token'), uid)
    assert.equal((await door.closed).code, 1008)

    write('door:short')
    gateway.child.kill('SIGHUP')
    await gateway.line(/tokens stay as they were: .*node-tokens:1: a token has/)
    assert.equal(await say(gateway, again, 'still there'), uid)
    assert.doesNotMatch(gateway.stderr, /token-of|another-of/)
    await end(gateway)

    // Without tokens: a name that had one is nobody's.
    gateway = await start()
    const bare = await open(gateway, '/node?uid=door')
    assert.match((await bare.closed).reason, /credential/)
    assert.equal((await open(gateway, '/node?uid=other')).result, 'open')
    const api = `http://127.0.0.1:${gateway.listeners.http.port}/api/v1/events?type=uid_conflict`
    await until('the alarm', async () => (await (await fetch(api)).json()).items.some((event) => event.node === uid))
    await end(gateway)
    gateway = await start('--release', uid)
    assert.equal(await say(gateway, await open(gateway, '/node?uid=door'), 'released'), uid)
    await end(gateway)
  })

  it('over TLS alone when it has a certificate', async () => {
    const authority = new Authority()
    const { cert, key } = authority.issue('gateway')
    write(`door:${secret.door}`)
    const gateway = await start('--ws-cert', cert, '--ws-key', key, '--ws-tokens-file', tokens)
    const ca = readFileSync(authority.ca)
    const node = await open(gateway, '/node', secret.door, { ca, checkServerIdentity: () => undefined })
    assert.ok(await say(gateway, node, 'over TLS'))
    assert.notEqual((await open(gateway, '/node', secret.door)).result, 'open')
    await end(gateway)
  })

  it('says what cannot be', async () => {
    const fails = async (args, why, status) => {
      const { code, stderr } = await run(['serve-gateway', '--broker', 'off', '--state-dir', 'off', ...args])
      assert.match(stderr, why)
      assert.equal(code, status)
    }
    write(`door:${secret.door}`)
    const ws = ['--ws', '127.0.0.1:0']
    await fails(['--coap', '127.0.0.1:0', '--ws-tokens-file', tokens], /--ws-tokens-file, .* need --ws ADDRESS/, 2)
    await fails([...ws, '--ws-key', tokens], /--ws-key needs --ws-cert/, 2)
    await fails([...ws, '--ws-tokens-file', '/nonexistent'], /cannot read .*\/nonexistent/, 1)
    await fails([...ws, '--ws-cert', tokens], /--ws-cert .*node-tokens/, 1)
    chmodSync(tokens, 0o622)
    await fails([...ws, '--ws-tokens-file', tokens], /can be written by others/, 2)
  })
})
