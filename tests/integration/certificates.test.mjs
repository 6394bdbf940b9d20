// Every client against a server whose certificate is expired, of nobody or of another, or that speaks an old TLS:
// refused with exit 7, and nothing is given away. A gateway says what is wrong, and tries on.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'

import { Authority, selfSigned } from '../support/certificates.mjs'
import { Mosquitto } from '../support/mosquitto.mjs'
import { Process, daemon, scratch, until } from '../support/process.mjs'
import { aiot, lines } from './cli/support.mjs'

const authority = new Authority()
const folder = scratch()
const keys = join(folder, 'keys')
const running = new Set()
const started = (process) => (running.add(process), process)
const endAll = async () => {
  for (const process of running) await process.end('SIGKILL')
  running.clear()
}

const atBroker = (broker) => [
  ...['wss', 'https', 'aiots'].map((scheme) => ['nodes', '--broker', broker.replace('wss', scheme)]),
  ...['get', 'post', 'delete', 'observe', 'discover'].map((verb) => [verb, `${broker.replace('wss', 'aiots')}${verb === 'discover' ? '' : '/n1/led'}`]),
  ...[['put', 'n1/led', '1'], ['observe', '*/led'], ['history', 'n1/led'], ['events'], ['status'], ['gateways'], ['export'], ['label', 'n1', 'a=b'], ['forget', 'n1']].map(
    (command) => [...command, '--broker', broker]),
  ['doctor', '--broker', broker, 'broker.tls'],
]
const atNode = (node) => [
  ...['get', 'post', 'delete', 'observe'].map((verb) => [verb, `${node}/time`]),
  ...['put', 'publish'].map((verb) => [verb, `${node}/time`, '1']),
  ['discover', node],
]
const atMqtt = (mqtt) => [
  ...['get', 'delete', 'observe'].map((verb) => [verb, `${mqtt}/t`]),
  ...['put', 'publish'].map((verb) => [verb, `${mqtt}/t`, '1']),
  ['discover', mqtt],
  ['doctor', '--mqtt', mqtt, 'mqtt'],
]

async function refused(command, why) {
  const { code, stdout, stderr } = await aiot([...command, '--ca', authority.ca, '--timeout', '5s', '--json'])
  assert.equal(code, 7, `${command.join(' ')}: ${stdout}${stderr}`)
  if (command[0] === 'doctor') return assert.match(lines(stdout).find((check) => check.status === 'failed').message, why)
  assert.equal(stdout, '', `${command.join(' ')}: ${stderr}`)
  assert.match(lines(stderr).find((line) => line.error).error.message, why)
}

