// The grammar of the command line: what is refused, how, and with which status. Nothing here needs a peer.
import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { scratch } from '../../support/process.mjs'
import { aiot, lines } from './support.mjs'

async function refused(args, pattern, options) {
  const text = await aiot(args, options)
  assert.equal(text.code, 2, `${args.join(' ')}: ${text.stderr}`)
  assert.equal(text.stdout, '')
  assert.match(text.stderr, pattern)
  assert.equal(text.stderr.trimEnd().split('\n').length, 1, 'one sentence')
  const json = await aiot(['--json', ...args], options)
  assert.equal(json.code, 2)
  const errors = lines(json.stderr)
  assert.equal(errors.length, 1)
  assert.deepEqual(Object.keys(errors[0]), ['error'])
  assert.equal(errors[0].error.code, 'usage')
  assert.match(errors[0].error.message, pattern)
}

test('without a command it says so, with help it lists them', async () => {
  await refused([], /no command/)
  const help = await aiot(['--help'])
  assert.equal(help.code, 0)
  assert.equal(help.stderr, '')
  for (const name of ['discover', 'get', 'put', 'post', 'delete', 'observe', 'publish', 'nodes', 'serve-gateway', 'serve-broker', 'simulate', 'demo', 'keys', 'completion']) {
    assert.match(help.stdout, new RegExp(`^  ${name} `, 'm'))
  }
  assert.match((await aiot(['get', '-h'])).stdout, /^usage: aiot get /)
  assert.match((await aiot(['-vh', 'get'])).stdout, /^usage: aiot get /)
  assert.match((await aiot(['--help', 'get', 'coap://h/'])).stdout, /^usage: aiot get /)
  assert.match((await aiot(['help', 'put'])).stdout, /^usage: aiot put /)
  assert.match((await aiot(['--version'])).stdout, /^aiot \d+\.\d+\.\d+\n$/)
  assert.match((await aiot(['get', '--version'])).stdout, /^aiot /)
})

test('unknown commands and flags get a did-you-mean', async () => {
  await refused(['gte'], /unknown command 'gte'; did you mean 'get'\?/)
  await refused(['obsreve', 'coap://h/'], /did you mean 'observe'/)
  await refused(['histories'], /unknown command 'histories'/)
  await refused(['get', '--tiemout', '3', 'coap://h/'], /did you mean --timeout\?/)
  await refused(['observe', '--cuont=3', 'coap://h/'], /did you mean --count\?/)
  await refused(['keys', 'generat'], /did you mean 'generate'/)
})

test('bad URIs, schemes and values are refused with a sentence', async () => {
  await refused(['get'], /URI is missing/)
  await refused(['get', 'coap://'], /./)
  await refused(['get', 'coap://user:secret@h/x'], /./)
  await refused(['get', 'gopher://h/x'], /gopher/)
  await refused(['get', 'n1/led'], /--broker/)
  await refused(['get', '--broker', 'nowhere', 'n1/led'], /nowhere/)
  await refused(['publish', 'aiot://h/n/r', 'x'], /publish.*aiot/)
  await refused(['get', '--timeout', 'soon', 'coap://h/x'], /--timeout/)
  await refused(['get', '--timeout', '0', 'coap://h/x'], /--timeout/)
  await refused(['observe', '--count', '0', 'coap://h/x'], /--count/)
  await refused(['get', '--parallel', '0', 'coap://h/x'], /--parallel/)
  await refused(['put', 'coap://h/x', 'a', 'b'], /unexpected argument 'b'/)
  await refused(['put', '--content-format', 'nonsense', 'coap://h/x', 'a'], /--content-format/)
  await refused(['put', '--if-match', 'xyz', 'coap://h/x', 'a'], /--if-match/)
  await refused(['nodes', '--label', 'room'], /--label: 'room' is not KEY=VALUE/)
  await refused(['get', '--from', '-'], /standard input names no URI/, { input: '' })
  await refused(['put', '--from', '-', 'x'], /standard input names no URI/, { input: '# none\n\n' })
  await refused(['nodes', 'extra'], /unexpected argument 'extra'/)
  await refused(['keys'], /ACTION is missing/)
  await refused(['get', '--output', 'yaml', 'coap://h/x'], /--output/)
  const csv = await aiot(['config', 'show', '--output', 'csv'])
  assert.equal(csv.code, 2)
  assert.match(csv.stderr, /no CSV output/)
  await refused(['completion', 'tcsh'], /bash, zsh, fish/)
})

