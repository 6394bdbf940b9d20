// history, export and import, against a real broker with its store.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Process, bin, daemon, run, scratch, until } from '../../support/process.mjs'
import { aiot as plain, environment, lines } from './support.mjs'

let broker, url, keys
const aiot = (args, options = {}) => plain(args, { ...options, env: { AIOT_BROKER: url, TZ: 'Europe/Paris', ...options.env } })
const startBroker = (directory) =>
  daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', directory, '--retention', '0'], { env: environment })
const urlOf = (process) => `ws://127.0.0.1:${process.listeners.http.port}`

/** Adds values as other programs would. */
async function post(...points) {
  const body = points.map((point) => JSON.stringify(point)).join('\n')
  const answer = await fetch(url.replace('ws:', 'http:') + '/api/v1/history', { method: 'POST', body, headers: { 'content-type': 'application/json' } })
  assert.equal(answer.status, 200, await answer.text())
}

/** What a terminal of `columns` shows. */
const terminal = (command, columns, env = {}) =>
  run(['-qec', `stty cols ${columns}; ${command}`, '/dev/null'], { command: 'script', env: { ...environment, AIOT_BROKER: url, TZ: 'Europe/Paris', aiot: bin, ...env } })

const first = Date.parse('2026-01-31T12:00:00Z')
const at = (seconds) => new Date(first + seconds * 1000).toISOString()
const range = ['--since', '2026-01-31T12:00:00Z', '--until', '2026-01-31T13:00:00Z']

before(async () => {
  const directory = scratch()
  keys = join(directory, 'keys')
  broker = await startBroker(join(directory, 'b'))
  url = urlOf(broker)
  // n1 is a node of a gateway, so that the broker lists it; its past is imported.
  const gateway = await daemon(['serve-gateway', '--broker', url, '--coap', '127.0.0.1:5683', '--name', 'paris', '--key-file', keys, '--state-dir', join(directory, 'g')], { env: environment })
  assert.ok(gateway.listeners.coap)
  const node = await new CoapNode('127.0.0.2', { temperature: '23°C', led: '0', note: 'x' }).start()
  await until('an answer to alive', async () => (await node.request({ address: '127.0.0.1', port: 5683 }, 'POST', '/alive', 'alive:n1')).code === '2.04')
  await until('the node at the broker', async () => (await aiot(['get', 'n1/temperature'])).code === 0)
  node.stop()
  const points = []
  for (let i = 0; i < 120; ++i) points.push({ node: 'n1', resource: 'temperature', time: at(30 * i), value: `${20 + (i % 10)}°C` })
  await post(...points)
  await post({ node: 'n1', resource: 'note', time: at(0), value: 'door open' }, { node: 'n1', resource: 'note', time: at(10), value: 'a\tb\u001b[31m' },
    { node: 'n1', resource: 'note', time: at(20), value: '/w==', encoding: 'base64', format: 'application/octet-stream' },
    { node: 'n1', resource: 'note', time: at(30), value: 'oWFhAQ==', encoding: 'base64', format: 'application/cbor', time_uncertain: true },
    { node: 'n1', resource: 'note', time: at(40), value: [1, { a: null }] })
})

test('a line a value, with its local time', async () => {
  const got = await aiot(['history', ...range, '--limit', '2', 'n1/temperature'])
  assert.deepEqual([got.code, got.stdout, got.stderr], [0, '2026-01-31 13:00:00.000 +0100\t20°C\n2026-01-31 13:00:30.000 +0100\t21°C\n', ''])
  const several = await aiot(['history', ...range, '--limit', '1', 'n1/temperature', `${url.replace('ws:', 'aiot:')}/n1/note`])
  assert.match(several.stdout, /^2026-01-31 13:00:00.000 \+0100\taiot:\S+\/n1\/temperature\t20°C\n2026-01-31 13:00:00.000 \+0100\taiot:\S+\/n1\/note\tdoor open\n$/)
})

test('JSON has the keys of get, CSV its columns', async () => {
  const [one] = lines((await aiot(['--json', 'history', ...range, '--limit', '1', 'n1/temperature'])).stdout)
  assert.deepEqual(one, { time: at(0), uri: `${url.replace('ws:', 'aiot:')}/n1/temperature`, node: 'n1', resource: 'temperature', value: '20°C', number: 20, unit: '°C' })
  const notes = lines((await aiot(['--json', 'history', ...range, 'n1/note'])).stdout)
  assert.deepEqual(notes.map((line) => [line.value, line.encoding, line.format, line.time_uncertain]), [
    ['door open', undefined, undefined, undefined],
    ['a\tb\u001b[31m', undefined, undefined, undefined],
    ['/w==', 'base64', 'application/octet-stream', undefined],
    [{ a: 1 }, undefined, 'application/cbor', true],
    [[1, { a: null }], undefined, undefined, undefined],
  ])
  const csv = await aiot(['--output', 'csv', 'history', ...range, '--limit', '1', 'n1/temperature'])
  assert.match(csv.stdout, /^time,node,resource,uri,value,number,unit\r\n2026-01-31T12:00:00.000Z,n1,temperature,aiot:\S+,20°C,20.0,°C\r\n$/)
})

