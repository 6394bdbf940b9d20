// doctor: each hop broken in turn is named, with its remedy; a way that is whole is whole.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as httpServer } from 'node:http'
import { createServer as httpsServer } from 'node:https'
import { createServer as tcpServer } from 'node:net'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { Authority } from '../../support/certificates.mjs'
import { Mosquitto } from '../../support/mosquitto.mjs'
import { daemon, run, scratch, until } from '../../support/process.mjs'
import { aiot as plain, environment, lines } from './support.mjs'

const directory = scratch()
const keys = join(directory, 'keys')
let broker, url, gateway

/** The findings of `args` by check, and what the command said. */
async function doctor(args, options = {}) {
  const ended = await plain(['--json', 'doctor', ...args], options)
  const found = lines(ended.stdout)
  return { ...ended, found, of: (check) => found.find((finding) => finding.check === check) }
}
const listening = async (server) => {
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return server.address().port
}
const answering = (handler) => httpServer(handler)
const config = (text) => {
  const file = join(scratch(), 'aiot.toml')
  writeFileSync(file, text)
  return file
}

before(async () => {
  broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', join(directory, 'b')], { env: environment })
  url = `ws://127.0.0.1:${broker.listeners.http.port}`
  gateway = await daemon(['serve-gateway', '--broker', url, '--coap', '127.0.0.1:5683', '--name', 'paris', '--key-file', keys, '--state-dir', join(directory, 'g')], { env: environment })
  await until('the gateway at the broker', async () => (await doctor(['--broker', url, 'broker'])).of('broker.gateways')?.status === 'ok')
})

test('a way that is whole is whole, in text and in JSON', async () => {
  const whole = await doctor(['--broker', url, '--key-file', keys, '--state-dir', join(directory, 'b')])
  assert.equal(whole.code, 0, whole.stdout + whole.stderr)
  for (const check of ['configuration', 'secrets', 'disk', 'broker.name', 'broker.port', 'broker.ready', 'broker.clock', 'broker.token', 'broker.gateways', 'gateway']) {
    assert.equal(whole.of(check)?.status, 'ok', `${check}: ${whole.stdout}`)
  }
  assert.equal(whole.of('mqtt').status, 'skipped')
  assert.match(whole.of('broker.gateways').message, /paris is connected/)
  for (const finding of whole.found) {
    assert.deepEqual(Object.keys(finding).filter((key) => !['check', 'status', 'message', 'remedy', 'code'].includes(key)), [])
    assert.equal('remedy' in finding, ['warning', 'failed'].includes(finding.status), JSON.stringify(finding))
  }
  const page = readFileSync(join(process.env.AIOT_SOURCE_DIR, 'man/aiot-json.7'), 'utf8')
  const example = JSON.parse(page.match(/^\{"check"[\s\S]*?\}$/m)[0])
  assert.deepEqual(Object.keys(example), ['check', 'status', 'message', 'remedy', 'code'])
  const text = await plain(['doctor', '--broker', url])
  assert.equal(text.code, 0, text.stdout + text.stderr)
  assert.match(text.stdout, /^ok {6}broker\.port {5} 127\.0\.0\.1:\d+ takes connections$/m)
})

test('only the checks that were asked for are made and counted', async () => {
  const some = await doctor(['--broker', url, 'broker.ready', 'clock'])
  assert.deepEqual([...new Set(some.found.map((finding) => finding.check))], ['clock', 'broker.ready'])
  const nobody = await doctor(['--broker', 'ws://127.0.0.1:1', 'clock'])
  assert.equal(nobody.code, 0)
  const wrong = await plain(['doctor', 'brokr'])
  assert.equal(wrong.code, 2)
  assert.match(wrong.stderr, /no check 'brokr'/)
  const quiet = await plain(['--quiet', 'doctor', '--broker', url, 'broker.ready'])
  assert.deepEqual([quiet.code, quiet.stdout, quiet.stderr], [0, '', ''])
})

