// Standard output that closes, fails or is a terminal; signals.
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Process, bin, run, scratch, until } from '../../support/process.mjs'
import { aiot, environment } from './support.mjs'

let node
const home = scratch()
before(async () => {
  node = await new CoapNode('127.0.0.2', { temperature: '20', evil: 'a\x1b[31mred\x07', c1: 'a\u009b31m\x7f', large: 'x'.repeat(1000) }).start()
})
after(() => node.stop())

const target = 'coap://127.0.0.2/temperature'

function shell(script) {
  return run(['-c', script], { command: 'bash', env: { ...environment, aiot: bin, HOME: home } })
}

test('a closed stdout ends a command quietly with 0', async () => {
  const piped = await shell(`"$aiot" observe --poll 20ms ${target} | head -1; echo "\${PIPESTATUS[0]}"`)
  assert.deepEqual([piped.stdout, piped.stderr], ['20\n0\n', ''])
  const json = await shell(`"$aiot" --json observe --poll 20ms ${target} | head -1 >/dev/null; echo "\${PIPESTATUS[0]}"`)
  assert.deepEqual([json.stdout, json.stderr], ['0\n', ''])
})

test('a closed stdout ends an observe that prints nothing just then', async () => {
  const idle = await shell(`"$aiot" observe --poll 1h ${target} | head -1; echo "\${PIPESTATUS[0]}"`)
  assert.deepEqual([idle.stdout, idle.stderr], ['20\n0\n', ''])
})

test('another write error on stdout is 1', async () => {
  for (const args of [`get ${target}`, '--help', 'completion bash', `observe --poll 20ms ${target}`, `--json get ${target}`]) {
    const full = await shell(`"$aiot" ${args} >/dev/full; echo $?`)
    assert.equal(full.stdout, '1\n', `${args}: ${full.stderr}`)
    assert.match(full.stderr, /standard output/)
  }
})

test('a stdout that is closed from the start is a write error, not a socket', async () => {
  const closed = await shell(`"$aiot" get ${target} >&-; echo $?`)
  assert.equal(closed.stdout, '1\n')
  assert.match(closed.stderr, /cannot write to standard output/)
})

for (const [signal, status] of [['SIGINT', 130], ['SIGTERM', 143]]) {
  test(`${signal} ends a command by the signal itself`, async () => {
    const observer = new Process(bin, ['observe', '--poll', '1s', target], { env: environment })
    await until('a value', () => observer.stdout.length > 0)
    const ended = await observer.end(signal)
    assert.deepEqual([ended.code, ended.signal, ended.stderr], [null, signal, ''])
    const seen = await shell(`timeout -s ${signal.slice(3)} --preserve-status 1 "$aiot" observe --poll 1h ${target} >/dev/null; echo $?`)
    assert.equal(seen.stdout, `${status}\n`)
  })
}

test('a signal ends a command whose reader does not read', async () => {
  const stuck = await shell(`
    mkfifo "$HOME/pipe"
    sleep 60 < "$HOME/pipe" & reader=$!
    "$aiot" observe --poll 10ms coap://127.0.0.2/large > "$HOME/pipe" & pid=$!
    sleep 2
    kill -INT $pid
    wait $pid; echo $?
    kill $reader`)
  assert.equal(stuck.stdout, '130\n', stuck.stderr)
})

test('on a terminal control characters are escaped, elsewhere they are not', async () => {
  const pipe = await aiot(['get', 'coap://127.0.0.2/evil'])
  assert.equal(pipe.stdout, 'a\x1b[31mred\x07\n')
  const terminal = await run(['-qec', `"$aiot" get coap://127.0.0.2/evil`, '/dev/null'], {
    command: 'script',
    env: { ...environment, aiot: bin },
  })
  assert.ok(!terminal.stdout.includes('\x1b'), JSON.stringify(terminal.stdout))
  assert.match(terminal.stdout, /a\\x1B\[31mred\\x07/i)
  const csv = await run(['-qec', `"$aiot" get --output csv coap://127.0.0.2/evil`, '/dev/null'], {
    command: 'script',
    env: { ...environment, aiot: bin },
  })
  assert.match(csv.stdout, /,a\\x1B\[31mred\\x07,/i)
  const json = await aiot(['--json', 'get', 'coap://127.0.0.2/c1'])
  assert.match(json.stdout, /"a\\u009b31m\\u007f"/)
})

test('NO_COLOR is honoured', async () => {
  const error = (env) =>
    run(['-qec', `"$aiot" get nonsense`, '/dev/null'], { command: 'script', env: { ...environment, aiot: bin, ...env } })
  assert.ok((await error({ NO_COLOR: '' })).stdout.includes('\x1b[31m'))
  assert.ok(!(await error({ NO_COLOR: '1' })).stdout.includes('\x1b'))
})

test('every line leaves at once', async () => {
  const observer = new Process(bin, ['observe', '--poll', '1h', target], { env: environment })
  await until('the line', () => observer.stdout === '20\n')
  await observer.end('SIGKILL')
})