test('--step gives least, mean, greatest and count of each step', async () => {
  const steps = lines((await aiot(['--json', 'history', ...range, '--step', '5m', 'n1/temperature'])).stdout)
  assert.equal(steps.length, 12)
  const { uri, ...firstStep } = steps[0]
  assert.match(uri, /\/n1\/temperature$/)
  assert.deepEqual(firstStep, { time: at(0), node: 'n1', resource: 'temperature', min: 20, max: 29, mean: 24.5, count: 10 })
  const text = await aiot(['history', ...range, '--step', '1h', 'n1/temperature', 'n1/note'])
  assert.match(text.stdout, /\/temperature\tmin 20\tmean 24.5\tmax 29\tcount 120\n.*\/note\tcount 5\tlast /)
  const csv = await aiot(['--output', 'csv', 'history', ...range, '--step', '1h', 'n1/temperature'])
  assert.match(csv.stdout, /^time,node,resource,uri,min,max,mean,count,last\r\n2026-01-31T12:00:00.000Z,n1,temperature,aiot:\S+,20.0,29.0,24.5,120,\r\n$/)
})

test('* stands for resources, a resource without values says so, and what is no history is refused', async () => {
  const all = await aiot(['--json', 'history', ...range, '*/t*'])
  assert.equal(lines(all.stdout).length, 120)
  const empty = await aiot(['history', '--since', '2020-01-01', '--until', '2020-01-02', 'n1/temperature'])
  assert.deepEqual([empty.code, empty.stdout], [0, ''])
  assert.match(empty.stderr, /n1\/temperature: no value/)
  assert.equal((await aiot(['--quiet', 'history', '--since', '2020-01-01', '--until', '2020-01-02', 'n1/temperature'])).stderr, '')
  for (const [why, ...args] of [
    [/not possible on coap/, 'coap://127.0.0.2/temperature'],
    [/node and a resource/, 'aiot://127.0.0.1/n1'],
    [/--since: 'soon' is not a time/, '--since', 'soon', 'n1/led'],
    [/--until .* is not after --since/, '--since', '2026-01-02', '--until', '2026-01-01', 'n1/led'],
    [/'0' is not a whole number/, '--limit', '0', 'n1/led'],
    [/--step/, '--step', '10us', 'n1/led'],
  ]) {
    const refused = await aiot(['history', ...args])
    assert.equal(refused.code, 2, args.join(' '))
    assert.match(refused.stderr, why)
  }
  const none = await aiot(['history', 'n9/*', 'n1/temperature'])
  assert.equal(none.code, 8, none.stderr)
  assert.equal((await aiot(['history', '--broker', 'ws://127.0.0.1:9', 'n1/led'])).code, 3)
})

