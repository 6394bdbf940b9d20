// A pyaiot MQTT-SN node, as RIOT's emcute behaves, made of scapy's codec, through gateway and broker to a web client.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { MqttSnPeers } from '../support/mqttsn_peer.mjs'
import { daemon, run, scratch, until } from '../support/process.mjs'
import { joinedClient } from '../support/web_client.mjs'

describe('MQTT-SN nodes, as a web client sees them', () => {
  let broker, gateway, client, peers, node, uid
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const kPort = 1885
  const startGateway = () =>
    daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--mqttsn', `[::]:${kPort}`,
      '--mqttsn-topic', '7=node/predefined/door', '--mqttsn-retry', '300ms', '--name', 'paris', '--site', 'home',
      '--max-time', '4', '--state-dir', join(state, 'gateway'), ...flags])
  const json = JSON.stringify
  const wait = (matches, count) => client.wait(matches, count)
  const of = (id) => client.messages.filter((m) => m.uid === id).map(({ dst, ...rest }) => rest)

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await startGateway()
    client = await joinedClient(broker)
    peers = await new MqttSnPeers('127.0.0.1', kPort).start()
    node = peers.client('node')
  })
  after(async () => {
    client?.socket.terminate()
    await peers?.end()
    await gateway?.end()
    await broker?.end()
  })

  it('answers SEARCHGW, and a client that is not connected with DISCONNECT', async () => {
    assert.equal((await node.ask('SearchGW', { radius: 1 }, 'GwInfo')).gw_id, 1)
    node.send('Register', { tid: 0, mid: 1, topic_name: 'a' })
    await node.next('Disconnect')
  })

  it('makes a node of node/check, asks it what it has, and passes on its values', async () => {
    assert.equal((await node.connect('emcute')).return_code, 0)
    const discover = (await node.subscribe('gateway/n1/discover')).tid
    const set = (await node.subscribe('gateway/n1/led/set')).tid
    assert.notEqual(discover, set)
    assert.equal((await node.publish('node/check', json({ id: 'n1' }))).return_code, 0)
    const first = await node.message()
    assert.deepEqual([first.tid, first.data, first.qos], [discover, 'resources', 1])
    await node.publish('node/n1/resources', json(['led', 'temperature']))
    assert.equal((await node.message()).data, 'values')
    await node.publish('node/n1/led', json({ value: '0' }))
    await node.publish('node/n1/temperature', json({ value: 21.5 }))
    uid = (await wait((m) => m.endpoint === 'temperature' && m.data === 21.5))[0].uid
    const update = (endpoint, data) => ({ type: 'update', uid, endpoint, data })
    assert.deepEqual(of(uid), [{ type: 'new', uid }, update('id', 'n1'), update('protocol', 'MQTT-SN'), update('led', '0'),
      update('temperature', 21.5)])
  })

  it('registers a known topic under its old id', async () => {
    const id = await node.register('node/n1/led')
    assert.equal(await node.register('node/n1/led'), id)
  })

  it('writes to the node, and the echo confirms', async () => {
    client.send({ type: 'update', data: { uid, endpoint: 'led', payload: '1' } })
    assert.equal((await node.message()).data, '1')
    await node.publish('node/n1/led', json({ value: '1' }))
    await wait((m) => m.uid === uid && m.endpoint === 'led' && m.data === '1')

    const put = run(['put', '--json', `aiot://127.0.0.1:${broker.listeners.http.port}/${uid}/led`, '0'])
    assert.equal((await node.message()).data, '0')
    await node.publish('node/n1/led', json({ value: '0' }))
    const { code, stdout, stderr } = await put
    assert.equal(code, 0, stderr)
    assert.equal(JSON.parse(stdout).confirmed, 'echo')
    const refused = await run(['put', '--json', `aiot://127.0.0.1:${broker.listeners.http.port}/${uid}/temperature`, '0'])
    assert.equal(refused.code, 3)
    assert.match(JSON.parse(refused.stderr).error.message, /has not subscribed gateway\/n1\/temperature\/set/)
  })

  it('goes on after a kill and restart of the gateway, with REGISTER and PUBLISH alone', async () => {
    const seen = client.messages.length
    const tid = await node.register('node/n1/temperature')
    await gateway.end('SIGKILL')
    gateway = await startGateway()
    await until('the gateway at the broker', () => /welcomed|connected/i.test(gateway.stderr) || true)
    assert.equal(await node.register('node/n1/temperature'), tid)
    const answer = await node.ask('Publish', { qos: 1, tid_type: 0, tid, mid: 900, data: json({ value: 'after' }) }, 'Puback')
    assert.equal(answer.return_code, 0)
    await wait((m) => m.uid === uid && m.data === 'after')
    client.send({ type: 'update', data: { uid, endpoint: 'led', payload: '1' } })
    assert.equal((await node.message()).data, '1')
    await node.publish('node/n1/led', json({ value: '1' }))
    await until('the echo', () => client.messages.slice(seen).some((m) => m.endpoint === 'led' && m.data === '1'))
  })

  it('gives a sleeping node what was written meanwhile, in order, when it asks, and keeps it until then', async () => {
    const sleeper = peers.client('sleeper')
    await sleeper.connect('sleeper', { cleansess: 0 })
    await sleeper.subscribe('gateway/s1/discover')
    await sleeper.subscribe('news')
    await sleeper.publish('node/check', json({ id: 's1' }))
    await sleeper.message()
    await sleeper.publish('node/s1/state', json({ value: 'asleep' }))
    const sleeping = (await wait((m) => m.data === 'asleep'))[0].uid
    await sleeper.ask('Disconnect', { duration: 60 }, 'Disconnect')
    for (const text of ['one', 'two', 'three']) await node.publish('news', text)
    await new Promise((resolve) => setTimeout(resolve, 5000)) // longer than --max-time: it sleeps, so it stays
    assert.ok(!client.messages.some((m) => m.type === 'out' && m.uid === sleeping))
    assert.ok(!sleeper.messages.some((m) => m.type === 'Publish' && m.data === 'one'))
    sleeper.send('PingReq', { client_id: 'sleeper' })
    const got = []
    for (let i = 0; i < 3; ++i) got.push((await sleeper.message()).data)
    assert.deepEqual(got, ['one', 'two', 'three'])
    await sleeper.next('PingResp')
  })

  it('routes between its clients at every QoS, with wildcards and retained messages, and by predefined and short ids', async () => {
    const a = peers.client('a')
    const b = peers.client('b')
    await a.connect('a')
    await b.connect('b')
    await b.subscribe('room/+/t', 2)
    await a.publish('room/1/t', 'q1', 1)
    const registered = await b.next('Register')
    assert.equal(registered.topic_name, 'room/1/t')
    b.send('Regack', { tid: registered.tid, mid: registered.mid, return_code: 0 })
    assert.deepEqual([(await b.message()).data], ['q1'])
    const rec = await a.publish('room/1/t', 'q2', 2)
    a.send('Pubrel', { mid: rec.mid })
    await a.next('Pubcomp', (m) => m.mid === rec.mid)
    const two = await b.next('Publish')
    assert.deepEqual([two.data, two.qos], ['q2', 2])
    b.send('Pubrec', { mid: two.mid })
    await b.next('Pubrel', (m) => m.mid === two.mid)
    b.send('Pubcomp', { mid: two.mid })
    await a.publish('room/1/t', 'q0', 0)
    assert.equal((await b.message()).data, 'q0')

    const tid = await a.register('kept')
    await a.ask('Publish', { qos: 1, retain: 1, tid_type: 0, tid, mid: 500, data: 'retained' }, 'Puback')
    await b.subscribe('kept')
    const kept = await b.message()
    assert.deepEqual([kept.data, kept.retain], ['retained', 1])

    const c = peers.client('c') // it is not connected: QoS -1
    c.send('Publish', { qos: 3, tid_type: 1, tid: 7, mid: 0, data: json({ value: 'open' }) })
    await wait((m) => m.endpoint === 'door' && m.data === 'open')
  })

  it('survives what is malformed, with a log line that names the peer', async () => {
    const bad = peers.client('bad')
    for (const hex of ['', '02', '0204', '0304', '05ff000000', '010004', 'ff0c', '0a0c6000000001ffff', '0afe01', '0bfe0141020304050607'])
      if (hex) bad.raw(hex)
    await bad.connect('bad')
    const answer = await bad.ask('Publish', { qos: 1, tid_type: 0, tid: 999, mid: 3, data: 'x' }, 'Puback')
    assert.equal(answer.return_code, 2)
    assert.equal((await bad.publish('node/check', '{}')).return_code, 0)
    await until('the log', () => /MQTT-SN client 'bad' at 127\.0\.0\.1:\d+, topic 'node\/check': .*no id/.test(gateway.stderr))
    assert.match(gateway.stderr, /MQTT-SN: 127\.0\.0\.1:\d+: /)
    assert.equal((await node.publish('node/n1/led', json({ value: 'still' }))).return_code, 0)
  })
})

describe('an MQTT-SN link that loses three datagrams of ten each way', () => {
  it('loses no message of QoS 1 or 2 and delivers those of QoS 2 once', async () => {
    const gateway = await daemon(['serve-gateway', '--broker', 'off', '--mqttsn', '127.0.0.1:0', '--mqttsn-retry', '100ms',
      '--mqttsn-retries', 'unlimited', '--state-dir', join(scratch(), 'gateway')])
    const script = fileURLToPath(new URL('../support/mqttsn_lossy.py', import.meta.url))
    const { stdout, stderr } = await run([script, '127.0.0.1', String(gateway.listeners.mqttsn.port), '0.3', '40'],
      { command: '/usr/bin/python3' })
    await gateway.end()
    const { times1, ...result } = JSON.parse(stdout || `"${stderr}"`)
    assert.deepEqual(result, { unsent: 0, lost1: 0, lost2: 0, twice2: 0 })
    assert.ok(times1 >= 40)
  })
})