test('a name that does not exist', async () => {
  const broken = await doctor(['--broker', 'ws://nowhere.invalid', 'broker', '--timeout', '5s'])
  const failed = broken.of('broker.name')
  assert.equal(failed.status, 'failed', broken.stdout)
  assert.match(failed.remedy, /nowhere\.invalid/)
  assert.ok([3, 4].includes(broken.code))
  assert.equal(broken.found.length, 1)
})

test('a port that nobody listens on, also when only a later hop was asked for', async () => {
  for (const check of ['broker', 'broker.ready']) {
    const broken = await doctor(['--broker', 'ws://127.0.0.1:1', check])
    assert.equal(broken.of('broker.port').code, 'unreachable')
    assert.match(broken.of('broker.port').remedy, /aiot-serve-broker/)
    assert.equal(broken.code, 3)
  }
})

test('something else that listens, and one that never answers', async () => {
  const other = answering((request, response) => response.writeHead(404).end('no'))
  const port = await listening(other)
  const wrong = await doctor(['--broker', `ws://127.0.0.1:${port}`, 'broker'])
  assert.equal(wrong.of('broker.ready').status, 'failed')
  assert.match(wrong.of('broker.ready').message, /404/)
  assert.equal(wrong.code, 5)
  other.close()
  const mute = tcpServer(() => {})
  const silent = await doctor(['--broker', `ws://127.0.0.1:${await listening(mute)}`, 'broker', '--timeout', '500ms'])
  assert.equal(silent.of('broker.port').status, 'ok')
  assert.equal(silent.of('broker.ready').code, 'timeout')
  assert.equal(silent.code, 4)
  mute.close()
})

test('TLS with a certificate that nobody trusts, one for another name, one out of its time; and no TLS at all', async () => {
  const authority = new Authority()
  const against = async (certificate, trusted = true) => {
    const server = httpsServer({ key: readFileSync(certificate.key), cert: readFileSync(certificate.cert) }, (request, response) => response.end('ok'))
    const port = await listening(server)
    const ended = await doctor(['--broker', `wss://127.0.0.1:${port}`, 'broker.tls'], { env: trusted ? { SSL_CERT_FILE: authority.ca } : {} })
    server.close()
    return ended
  }
  const good = authority.issue('good')
  assert.equal((await against(good)).of('broker.tls').status, 'ok')
  const unknown = await against(good, false)
  assert.equal(unknown.code, 7, unknown.stdout)
  assert.match(unknown.of('broker.tls').remedy, /--ca/)
  const other = await against(authority.issue('other', { san: 'DNS:elsewhere.example' }))
  assert.equal(other.code, 7, other.stdout)
  assert.match(other.of('broker.tls').remedy, /name/)
  const old = await against(authority.expired('old'))
  assert.equal(old.code, 7, old.stdout)
  assert.match(old.of('broker.tls').remedy, /renew/)
  const missing = await doctor(['--broker', 'wss' + url.slice(2), '--ca', '/none', 'broker.tls'])
  assert.equal(missing.code, 1, missing.stdout)
  assert.match(missing.of('broker.tls').remedy, /--ca/)
  // Node.js, nginx and aiot answer 400 to plain HTTP at a port for TLS.
  const plain = answering((request, response) => response.writeHead(400).end('no'))
  const hint = await doctor(['--broker', `ws://127.0.0.1:${await listening(plain)}`, 'broker'])
  assert.match(hint.of('broker.ready').remedy, /wss:/)
  plain.close()
  const none = await doctor(['--broker', url.replace('ws:', 'wss:'), 'broker.tls'])
  assert.notEqual(none.code, 0)
  assert.match(none.of('broker.tls').remedy, /s_client/)
})