test('on a terminal a chart of its width stands above, and NO_COLOR is honoured', async () => {
  const command = `"$aiot" history ${range.join(' ')} n1/temperature`
  for (const columns of [40, 100]) {
    const shown = (await terminal(command, columns, { NO_COLOR: '1' })).stdout.split('\r\n')
    assert.match(shown[0], /^aiot:\S+\/n1\/temperature: 20 to 29, 120 values$/)
    assert.match(shown[1], /^[▁▂▃▄▅▆▇█ ]+$/)
    assert.ok(shown[1].includes('▁') && shown[1].includes('█'))
    assert.ok(shown[1].length <= columns && shown[1].length > columns / 2, `${shown[1].length} of ${columns}`)
    assert.equal(shown[2], '2026-01-31 13:00:00.000 +0100\t20°C')
    assert.equal(shown.length, 2 + 120 + 1)
  }
  assert.match((await terminal(command, 80)).stdout, /\n\x1b\[36m[▁-█ ]+\x1b\[0m\r\n/)
  const words = (await terminal(`"$aiot" history ${range.join(' ')} n1/note`, 80)).stdout
  assert.ok(!words.includes('▁') && !words.includes('\x1b'), words)
  assert.match(words, /a\tb\\x1B\[31m/i)
})

test('more than a page comes whole, and as it comes', async () => {
  const many = 25_000
  const file = join(scratch(), 'many.ndjson')
  writeFileSync(file, Array.from({ length: many }, (_, i) => JSON.stringify({ node: 'n1', resource: 'led', time: (first + i) / 1000 + '', value: String(i) })).join('\n'))
  const imported = await aiot(['import', file])
  assert.deepEqual([imported.code, imported.stdout], [0, `${many} values imported\n`], imported.stderr)
  const got = await aiot(['history', ...range, 'n1/led'])
  const values = got.stdout.trimEnd().split('\n').map((line) => Number(line.split('\t')[1]))
  assert.equal(values.length, many)
  assert.ok(values.every((value, i) => value === i))
  assert.equal((await aiot(['history', ...range, '--limit', '10001', 'n1/led'])).stdout.trimEnd().split('\n').length, 10_001)
  const head = await run(['-c', '"$aiot" history --since 2026-01-31 n1/led | head -1'], { command: 'sh', env: { ...environment, AIOT_BROKER: url, aiot: bin } })
  assert.deepEqual([head.code, head.stdout.trimEnd().split('\n').length, head.stderr], [0, 1, ''])
})

test('export and import into an empty broker give the same history', async () => {
  const exported = await aiot(['export', '--until', '2026-02-01'])
  assert.equal(exported.code, 0, exported.stderr)
  assert.match(exported.stderr, /exported \d+ values of 3 resources/)
  assert.equal(lines(exported.stdout).length, 25_125)
  const other = await startBroker(scratch())
  const env = { AIOT_BROKER: urlOf(other) }
  const imported = await aiot(['--json', 'import', '-'], { input: exported.stdout, env })
  assert.deepEqual([imported.code, lines(imported.stdout)], [0, [{ imported: 25_125 }]], imported.stderr)
  for (const resource of ['temperature', 'note', 'led']) {
    const read = async (options) => lines((await aiot(['--json', 'history', ...range, `n1/${resource}`], options)).stdout).map(({ uri, ...rest }) => rest)
    assert.deepEqual(await read({ env }), await read({}), resource)
  }
  // The bytes themselves: what CBOR means is in both lines above the same whatever they are.
  const raw = async (base) => (await (await fetch(`${base.replace('ws:', 'http:')}/api/v1/history?node=n1&resource=note&raw=true&to=${at(3600)}`)).json()).points
  assert.deepEqual(await raw(urlOf(other)), await raw(url))
  assert.deepEqual((await raw(url))[3], { time: at(30), value: 'oWFhAQ==', encoding: 'base64', format: 'application/cbor', time_uncertain: true })
})

test('export takes a time range and a pattern of nodes', async () => {
  assert.equal(lines((await aiot(['export', '--node', 'n*', '--since', at(0), '--until', at(5)])).stdout).filter((line) => line.resource !== 'led').length, 2)
  assert.equal((await aiot(['export', '--node', 'm*'])).stdout, '')
  assert.equal((await aiot(['export', '--output', 'csv'])).code, 2)
})

test('import stops at the first line that is refused, and names it', async () => {
  const good = (i) => JSON.stringify({ node: 'n1', resource: 'bad', time: at(i), value: String(i) })
  const count = async () => lines((await aiot(['--json', 'history', ...range, 'n1/bad'])).stdout).length
  const broken = await aiot(['import', '-'], { input: `${good(0)}\n\n{"node":"n1"\n${good(1)}\n` })
  assert.deepEqual([broken.code, broken.stdout], [2, '0 values imported\n'])
  assert.match(broken.stderr, /standard input: line 3: /)
  assert.equal(await count(), 0)
  // In the second request: what the first brought stands.
  const input = Array.from({ length: 10_001 }, (_, i) => good(i % 3600)).join('\n') + '\n{"node":"n1","resource":"bad","time":"noon","value":1}\n'
  const late = await aiot(['--json', 'import', '-'], { input })
  assert.equal(late.code, 2)
  const [{ imported }] = lines(late.stdout)
  assert.ok(imported > 0 && imported <= 10_000)
  assert.match(lines(late.stderr)[0].error.message, /^line 10002: 'noon' is not a time/)
  assert.equal(await count(), imported)
  // Requests end where their bytes do, too.
  const fat = Array.from({ length: 40 }, (_, i) => JSON.stringify({ node: 'n1', resource: 'fat', time: at(i), value: 'x'.repeat(60_000) })).join('\n')
  assert.equal((await aiot(['import', '-'], { input: fat })).stdout, '40 values imported\n')
  const long = await aiot(['import', '-'], { input: good(1) + '\n' + '"' + 'x'.repeat(600_000) + '"' })
  assert.equal(long.code, 2)
  assert.match(long.stderr, /line 2 is longer than 524288 bytes/)
  assert.equal((await aiot(['import', '-'], { input: '' })).stdout, '0 values imported\n')
  assert.equal((await aiot(['import', '/nowhere/file'])).code, 1)
  assert.equal((await aiot(['import', scratch()])).code, 1)
  assert.equal((await aiot(['import'])).code, 2)
})

test('a broker that goes away ends history with 3, and import says what it does not know', async () => {
  const other = await startBroker(scratch())
  const env = { ...environment, AIOT_BROKER: urlOf(other) }
  const importing = new Process(bin, ['import', '-'], { env })
  importing.child.stdin.write(`${JSON.stringify({ node: 'a', resource: 'b', time: at(0), value: '1' })}\n`)
  assert.equal((await other.end()).code, 0)
  importing.child.stdin.end()
  const ended = await importing.exited
  assert.equal(ended.code, 3, ended.stderr)
  assert.match(ended.stderr, /not known whether lines 1 to 1/)
  assert.equal(ended.stdout, '0 values imported\n')
})