/** A gateway with these options complains. It is not for `aiot doctor` or a person alone to find out. */
async function complains(options, why) {
  const gateway = started(await daemon(['serve-gateway', '--coap', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--name', 'g', ...options]))
  await gateway.line(why)
  assert.equal((await gateway.end()).code, 0)
}

after(endAll)

const bad = {
  'expired': [authority.expired('expired'), /has expired/],
  'signed by nobody': [selfSigned(), /self-signed/],
  "another's": [authority.issue('other', { san: 'DNS:other.example,IP:192.0.2.1' }), /mismatch/],
}
for (const [kind, [identity, why]] of Object.entries(bad)) {
  describe(`a certificate that is ${kind} is refused`, () => {
    after(endAll)
    const each = async (commands) => {
      for (const command of commands) await refused(command, why)
    }
    it('by whoever asks a broker, and by a gateway', async () => {
      const broker = started(await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', 'off', '--tls-cert', identity.pem]))
      const { port } = broker.listeners.https
      await each(atBroker(`wss://localhost:${port}`))
      await each([['nodes', '--broker', `wss://127.0.0.1:${port}`]])
      await complains(['--broker', `wss://localhost:${port}`, '--ca', authority.ca], why)
    })
    it('by whoever asks a node', async () => {
      const node = started(new Process('coap-server-openssl', ['-A', '127.0.0.1', '-c', identity.cert, '-j', identity.key, '-n']))
      await until('the node', async () => (await aiot(['get', '--timeout', '2s', 'coap://127.0.0.1/time'])).code === 0)
      for (const scheme of ['coaps', 'coaps+tcp']) await each(atNode(`${scheme}://localhost`))
      await node.end('SIGKILL')
    })
    it('by whoever speaks MQTT, and by a gateway', async () => {
      const broker = started(await new Mosquitto({ listener: `certfile ${identity.cert}\nkeyfile ${identity.key}` }).start())
      await each(atMqtt(`mqtts://localhost:${broker.port}`))
      await complains(['--broker', 'off', '--mqtt', `mqtts://localhost:${broker.port}`, '--mqtt-ca', authority.ca], why)
    })
  })
}

describe('TLS before 1.2 is refused', () => {
  after(endAll)
  const good = authority.issue('good')
  const serve = async (version) => {
    const server = started(new Process('openssl', ['s_server', '-accept', '127.0.0.1:0', version, '-cipher', 'ALL:@SECLEVEL=0', '-cert', good.cert, '-key', good.key]))
    return (await server.line(/^ACCEPT .*:\d+$/, 'stdout')).split(':').pop()
  }
  for (const version of ['-tls1', '-tls1_1']) {
    it(`by whoever meets ${version}`, async () => {
      const port = await serve(version)
      const why = /protocol version|unsupported protocol/
      await refused(['nodes', '--broker', `https://localhost:${port}`], why)
      await refused(['observe', 'n1/led', '--broker', `wss://localhost:${port}`], why)
      await refused(['get', `coaps+tcp://localhost:${port}/time`], why)
      await refused(['get', `mqtts://localhost:${port}/t`], why)
    })
  }
  it('by whoever meets DTLS 1.0', async () => {
    await refused(['get', `coaps://localhost:${await serve('-dtls1')}/time`], /ended TLS|unsupported protocol/)
  })
})

describe("mosquitto that demands a client's certificate", () => {
  after(endAll)
  const good = authority.issue('mosquitto')
  const client = authority.issue('client', { san: 'DNS:client' })
  const stranger = selfSigned()
  let url
  it('takes the command line with one', async () => {
    const broker = started(await new Mosquitto({ listener: `cafile ${authority.ca}\ncertfile ${good.cert}\nkeyfile ${good.key}\nrequire_certificate true\nuse_identity_as_username true` }).start())
    url = `mqtts://localhost:${broker.port}`
    const showing = ['--ca', authority.ca, '--cert', client.cert, '--key', client.key]
    const put = await aiot(['put', `${url}/t`, '23', ...showing])
    assert.equal(put.code, 0, put.stderr)
    assert.equal((await aiot(['get', `${url}/t`, '--ca', authority.ca, '--cert', client.pem])).stdout, '23\n')
    assert.equal((await aiot(['observe', '--count', '1', `${url}/t`, ...showing])).stdout.trim().split('\t').pop(), '23')
    // Its alert may be lost with the connection.
    await refused(['get', `${url}/t`], /ended TLS: certificate required|TLS handshake failed/)
    await refused(['get', `${url}/t`, '--cert', stranger.pem], /ended TLS: .*(unknown CA|certificate)|TLS handshake failed/i)
  })
  it('takes a gateway with one, and its nodes come through', async () => {
    const both = started(await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', 'off', '--key-file', keys, '--state-dir', 'off', '--name', 'paris',
      '--mqtt', url, '--mqtt-ca', authority.ca, '--mqtt-cert', client.cert, '--mqtt-key', client.key]))
    const broker = ['--broker', `ws://127.0.0.1:${both.listeners.http.port}`]
    const showing = ['--ca', authority.ca, '--cert', client.pem]
    await until('the value', async () => {
      assert.equal((await aiot(['publish', `${url}/node/n1/led`, '{"value":"on"}', ...showing])).code, 0)
      return lines((await aiot(['get', '*/led', '--json', '--timeout', '2s', ...broker])).stdout)[0]?.value === 'on'
    })
    assert.equal((await both.end()).code, 0)
    await complains(['--broker', 'off', '--mqtt', url, '--mqtt-ca', authority.ca], /MQTT broker .*(ended TLS: certificate required|TLS handshake failed)/)
  })
})