test('a broker that is not ready, one whose clock is wrong, one that wants a token', async () => {
  let date, status = 200, seen
  const server = answering((request, response) => {
    response.sendDate = false
    if (date) response.setHeader('date', date)
    if (request.url === '/readyz') return response.writeHead(status).end('x')
    seen = request.headers.authorization
    if (seen === 'Bearer right') return response.setHeader('content-type', 'application/json').end('{"items":[]}')
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"title":"no","status":401}')
  })
  const at = `ws://127.0.0.1:${await listening(server)}`
  status = 503
  const unready = await doctor(['--broker', at, 'broker'])
  assert.equal(unready.of('broker.ready').code, 'peer_failed')
  status = 502
  assert.match((await doctor(['--broker', at, 'broker'])).of('broker.ready').remedy, /proxy/)
  status = 200
  const refused = await doctor(['--broker', at, 'broker'])
  assert.equal(refused.code, 7)
  assert.match(refused.of('broker.token').remedy, /--token-file/)
  assert.equal(refused.of('broker.clock').status, 'skipped')
  date = new Date(Date.now() - 7200_000).toUTCString()
  const late = await doctor(['--broker', at, 'broker.clock'])
  assert.match(late.of('broker.clock').message, /2h(1s)? ahead of/)
  assert.equal(late.of('broker.clock').status, 'failed')
  date = new Date(Date.now() + 120_000).toUTCString()
  const wrong = await doctor(['--broker', at, 'broker'], { env: { AIOT_TOKEN: 'a-wrong-token' } })
  assert.equal(wrong.of('broker.clock').status, 'warning')
  assert.match(wrong.of('broker.token').remedy, /make a new one/)
  assert.ok(!(wrong.stdout + wrong.stderr).includes('a-wrong-token'))
  const right = await doctor(['--broker', at, 'broker'], { env: { AIOT_TOKEN: 'right' } })
  assert.equal(right.of('broker.token').status, 'ok')
  assert.match(right.of('broker.gateways').message, /no gateway/)
  assert.equal(right.code, 0)
  server.close()
})

test('what a token or its absence allows: a gateway’s own, one for some nodes, and everybody being anything', async () => {
  let session, gateways = 200
  const server = answering((request, response) => {
    if (request.url === '/readyz') return response.end('ok')
    response.writeHead(request.url.includes('/session') ? 200 : gateways, { 'content-type': 'application/json' })
    response.end(request.url.includes('/session') ? JSON.stringify(session) : '{"items":[{"name":"paris","state":"disconnected"}]}')
  })
  const at = `ws://127.0.0.1:${await listening(server)}`
  const token = { env: { AIOT_TOKEN: 'a' } }
  session = { name: 'ci', role: 'viewer' }
  const reader = await doctor(['--broker', at, 'broker'], token)
  assert.match(reader.of('broker.token').message, /ci, viewer/)
  assert.deepEqual([reader.of('broker.gateways').status, reader.code], ['warning', 0])
  gateways = 403
  const scoped = await doctor(['--broker', at, 'broker'], token)
  assert.deepEqual([scoped.of('broker.token').status, scoped.of('broker.gateways').status, scoped.code], ['ok', 'skipped', 0])
  session = { name: 'paris', role: 'none' }
  const own = await doctor(['--broker', at, 'broker'], token)
  assert.deepEqual([own.of('broker.token').status, own.of('broker.gateways').status, own.code], ['ok', 'skipped', 0])
  const nobody = await doctor(['--broker', at, 'broker'])
  assert.deepEqual([nobody.of('broker.token').code, nobody.code], ['unauthorized', 7])
  // A gateway's machine has no reader's token, and needs none.
  const gatewayOnly = await doctor(['--config', config(`[serve-gateway]\nbroker = "${at}"\n`), 'broker'])
  assert.deepEqual([gatewayOnly.of('broker.ready').status, gatewayOnly.of('broker.token').status, gatewayOnly.code], ['ok', 'skipped', 0])
  server.close()
})

