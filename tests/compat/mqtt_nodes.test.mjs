// Nodes at an MQTT broker: pyaiot's (paho), devices with topics of their own, and Home Assistant's; and MQTT-SN clients
// that are passed on to it. Real peers only: mosquitto, paho, npm's mqtt, scapy.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Mosquitto } from '../support/mosquitto.mjs'
import { MqttSnPeers } from '../support/mqttsn_peer.mjs'
import { daemon, Process, run, scratch, until } from '../support/process.mjs'
import { joinedClient } from '../support/web_client.mjs'

const json = JSON.stringify

describe('nodes at an MQTT broker, as a web client sees them', () => {
  let mosquitto, broker, gateway, client, mqtt, node, peers
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]
  const startGateway = () =>
    daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--mqttsn', '127.0.0.1:1885',
      '--mqtt', `mqtt://127.0.0.1:${mosquitto.port}`, '--mqtt-map', 'sensors/{node}/{resource}', '--mqtt-map', 'tele/{node}',
      '--name', 'paris', '--site', 'home', '--state-dir', join(state, 'gateway'), ...flags])
  const publish = (topic, payload, options = {}) => mqtt.publishAsync(topic, payload, { qos: 1, ...options })
  const valueOf = async (data) => (await client.wait((m) => m.type === 'update' && m.data === data))[0]
  const of = (uid) => client.messages.filter((m) => m.uid === uid).map(({ dst, ...rest }) => rest)
  const url = (uid, resource) => `aiot://127.0.0.1:${broker.listeners.http.port}/${uid}/${resource}`

  before(async () => {
    mosquitto = await new Mosquitto().start()
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    mqtt = await mosquitto.client()
    gateway = await startGateway()
    client = await joinedClient(broker)
  })
  after(async () => {
    client?.socket.terminate()
    await mqtt?.endAsync(true)
    await node?.end()
    await peers?.end()
    await gateway?.end()
    await broker?.end()
    await mosquitto?.end()
  })

  it('shows a paho node exactly as the contract says, and writes to it', async () => {
    const script = fileURLToPath(new URL('../support/mqtt_node.py', import.meta.url))
    node = new Process('/usr/bin/python3', [script, '127.0.0.1', String(mosquitto.port), 'p1'])
    const { uid } = await valueOf('21°C')
    await client.wait((m) => m.uid === uid && m.endpoint === 'led')
    const update = (endpoint, data) => ({ type: 'update', uid, endpoint, data })
    assert.deepEqual(of(uid), [{ type: 'new', uid }, update('id', 'p1'), update('protocol', 'MQTT'), update('led', '0'),
      update('temperature', '21°C')])
    client.send({ type: 'update', data: { uid, endpoint: 'led', payload: '1' } })
    await client.wait((m) => m.uid === uid && m.endpoint === 'led' && m.data === '1')
    const put = await run(['put', '--json', url(uid, 'led'), '0'])
    assert.equal(put.code, 0, put.stderr)
    assert.equal(JSON.parse(put.stdout).confirmed, 'echo')
  })

  it('has the same uid after the gateway has restarted, and the node stays', async () => {
    const { uid } = await valueOf('21°C')
    const messages = client.messages.length
    await gateway.end('SIGKILL')
    gateway = await startGateway()
    node.child.stdin.write('temperature=22°C\n')
    assert.equal((await valueOf('22°C')).uid, uid)
    assert.ok(client.messages.slice(messages).every((m) => m.uid === uid))
  })

  it('keeps its nodes when mosquitto restarts, and updates flow again within 5 s', async () => {
    const { uid } = await valueOf('21°C')
    const messages = client.messages.length
    await mosquitto.end('SIGKILL')
    await mosquitto.start()
    const since = Date.now()
    await until('the update', () => {
      node.child.stdin.write(`temperature=${Date.now()}\n`)
      return client.messages.slice(messages).some((m) => m.uid === uid && m.endpoint === 'temperature')
    }, 10_000)
    assert.ok(Date.now() - since < 5_000, `it took ${Date.now() - since} ms`)
    assert.ok(!client.messages.slice(messages).some((m) => m.type === 'out' || m.type === 'new'))
  })

  it('reads topics that a map explains: plain text, JSON values and objects', async () => {
    await publish('sensors/door/state', 'open wide')
    const { uid } = await valueOf('open wide')
    await publish('sensors/door/count', '42')
    await publish('sensors/door/box', json({ width: 7, depth: 'deep' }))
    assert.equal((await valueOf('deep')).endpoint, 'box/depth')
    assert.equal((await valueOf(42)).uid, uid)
    await publish('tele/tank', json({ level: 0.75, unit: 'm³' }))
    const level = await valueOf(0.75)
    assert.equal(level.endpoint, 'level')
    assert.notEqual(level.uid, uid)
    const refused = await run(['put', '--json', url(uid, 'state'), 'x'])
    assert.equal(refused.code, 5, refused.stderr)
    assert.match(refused.stderr, /takes no writes/)
  })

  it('reads Home Assistant’s discovery messages as nodes and resources, and writes to their command topics', async () => {
    const dev = { ids: ['lamp-7'], name: 'Lamp' }
    await publish('homeassistant/sensor/lamp-7/power/config', json({ stat_t: 'lamp/7', val_tpl: '{{ value_json.power }}',
      unit_of_meas: 'W', dev }), { retain: true })
    await publish('homeassistant/switch/lamp-7/relay/config', json({ state_topic: 'lamp/7/relay', command_topic: 'lamp/7/relay/set', dev }))
    await mqtt.subscribeAsync('lamp/7/relay/set', { qos: 1 })
    mqtt.on('message', (topic, payload) => {
      if (topic === 'lamp/7/relay/set') publish('lamp/7/relay', payload)
    })
    await until('the state', async () => {
      await publish('lamp/7', json({ power: 12.5, other: 1 }))
      return client.messages.some((m) => m.data === '12.5W')
    })
    const { uid, endpoint } = await valueOf('12.5W')
    assert.equal(endpoint, 'power')
    const put = await run(['put', '--json', url(uid, 'relay'), 'ON'])
    assert.equal(put.code, 0, put.stderr)
    assert.equal((await valueOf('ON')).uid, uid)
  })

  it('says what it cannot read, with the topic, and goes on', async () => {
    for (const [topic, payload] of [['node/check', '{}'], ['node/check', json({ id: '+' })], ['node/x/led', Buffer.from([0xff])],
      ['node/x', 'y'], ['homeassistant/sensor/x/config', '['], ['sensors/x/y', Buffer.from([0xff, 0xfe])]])
      await publish(topic, payload)
    await until('the log', () => /topic 'sensors\/x\/y'/.test(gateway.stderr) && /topic 'node\/check': .*no id/.test(gateway.stderr))
    await publish('sensors/door/state', 'still here')
    await valueOf('still here')
  })

  it('passes MQTT-SN clients on to the broker and back, retained messages too', async () => {
    peers = await new MqttSnPeers('127.0.0.1', 1885).start()
    const a = peers.client('a')
    const b = peers.client('b')
    await publish('room/kept', 'kept', { retain: true })
    await a.connect('sn-a')
    await b.connect('sn-b')
    await mqtt.subscribeAsync('room/#', { qos: 2 })
    const kept = async (peer, filter) => {
      await peer.subscribe(filter)
      const registered = filter.includes('+') ? await peer.next('Register') : undefined
      if (registered) peer.send('Regack', { tid: registered.tid, mid: registered.mid, return_code: 0 })
      const got = await peer.message()
      assert.deepEqual([got.data, got.retain], ['kept', 1])
    }
    await kept(a, 'room/kept')
    await kept(b, 'room/+')
    await a.subscribe('room/#')
    assert.equal((await a.message()).data, 'kept')

    await publish('room/1', 'from mqtt')
    for (const peer of [a, b]) {
      const registered = await peer.next('Register', (m) => m.topic_name === 'room/1')
      peer.send('Regack', { tid: registered.tid, mid: registered.mid, return_code: 0 })
      assert.equal((await peer.message()).data, 'from mqtt')
    }
    for (const qos of [1, 2, 0]) {
      const rec = await a.publish('room/1', `from sn ${qos}`, qos)
      if (qos === 2) {
        a.send('Pubrel', { mid: rec.mid })
        await a.next('Pubcomp', (m) => m.mid === rec.mid)
      }
      const [got] = await mqtt.wait((m) => m.payload === `from sn ${qos}`)
      assert.equal(got.packet.qos, qos)
      assert.equal((await b.message()).data, `from sn ${qos}`)
      assert.equal((await a.next('Publish', (m) => m.data === `from sn ${qos}`)).data, `from sn ${qos}`)
      const last = a.messages.findLast((m) => m.type === 'Publish')
      if (last.qos === 1) a.send('Puback', { tid: last.tid, mid: last.mid, return_code: 0 })
      if (last.qos === 2) {
        a.send('Pubrec', { mid: last.mid })
        await a.next('Pubrel', (m) => m.mid === last.mid)
        a.send('Pubcomp', { mid: last.mid })
      }
    }
    // Each once, though a has two filters that match and mosquitto sends a copy for each.
    assert.equal(b.messages.filter((m) => m.type === 'Publish' && m.data === 'from sn 1').length, 1)
    assert.equal(a.messages.filter((m) => m.type === 'Publish' && m.data === 'from sn 1').length, 1)
  })

  it('gives a client what is retained once, though others subscribe the same meanwhile', async () => {
    await publish('shelf', 'kept', { retain: true })
    const clients = ['c', 'd', 'e'].map((name) => peers.client(name))
    for (const peer of clients) {
      await peer.connect(`sn-shelf-${peer.socket}`)
      await peer.subscribe('shelf', 2)
      assert.equal((await peer.message()).data, 'kept')
    }
    await publish('shelf', 'end')
    for (const peer of clients) assert.equal((await peer.message()).data, 'end')
  })

  it('takes an MQTT-SN node that is passed on for one node, of MQTT-SN', async () => {
    const sn = peers.client('node')
    await sn.connect('sn-node')
    await sn.publish('node/check', json({ id: 'both' }))
    await sn.publish('node/both/state', json({ value: 'twice?' }))
    const { uid } = await valueOf('twice?')
    await publish('sensors/door/state', 'later')
    await valueOf('later')
    assert.deepEqual(client.messages.filter((m) => m.endpoint === 'id' && m.data === 'both').map((m) => m.uid), [uid])
    assert.deepEqual(client.messages.filter((m) => m.data === 'twice?').length, 1)
    const [protocol] = client.messages.filter((m) => m.uid === uid && m.endpoint === 'protocol')
    assert.equal(protocol.data, 'MQTT-SN')
  })

  it('keeps what comes for a sleeping MQTT-SN client while the gateway is away', async () => {
    const sleeper = peers.client('sleeper')
    await sleeper.connect('sn-sleeper', { cleansess: 0 })
    // Not in the order of their names, in which they are subscribed anew after the restart.
    for (const filter of ['mail', 'letters/#', 'attic']) await sleeper.subscribe(filter)
    await sleeper.ask('Disconnect', { duration: 300 }, 'Disconnect')
    await publish('mail', 'first')
    await gateway.end('SIGKILL')
    await publish('mail', 'second')
    await publish('attic', 'meanwhile')
    gateway = await startGateway()
    await publish('mail', 'third')
    const got = []
    // A node that wakes before the gateway has its broker again finds nothing yet, and sleeps on.
    for (const deadline = Date.now() + 20_000; got.length < 4 && Date.now() < deadline; ) {
      sleeper.send('PingReq', { client_id: 'sn-sleeper' })
      const message = await sleeper.message(500).catch(() => null)
      if (message) got.push(message.data)
    }
    assert.deepEqual(got, ['first', 'second', 'meanwhile', 'third'])
  })
})
