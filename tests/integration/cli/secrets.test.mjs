// Secrets: from files, environment and systemd's credentials; refused when others can write them; never shown.
import assert from 'node:assert/strict'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { daemon, Process, bin, scratch, until } from '../../support/process.mjs'
import { aiot, environment } from './support.mjs'

const directory = scratch()
const kToken = 'a-token-that-nobody-may-see'
const file = (name, text, mode = 0o600) => {
  const path = join(directory, name)
  writeFileSync(path, text)
  chmodSync(path, mode)
  return path
}
let server, url
const seen = []

before(async () => {
  server = createServer((request, response) => {
    seen.push(request.headers.authorization)
    response.writeHead(401, { 'content-type': 'application/problem+json' }).end('{"title":"Unauthorized","status":401}')
  })
  server.unref()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  url = `ws://127.0.0.1:${server.address().port}`
})

test('a token or key file that others can write is not used, and the chmod is named', async () => {
  const token = file('token', `${kToken}\n`, 0o620)
  const refused = await aiot(['nodes', '--broker', url, '--token-file', token])
  assert.equal(refused.code, 2)
  assert.match(refused.stderr, new RegExp(`can be written by others \\(mode 0620\\).*chmod go-w ${token}`))
  assert.equal(seen.length, 0)
  const keys = join(directory, 'keys')
  assert.equal((await aiot(['keys', 'generate', '--key-file', keys])).code, 0)
  chmodSync(keys, 0o602)
  for (const command of [['keys', 'token', '--key-file', keys], ['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off', '--key-file', keys]]) {
    const { code, stderr, stdout } = await aiot(command)
    assert.deepEqual([code, stdout], [2, ''], stderr)
    assert.match(stderr, /chmod go-w/)
  }
})

test('one that others can read is used, with a warning that names the chmod', async () => {
  const token = file('readable', kToken, 0o644)
  const { code, stderr } = await aiot(['nodes', '--broker', url, '--token-file', token])
  assert.equal(code, 7)
  assert.match(stderr, new RegExp(`open to others \\(mode 0644\\): chmod 600 ${token}`))
  assert.equal(seen.at(-1), `Bearer ${kToken}`)
  const closed = await aiot(['nodes', '--broker', url, '--token-file', file('closed', kToken)])
  assert.doesNotMatch(closed.stderr, /chmod/)
})

test('a token may come through a pipe, and from systemd', async () => {
  const piped = new Process('bash', ['-c', `"$0" nodes --broker ${url} --token-file <(echo through-a-pipe)`, bin], { env: environment })
  assert.equal((await piped.exited).code, 7)
  assert.equal(seen.at(-1), 'Bearer through-a-pipe')
  const folder = join(directory, 'credentials')
  mkdirSync(folder)
  writeFileSync(join(folder, 'token'), 'handed-over\n', { mode: 0o440 })
  const handed = await aiot(['nodes', '--broker', url], { env: { CREDENTIALS_DIRECTORY: folder } })
  assert.equal(seen.at(-1), 'Bearer handed-over')
  assert.doesNotMatch(handed.stderr, /chmod/)
  await aiot(['nodes', '--broker', url], { env: { CREDENTIALS_DIRECTORY: folder, AIOT_TOKEN: 'from-the-environment' } })
  assert.equal(seen.at(-1), 'Bearer from-the-environment')
  writeFileSync(join(folder, 'token'), '')
  await aiot(['nodes', '--broker', url], { env: { CREDENTIALS_DIRECTORY: folder } })
  assert.equal(seen.at(-1), undefined)
})

test('a broker and a gateway find their keys among systemd’s credentials', async () => {
  const folder = join(directory, 'handed')
  mkdirSync(folder)
  assert.equal((await aiot(['keys', 'generate', '--key-file', join(folder, 'keys')])).code, 0)
  const env = { ...environment, CREDENTIALS_DIRECTORY: folder }
  const broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off'], { env })
  const at = `ws://127.0.0.1:${broker.listeners.http.port}`
  const gateway = await daemon(['serve-gateway', '--broker', at, '--coap', '127.0.0.1:0', '--state-dir', 'off'], { env })
  await gateway.line(/connected to the broker/)
  assert.equal((await gateway.end()).code, 0)
  assert.equal((await broker.end()).code, 0)
})

test('no secret is in arguments, logs or errors, however much is said', async () => {
  const token = file('quiet', kToken)
  const password = file('password', 'a-password-that-nobody-may-see')
  const commands = [
    ['nodes', '--broker', url], ['get', `aiot://127.0.0.1:${server.address().port}/n/r`], ['observe', 'n/r', '--broker', url, '--timeout', '2s'],
    ['put', 'n/r', '1', '--broker', url], ['doctor', '--broker', url, 'broker'],
    ['get', 'mqtt://127.0.0.1:1/a', '--user', 'u', '--password-file', password],
    ['serve-gateway', '--broker', url, '--coap', '127.0.0.1:0', '--state-dir', 'off'],
  ]
  for (const args of commands) {
    const command = new Process(bin, ['-vv', ...args, '--token-file', token], { env: environment })
    if (args[0] === 'serve-gateway') {
      await command.line(/401/)
      const shown = readFileSync(`/proc/${command.child.pid}/cmdline`, 'utf8') + readFileSync(`/proc/${command.child.pid}/environ`, 'utf8')
      assert.ok(!shown.includes(kToken))
      command.child.kill('SIGTERM')
    }
    const { stdout, stderr, code } = await command.exited
    if (args[0] !== 'serve-gateway') assert.notEqual(code, 0, args.join(' '))
    assert.ok(!/that-nobody-may-see/.test(stdout + stderr), `${args.join(' ')}: ${stderr}`)
  }
  assert.ok(seen.includes(`Bearer ${kToken}`))
  const keys = join(directory, 'loud')
  const { stdout } = await aiot(['keys', 'generate', '--key-file', keys])
  const [, secret] = readFileSync(keys, 'utf8').match(/^secret = (.*)$/m)
  assert.ok(!stdout.includes(secret))
  const broker = await daemon(['-vv', 'serve-broker', '--listen', '127.0.0.1:0', '--state-dir', 'off', '--key-file', keys], { env: environment })
  const at = `http://127.0.0.1:${broker.listeners.http.port}`
  await until('the broker to refuse a token', async () => (await fetch(`${at}/gw`, { headers: { 'sec-websocket-protocol': `token, ${kToken}` } })).status >= 400)
  const ended = await broker.end()
  assert.ok(!ended.stderr.includes(kToken) && !ended.stderr.includes(secret), ended.stderr)
})

test('a secret in a URI is refused, and not repeated', async () => {
  const { code, stderr } = await aiot(['get', 'mqtt://user:a-password-that-nobody-may-see@127.0.0.1/a'])
  assert.equal(code, 2)
  assert.ok(!stderr.includes('nobody-may-see'), stderr)
})
