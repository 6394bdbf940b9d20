// Every packet type that the gateway sends, captured on the wire and decoded by tshark.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { MqttSnPeers } from '../support/mqttsn_peer.mjs'
import { daemon, Process, run, scratch, until } from '../support/process.mjs'

const kPort = 1885

it('decodes every MQTT-SN packet that the gateway sends without a complaint', async () => {
  // Loopback has no route for groups, where ADVERTISE goes: a link of the test's own has.
  for (const command of ['link add aiot0 type veth peer name aiot1', 'link set aiot0 up', 'link set aiot1 up',
    'addr add 192.0.2.1/24 dev aiot0', 'route add 224.0.0.0/4 dev aiot0'])
    assert.equal((await run(command.split(' '), { command: 'ip' })).code, 0, command)
  const folder = scratch()
  const file = join(folder, 'capture.pcapng')
  const capture = new Process('tshark', ['-i', 'lo', '-i', 'aiot0', '-f', `udp port ${kPort}`, '-w', file])
  await capture.line(/Capture started|Capturing on/)
  await until('the capture file', async () => (await run(['-r', file, '-c', '1'], { command: 'tshark' })).code === 0)
  after(() => capture.end('SIGINT'))
  const gateway = await daemon(['serve-gateway', '--broker', 'off', '--mqttsn', `[::]:${kPort}`, '--state-dir', join(folder, 'state')])
  const peers = await new MqttSnPeers('127.0.0.1', kPort).start()
  const a = peers.client('a')

  await a.ask('SearchGW', { radius: 1 }, 'GwInfo')
  a.send('Connect', { client_id: 'a', prot_id: 1, duration: 60, will: 1, cleansess: 1 })
  await a.next('WillTopicReq')
  a.send('WillTopic', { qos: 1, will_topic: 'will' })
  await a.next('WillMsgReq')
  a.send('WillMsg', { will_msg: 'gone' })
  assert.equal((await a.next('Connack')).return_code, 0)
  await a.ask('WillTopicUpd', { qos: 1, will_topic: 'will/2' }, 'WillTopicResp')
  await a.ask('WillMsgUpd', { will_msg: 'gone 2' }, 'WillMsgResp')
  await a.subscribe('news/+', 2)
  await a.subscribe('ab', 1)
  for (const qos of [0, 1]) {
    await a.publish('news/x', `q${qos}`, qos)
    await a.message()
  }
  const b = peers.client('b')
  await b.connect('b')
  await b.subscribe('+/x')
  const rec = await a.publish('news/x', 'q2', 2)
  const registered = await b.next('Register')
  b.send('Regack', { tid: registered.tid, mid: registered.mid, return_code: 0 })
  await b.message()
  a.send('Pubrel', { mid: rec.mid })
  await a.next('Pubcomp')
  const two = await a.next('Publish')
  a.send('Pubrec', { mid: two.mid })
  await a.next('Pubrel')
  a.send('Pubcomp', { mid: two.mid })
  a.send('Publish', { qos: 1, tid_type: 0, tid: 4711, mid: 99, data: 'x' })
  assert.equal((await a.next('Puback', (m) => m.mid === 99)).return_code, 2)
  await a.ask('Unsubscribe', { tid_type: 0, mid: 50, topic_name: 'news/+' }, 'Unsuback')
  await a.ask('PingReq', { client_id: 'a' }, 'PingResp')
  await a.publish('big', 'x'.repeat(600), 1)
  const behind = peers.client('forwarder', { via: 'node-1' })
  await behind.connect('behind')
  await a.ask('Disconnect', { duration: 30 }, 'Disconnect')
  const decode = ['-r', file, '-d', `udp.port==${kPort},mqttsn`]
  await until('the last packet in the file', async () =>
    (await run([...decode, '-Y', 'mqttsn.msg.type == 0x18'], { command: 'tshark' })).stdout.includes('Disconnect'))
  await peers.end()
  await gateway.end()
  await capture.end('SIGINT')
  const read = async (...args) => {
    const { stdout, stderr, code } = await run([...decode, ...args], { command: 'tshark' })
    assert.equal(code, 0, stderr)
    return stdout.split('\n').filter((line) => line)
  }
  const sent = `udp.srcport==${kPort} && mqttsn`
  const types = new Set((await read('-Y', sent, '-T', 'fields', '-e', 'mqttsn.msg.type')).join(',').split(',').map(Number))
  const wanted = [0x00, 0x02, 0x05, 0x06, 0x08, 0x0a, 0x0b, 0x0c, 0x0d, 0x0e, 0x0f, 0x10, 0x13, 0x15, 0x17, 0x18, 0x1b, 0x1d, 0xfe]
  assert.deepEqual(wanted.filter((type) => !types.has(type)).map((type) => type.toString(16)), [])
  assert.deepEqual(await read('-Y', `${sent} && (_ws.expert || _ws.malformed)`), [])
})