test('a gateway refuses times and names that cannot be', async () => {
  await refused(['serve-gateway', '--max-time', '0'], /--max-time: .*out/)
  await refused(['serve-gateway', '--max-time-for', 'door-*=0s'], /--max-time-for: .*out/)
  for (const name of ['', 'x'.repeat(129), 'two\nlines', 'bell\x07']) {
    await refused(['serve-gateway', '--name', name], /--name: '.*1 to 128 bytes/)
    await refused(['serve-gateway', '--site', name], /--site: '.*1 to 128 bytes/)
  }
})

test('what a scheme cannot carry is refused with flag and scheme, and nothing is sent', async () => {
  const cases = [
    [['put', '--if-match', '3a7f', 'aiot://h/n/r', '1'], '--if-match', 'aiot'],
    [['put', '--accept', 'json', 'aiot://h/n/r', '1'], '--accept', 'aiot'],
    [['put', '--non', 'aiots://h/n/r', '1'], '--non', 'aiots'],
    [['delete', '--interface', 'lo', 'aiot://h/n/r'], '--interface', 'aiot'],
    [['put', '--id', 'k', 'coap://h/r', '1'], '--id', 'coap'],
    [['post', '--expires', '1m', 'coap+tcp://h/r', '1'], '--expires', 'coap+tcp'],
    [['publish', '--qos', '1', 'coap://h/r', '1'], '--qos', 'coap'],
    [['post', 'mqtt://h/t', '1'], 'post', 'mqtt'],
    [['post', 'mqttsn://h/t', '1'], 'post', 'mqttsn'],
    [['put', '--method', 'PATCH', 'aiot://h/n/r', '1'], 'PATCH', 'aiot'],
    [['publish', 'aiots://h/n/r', '1'], 'publish', 'aiots'],
    [['put', '--id', 'k', 'coaps://h/r', '1'], '--id', 'coaps'],
    [['put', '--psk-file', '/dev/null', 'coap://h/r', '1'], '--psk-file', 'coap'],
    [['put', '--cert', '/dev/null', 'aiot://h/n/r', '1'], '--cert', 'aiot'],
    [['put', 'aiot://h/*/r', '1'], 'PUT', 'aiot'],
  ]
  for (const [args, what, scheme] of cases) {
    await refused(args, new RegExp(`${what}.*${scheme.replace('+', '\\+')}://|${scheme}://.*${what}`))
    const { error } = lines((await aiot(['--json', ...args])).stderr)[0]
    assert.equal(error.outcome, 'not_sent', args.join(' '))
    assert.equal(error.uri, args.find((word) => word.includes('://')))
  }
  for (const flag of ['--stale', '--live', '--max-age=1m']) {
    await refused(['get', flag, 'coap://h/r'], new RegExp(`${flag.slice(0, 6)}.*coap://`))
    await refused(['observe', flag, 'coap://h/r'], new RegExp(`${flag.slice(0, 6)}.*coap://`))
  }
  await refused(['discover', '--rd', 'aiot://h'], /--rd.*aiot:/)
  // What the environment sets is a default for those that it suits.
  const reached = await aiot(['get', 'aiot://127.0.0.1:9/n/r'], { env: { AIOT_INTERFACE: 'lo' } })
  assert.equal(reached.code, 3, reached.stderr)
})

test('a failed write carries outcome and uri, whatever failed', async () => {
  const failed = async (args, code, uri = args.find((word) => word.includes('://'))) => {
    const got = await aiot(['--json', '--timeout', '1s', ...args], { input: '' })
    assert.equal(got.code, code, got.stderr)
    const { error } = lines(got.stderr)[0]
    assert.equal(error.outcome, 'not_sent', `${args.join(' ')}: ${got.stderr}`)
    assert.equal(error.uri, uri)
  }
  await failed(['put', 'coap://127.0.0.1/x', '@/nonexistent'], 1)
  await failed(['publish', 'coap://127.0.0.1/x', '@/nonexistent'], 1)
  await failed(['put', '--raw', 'coap://127.0.0.1/x', '1'], 2)
  await failed(['put', 'coap://no-such-host.invalid/x', '1'], 3)
  await failed(['put', 'coap+tcp://127.0.0.1:7000/x', '1'], 3)
  await failed(['put', 'aiot://127.0.0.1:9/n/r', '1'], 3)
  await failed(['put', 'aiot://127.0.0.1:9/n', '1'], 2)
  await failed(['put', 'aiot://127.0.0.1:9/n/r', 'x'.repeat(65537)], 2)
  await failed(['put', '--broker', 'ws://127.0.0.1:9', 'n/r', '1'], 3, 'aiot://127.0.0.1:9/n/r')
  const read = lines((await aiot(['--json', 'get', 'aiot://127.0.0.1:9/n/r'])).stderr)[0]
  assert.ok(!('outcome' in read.error))
})

test('daemons refuse listeners that do not exist, and take off', async () => {
  for (const url of ['coap://127.0.0.1', 'mqtt://', 'mqtt://127.0.0.1/topic', 'mqtt://user@127.0.0.1', '127.0.0.1:1883'])
    await refused(['serve-gateway', '--mqtt', url], /--mqtt/)
  await refused(['serve-gateway', '--mqtt-map', 'a/{node}'], /need --mqtt URL/)
  await refused(['serve-gateway', '--mqtt', 'mqtt://127.0.0.1', '--mqtt-map', 'a/b'], /--mqtt-map: 'a\/b': .*\{node\}/)
  await refused(['serve-gateway', '--mqtt', 'mqtt://127.0.0.1', '--mqtt-ca', '/x'], /mqtts/)
  await refused(['serve-gateway', '--mqtt', 'mqtt://127.0.0.1', '--mqtt-discovery', 'a/#'], /--mqtt-discovery/)
  await refused(['serve-gateway', '--mqttsn', 'nonsense'], /--mqttsn/)
  for (const topic of ['x', '0=a', '65535=a', '1=', '1=a/#']) await refused(['serve-gateway', '--mqttsn-topic', topic], /--mqttsn-topic/)
  await refused(['serve-gateway', '--mqttsn-retries', 'many'], /--mqttsn-retries/)
  await refused(['serve-gateway', '--mqttsn-retry', '0'], /--mqttsn-retry/)
  await refused(['serve-gateway', '--mqttsn-id', '256'], /--mqttsn-id/)
  await refused(['serve-gateway', '--ws', '1.2.3.4.5'], /--ws/)
  await refused(['serve-gateway', '--coap', 'nonsense'], /--coap/)
  await refused(['serve-gateway', '--max-time-for', 'x'], /--max-time-for/)
  await refused(['serve-broker', '--listen', '1.2.3.4.5:80'], /--listen/)
})

test('configuration: precedence, names of brokers, errors with file and line', async () => {
  const home = scratch()
  mkdirSync(join(home, 'aiot'))
  const file = join(home, 'aiot', 'aiot.toml')
  writeFileSync(file, 'output = "json"\n[brokers.paris]\nurl = "ws://127.0.0.1:1"\n[get]\nparallel = 3\n')
  const env = { XDG_CONFIG_HOME: home }
  const shown = await aiot(['config', 'show', '--output', 'text'], { env })
  assert.equal(shown.code, 0)
  assert.match(shown.stdout, /^output = json {2}# .*aiot\.toml:1$/m)
  assert.match(shown.stdout, /brokers\.paris\.url/)
  assert.equal(lines((await aiot(['config', 'show'], { env })).stdout).length, 3, 'the file says JSON')
  assert.equal((await aiot(['config', 'check'], { env })).code, 0)
  // The environment beats the file, a flag both.
  assert.match((await aiot(['config', 'show'], { env: { ...env, AIOT_OUTPUT: 'text' } })).stdout, /^output = /m)
  assert.match((await aiot(['config', 'show', '--json'], { env: { ...env, AIOT_OUTPUT: 'text' } })).stdout, /^\{/)
  // A broker by its name.
  const unreachable = await aiot(['get', '--broker', 'paris', 'n/r'], { env })
  assert.equal(unreachable.code, 3)
  assert.equal(lines(unreachable.stderr).at(-1).error.code, 'unreachable')
  const typo = await aiot(['get', '--broker', 'pari', '--output', 'text', 'n/r'], { env })
  assert.match(typo.stderr, /did you mean 'paris'/)
  // Bad values name where they come from.
  const bad = await aiot(['get', 'coap://h/'], { env: { AIOT_TIMEOUT: 'soon' } })
  assert.equal(bad.code, 2)
  assert.match(bad.stderr, /AIOT_TIMEOUT/)
  writeFileSync(file, '\ntiemout = "3s"\n')
  const key = await aiot(['get', 'coap://h/'], { env })
  assert.equal(key.code, 2)
  assert.match(key.stderr, /aiot\.toml:2: unknown key 'tiemout'; did you mean 'timeout'\?/)
  writeFileSync(file, 'x = [\n')
  assert.equal((await aiot(['get', 'coap://h/'], { env })).code, 2)
  assert.equal((await aiot(['--config', join(home, 'none'), 'get', 'coap://h/'])).code, 1)
})

test('keys are made once, shown, and make tokens', async () => {
  const file = join(scratch(), 'deep', 'keys')
  mkdirSync(join(file, '..'))
  const made = await aiot(['keys', 'generate', '--key-file', file])
  assert.equal(made.code, 0, made.stderr)
  assert.equal(made.stdout, `${file}\n`)
  assert.equal((await aiot(['keys', 'generate', '--key-file', file])).code, 2, 'never overwrites')
  const pyaiot = await aiot(['keys', 'token', '--key-file', file])
  assert.match(pyaiot.stdout, /^gAAAAA[\w-]+=*\n$/)
  const native = lines((await aiot(['--json', 'keys', 'token', '--gateway', 'paris', '--key-file', file])).stdout)[0]
  assert.equal(native.gateway, 'paris')
  assert.match(native.token, /^gAAAAA/)
  const shown = lines((await aiot(['keys', 'show', '--json', '--key-file', file])).stdout)[0]
  assert.deepEqual(Object.keys(shown), ['key_file', 'secret', 'private'])
  assert.equal((await aiot(['keys', 'show', '--key-file', '/nonexistent/keys'])).code, 1)
})

test('what is the broker’s alone is no option of a gateway without one', async () => {
  for (const [option, value] of [['--tls-cert', 'cert.pem'], ['--users-file', 'users'], ['--listen', '127.0.0.1:0'], ['--title', 'x'], ['--max-connections', '100']])
    await refused(['serve-gateway', '--broker', 'off', '--coap', '127.0.0.1:0', option, value], new RegExp(`${option} is the broker's and needs --standalone`))
})