test('the way of a gateway: admitted, with other keys, to a broker that is gone, and past a proxy that knows no WebSockets', async () => {
  const toml = (broker, key) => config(`[serve-gateway]\nbroker = "${broker}"\nname = "rome"\nkey-file = "${key}"\n`)
  const admitted = await doctor(['--config', toml(url, keys), 'broker', 'uplink'])
  assert.equal(admitted.code, 0, admitted.stdout)
  assert.match(admitted.of('uplink').message, /admits gateway rome/)
  assert.equal(admitted.of('broker.ready').status, 'ok')
  const token = join(directory, 'paris.token')
  const { stdout } = await plain(['keys', 'token', '--gateway', 'paris', '--key-file', keys])
  writeFileSync(token, stdout, { mode: 0o600 })
  const tried = await doctor(['--broker', url, '--token-file', token, 'uplink'])
  assert.deepEqual([tried.of('uplink')?.status, tried.code], ['ok', 0], tried.stdout)
  const still = await doctor(['--broker', url, 'broker.gateways'])
  assert.match(still.of('broker.gateways').message, /paris is connected/)
  const others = join(directory, 'others')
  await plain(['keys', 'generate', '--key-file', others])
  const refused = await doctor(['--config', toml(url, others), 'uplink'])
  assert.deepEqual([refused.of('uplink').code, refused.code], ['unauthorized', 7])
  assert.match(refused.of('uplink').remedy, /aiot tokens create --gateway rome/)
  const gone = await doctor(['--config', toml('ws://127.0.0.1:1', keys), '--timeout', '2s'])
  assert.deepEqual([gone.of('broker.port').status, gone.of('uplink').status], ['failed', 'skipped'])
  const proxy = answering((request, response) => response.end('{}'))
  const narrow = await doctor(['--config', toml(`ws://127.0.0.1:${await listening(proxy)}`, keys), 'uplink'])
  assert.equal(narrow.of('uplink').status, 'failed')
  assert.match(narrow.of('uplink').remedy, /Upgrade/)
  proxy.close()
  const missing = await doctor(['--config', toml(url, '/none'), 'uplink'])
  assert.match(missing.of('uplink').message, /\/none/)
})

test('a gateway that is expected and not there, and one that is not', async () => {
  const there = (await doctor(['gateway'])).of('gateway')
  assert.deepEqual([there.status, there.message], ['ok', '127.0.0.1:5683 answers CoAP'])
  const missing = await doctor(['--gateway', '127.0.0.1:5999', '--timeout', '1s', 'gateway'])
  assert.equal(missing.of('gateway').status, 'failed')
  assert.ok([3, 4].includes(missing.code))
  const configured = await doctor(['--config', config('[serve-gateway]\ncoap = "[::]:5998"\n'), '--broker', url, '--timeout', '1s'])
  assert.equal(configured.of('gateway').status, 'failed')
  const off = await doctor(['--config', config('[serve-gateway]\ncoap = "off"\n'), 'gateway'])
  assert.equal(off.of('gateway').status, 'skipped')
})

test('an MQTT broker: there, gone, with a wrong password', async () => {
  const mosquitto = new Mosquitto({ config: 'allow_anonymous false\npassword_file FOLDER/users\n' })
  mosquitto.write('users', '')
  const { code, stderr } = await run(['-b', '-c', join(mosquitto.folder, 'users'), 'gw', 'right'], { command: 'mosquitto_passwd' })
  assert.equal(code, 0, stderr)
  await mosquitto.start()
  const password = join(directory, 'password')
  const toml = config(`[serve-gateway]\nmqtt = "mqtt://127.0.0.1:${mosquitto.port}"\nmqtt-user = "gw"\nmqtt-password-file = "${password}"\n`)
  const ask = () => doctor(['--config', toml, 'mqtt'])
  writeFileSync(password, 'right\n', { mode: 0o600 })
  const good = await ask()
  assert.equal(good.of('mqtt').status, 'ok', good.stdout)
  writeFileSync(password, 'wrong\n')
  const wrong = await ask()
  assert.equal(wrong.code, 7, wrong.stdout)
  assert.match(wrong.of('mqtt').remedy, /--mqtt-password-file/)
  await mosquitto.process.end()
  const gone = await ask()
  assert.equal(gone.code, 3, gone.stdout)
  assert.match(gone.of('mqtt').remedy, /mosquitto/)
  assert.equal((await doctor(['--mqtt', 'http://h', 'mqtt'])).code, 2)
})

