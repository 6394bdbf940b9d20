// config: what is set and where, what is wrong and where; and that aiot.toml(5) says nothing that is wrong.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { scratch } from '../../support/process.mjs'
import { aiot, lines } from './support.mjs'

const config = (text) => {
  const file = join(scratch(), 'aiot.toml')
  writeFileSync(file, text)
  return file
}

test('check names file and line of all that is wrong, and is content with what is good', async () => {
  const file = config('timeout = "soon"\n[gett]\na = 1\n[get]\nparallel = 0\n[serve-broker]\nlisten = "127.0.0.1:8000"\n')
  const { code, stderr, stdout } = await aiot(['config', 'check', '--config', file], { env: { AIOT_TIMEOUT: '5s' } })
  assert.equal(code, 2)
  assert.equal(stdout, '')
  assert.deepEqual(stderr.trim().split('\n').map((line) => line.replace(file, 'F').split(' ').slice(0, 3).join(' ')), ['aiot: F:1: timeout:', 'aiot: F:3: unknown', 'aiot: F:5: parallel:'])
  const good = await aiot(['config', 'check', '--config', config('[get]\nparallel = 4\n')])
  assert.equal(good.code, 0, good.stderr)
})

test('show says what is set, where, and what wins', async () => {
  const file = config('[serve-gateway]\nallow = ["fd00::/64", "192.0.2.0/24"]\nname = "paris"\n')
  const { stdout } = await aiot(['--json', 'config', 'show', '--config', file])
  assert.deepEqual(lines(stdout), [
    { key: 'serve-gateway.allow', value: ['fd00::/64', '192.0.2.0/24'], origin: `${file}:2` },
    { key: 'serve-gateway.name', value: 'paris', origin: `${file}:3` },
  ])
})

test('show hides what may be a secret in the wrong place, and no error tells it', async () => {
  const file = config('[serve-gateway]\nbroker = "wss://ada:hunter2@h"\nmqtt = "mqtt://ada:hunter2@h"\n[users]\npassword = "hunter2"\n[brokers.paris]\nurl = "wss://ada:hunter2@h"\ntoken = "hunter2"\n[hunter]\nkey = "hunter2"\n')
  for (const args of [['config', 'show'], ['--json', 'config', 'show'], ['config', 'check'], ['doctor', 'configuration'], ['serve-gateway'], ['nodes', '--broker', 'paris']]) {
    const { stdout, stderr } = await aiot([...args, '--config', file])
    assert.ok(!/hunter2/.test(stdout + stderr), `${args.join(' ')}: ${stdout}${stderr}`)
  }
  const { stdout } = await aiot(['--json', 'config', 'show', '--config', file])
  assert.equal(lines(stdout).filter(({ value }) => value.includes('(hidden)')).length, 6)
})

test('a daemon names file and line of a value that it does not take', async () => {
  for (const [table, line] of [['serve-gateway', 'allow = ["fd00::/8", "nonsense"]'], ['serve-gateway', 'max-time-for = ["x"]'], ['serve-gateway', 'mqtt = "http://h"'], ['serve-broker', 'trusted-proxy = ["nginx"]']]) {
    const { code, stderr } = await aiot([table, '--config', config(`[${table}]\n${line}\n`), '--state-dir', 'off', '--key-file', join(scratch(), 'keys')])
    assert.equal(code, 2, stderr)
    assert.match(stderr, /aiot\.toml:2: '(nonsense|x|http:\/\/h|nginx)'/)
  }
})

test('the examples of aiot.toml(5) are good', async () => {
  const page = readFileSync(join(process.env.AIOT_SOURCE_DIR, 'man/aiot.toml.5'), 'utf8')
  const examples = [...page.matchAll(/^\.Bd -literal -offset indent\n([\s\S]*?)^\.Ed$/gm)].map(([, text]) => text.replaceAll('\\-', '-'))
  assert.equal(examples.length, 4)
  for (const example of examples) {
    const { code, stderr } = await aiot(['config', 'check', '--config', config(example)])
    assert.equal(code, 0, `${example}${stderr}`)
  }
})

test('the diagnostics of aiot.toml(5) are what aiot says', async () => {
  const page = readFileSync(join(process.env.AIOT_SOURCE_DIR, 'man/aiot.toml.5'), 'utf8')
  const said = [...page.matchAll(/^\.It \/etc\/aiot\/aiot\.toml:\d+: (.*)$/gm)].map(([, text]) => text)
  // One at the top ends every command, this one too.
  const wrong = ['brokr = "x"\n', '[serve-gateway]\nmax-time = "soon"\n']
  const stderr = (await Promise.all(wrong.map((text) => aiot(['config', 'check', '--config', config(text)])))).map((ended) => ended.stderr).join('')
  for (const sentence of said) assert.ok(stderr.includes(`: ${sentence}`), `${sentence} is not in ${stderr}`)
  assert.equal(said.length, 2)
})