test('files that others can write, and those that others can read', async () => {
  const open = join(directory, 'open')
  writeFileSync(open, 'secret')
  chmodSync(open, 0o666)
  const written = await doctor(['--key-file', open, 'secrets'])
  assert.equal(written.code, 2)
  assert.match(written.of('secrets').remedy, /^chmod go-w /)
  chmodSync(open, 0o644)
  const read = await doctor(['--key-file', open, 'secrets'])
  assert.equal(read.code, 0)
  assert.deepEqual([read.of('secrets').status, read.of('secrets').remedy], ['warning', `chmod 600 ${open}`])
  const once = await doctor(['--broker', url, '--token-file', open, 'secrets', 'broker.token'])
  assert.equal((once.stdout + once.stderr).split('is open to others').length - 1, 1, once.stdout + once.stderr)
  const missing = await doctor(['--config', config('[brokers.a]\nurl = "ws://h"\ntoken-file = "/none"\n'), 'secrets'])
  assert.equal(missing.code, 1)
  assert.match(missing.of('secrets').message, /\/none.*aiot\.toml:3/)
})

test('a configuration with a key that nobody knows, and one with a bad value', async () => {
  const unknown = await doctor(['--config', config('[get]\nparalel = 1\n'), 'configuration'])
  assert.equal(unknown.code, 2)
  assert.match(unknown.of('configuration').message, /:2: unknown key 'paralel'.*parallel/)
  const bad = await doctor(['--config', config('[serve-broker]\nretention = "long"\n'), 'configuration'])
  assert.match(bad.of('configuration').message, /:2: retention: 'long'/)
})

test('a disk that is nearly full', async () => {
  const full = join(directory, 'full')
  mkdirSync(full)
  const script = `mount -t tmpfs -o size=8m none ${full} && exec "$0" --json doctor --state-dir ${full} disk`
  const { code, stdout, stderr } = await run(['-m', ...(process.getuid() === 0 ? [] : ['-Ur']), 'sh', '-c', script, process.env.AIOT_BIN], { command: 'unshare', env: environment })
  assert.equal(code, 1, stdout + stderr)
  const failed = lines(stdout).find((finding) => finding.status === 'failed')
  assert.match(failed.message, /8 MiB are free below/)
  assert.match(failed.remedy, /--retention-size/)
})

test('a state directory that cannot be written, is none, or is not there yet', async () => {
  const folder = join(directory, 'mine')
  mkdirSync(folder)
  const inside = (script) => run(['-m', ...(process.getuid() === 0 ? [] : ['-Ur']), 'sh', '-c', script, process.env.AIOT_BIN], { command: 'unshare', env: environment })
  const frozen = await inside(`mount -t tmpfs -o size=200m none ${folder} && mount -o remount,ro ${folder} && exec "$0" --json doctor --state-dir ${folder} disk`)
  assert.equal(frozen.code, 1, frozen.stdout + frozen.stderr)
  assert.match(lines(frozen.stdout)[0].message, /read-only/)
  const file = join(directory, 'file')
  writeFileSync(file, '')
  assert.match((await doctor(['--state-dir', file, 'disk'])).of('disk').message, /no directory/)
  const later = await doctor(['--state-dir', join(folder, 'a/b'), 'disk'])
  assert.deepEqual([later.of('disk').status, later.code], ['ok', 0])
  chmodSync(folder, 0o500)
  // Root may write anywhere.
  const other = ['--reuid', '65534', '--clear-groups', process.env.AIOT_BIN, '--json', 'doctor', '--state-dir', join(folder, 'a'), 'disk']
  chmodSync(directory, 0o755)
  const closed = process.getuid() === 0 ? await run(other, { command: 'setpriv', env: environment }) : await doctor(['--state-dir', folder, 'disk'])
  assert.equal(closed.code, 1, closed.stdout + closed.stderr)
  assert.match(lines(closed.stdout)[0].remedy, /chown/)
})
