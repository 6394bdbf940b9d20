// The running broker against docs/openapi.yaml: what it answers is described, and what is described it answers.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { scratch } from '../support/process.mjs'
import { Broker, joined, out, value } from './broker_peers.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const { parse } = require('yaml')
const source = process.env.AIOT_SOURCE_DIR ?? new URL('../..', import.meta.url).pathname
const api = parse(readFileSync(`${source}/docs/openapi.yaml`, 'utf8'))

const resolve = (thing) => (thing?.$ref ? resolve(thing.$ref.slice(2).split('/').reduce((at, name) => at[name], api)) : thing)

/** Checks `data` against the part of JSON Schema that the description uses. */
function check(data, given, where) {
  const schema = resolve(given)
  assert.ok(schema, `${where}: no schema`)
  for (const word of Object.keys(schema)) {
    assert.ok(['type', 'description', 'enum', 'pattern', 'required', 'properties', 'additionalProperties', 'items', 'minLength', 'maxLength', 'minimum', 'maximum', 'default'].includes(word), `${where}: this test does not know ${word}`)
  }
  const type = data === null ? 'null' : Array.isArray(data) ? 'array' : Number.isInteger(data) ? 'integer' : typeof data
  if (schema.type) {
    const types = [schema.type].flat()
    assert.ok(types.includes(type) || (type === 'integer' && types.includes('number')), `${where}: ${type} is not ${types}`)
  }
  if (schema.enum) assert.ok(schema.enum.includes(data), `${where}: ${data} is not one of ${schema.enum}`)
  if (schema.pattern) assert.match(data, new RegExp(schema.pattern), where)
  for (const name of schema.required ?? []) assert.ok(name in data, `${where}: ${name} is missing`)
  if (type === 'array' && schema.items) data.forEach((item, i) => check(item, schema.items, `${where}[${i}]`))
  if (type !== 'object') return
  for (const [name, member] of Object.entries(data)) {
    if (schema.properties?.[name]) check(member, schema.properties[name], `${where}.${name}`)
    else if (schema.additionalProperties === false) assert.fail(`${where}.${name} is not described`)
    else if (typeof schema.additionalProperties === 'object') check(member, schema.additionalProperties, `${where}.${name}`)
  }
}

describe('the broker and its description', () => {
  let broker, gateway
  const seen = new Set()
  before(async () => {
    process.env.AIOT_BROKER_STATE = scratch()
    broker = await Broker.start()
    gateway = await broker.native('paris', { site: 'home' })
    await gateway.batch(joined('n1'), value('n1', 'temperature', '23°C'), value('n1', 'blob', '/w==', { encoding: 'base64', format: 42, time_uncertain: true }),
      value('n1', 'doc', '{"a":1}', { format: 50 }), joined('mq', 'x', 'MQTT'), joined('gone'), value('gone', 'led', '0'), out('gone'))
    gateway.answers = []
    gateway.socket.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.type === 'ask' && message.value !== 'silence') gateway.send({ type: 'answer', id: message.id, value: '', code: '2.04', confirmed: 'device', rtt_us: 900, ...gateway.answers.shift() })
    })
    const old = await broker.pyaiotGateway()
    old.send({ type: 'new', uid: 'py', dst: 'all' })
    await old.close()
  })
  after(() => broker.end())

  /** One exchange that must be as described for `template`. */
  async function exchange(status, method, template, fill = {}, { query = '', body, headers } = {}) {
    let path = template
    for (const [name, text] of Object.entries(fill)) path = path.replace(`{${name}}`, encodeURIComponent(text))
    const response = await broker.request(method, path + query, body, body === undefined ? headers : { 'content-type': 'application/json', ...headers })
    const where = `${method} ${path}${query}`
    assert.equal(response.status, status, `${where}: ${response.text}`)
    const described = resolve(api.paths[template][method.toLowerCase()].responses[String(status)])
    assert.ok(described, `${where}: ${status} is not described`)
    seen.add(`${method} ${template} ${status}`)
    if (!described.content) return assert.equal(response.body.length, 0, where)
    const type = response.headers['content-type'].split(';')[0]
    assert.ok(type in described.content, `${where}: ${type} is not described`)
    if (described.content[type].schema) check(response.json, described.content[type].schema, where)
    return response
  }

  const nodes = '/api/v1/nodes', node = '/api/v1/nodes/{uid}', resource = '/api/v1/nodes/{uid}/resources/{name}', gateways = '/api/v1/gateways', history = '/api/v1/history', events = '/api/v1/events'
  const led = { uid: 'n1', name: 'led' }

  it('answers reads as described', async () => {
    await exchange(200, 'GET', nodes)
    await exchange(200, 'GET', nodes, {}, { query: '?limit=1&state=live' })
    await exchange(400, 'GET', nodes, {}, { query: '?limit=0' })
    await exchange(200, 'GET', node, { uid: 'n1' })
    await exchange(400, 'GET', node, { uid: 'x'.repeat(200) })
    await exchange(404, 'GET', node, { uid: 'none' })
    for (const name of ['temperature', 'blob', 'doc']) await exchange(200, 'GET', resource, { uid: 'n1', name })
    await exchange(404, 'GET', resource, { uid: 'n1', name: 'none' })
    await exchange(400, 'GET', resource, led, { query: '?live=perhaps' })
    await exchange(200, 'GET', gateways)
    await exchange(200, 'GET', '/api/v1/dashboard')
    await exchange(400, 'GET', gateways, {}, { query: '?cursor=%25' })
    for (const path of ['/healthz', '/readyz', '/metrics']) await exchange(200, 'GET', path)
  })

  it('answers about the past as described', async () => {
    const then = Math.floor(Date.now() / 1000) - 3600
    const line = (members) => ({ node: 'n1', resource: 'past', time: new Date(then * 1000).toISOString(), value: '1', ...members })
    const lines = [line(), line({ value: '21.5 °C' }), line({ value: '/w==', encoding: 'base64', format: 'application/octet-stream', time_uncertain: true }), line({ value: { a: 1 }, format: 'json' }), line({ value: [1], time: `${then}.5` })]
    const ndjson = (things) => things.map((thing) => JSON.stringify(thing)).join('\n')
    // As text: exchange() would send one JSON document.
    const put = (status, body, query = '') => exchange(status, 'POST', history, {}, { query, body, headers: { 'content-type': 'application/x-ndjson' } })
    assert.equal((await put(200, ndjson(lines))).json.imported, lines.length)
    assert.equal((await put(200, '')).json.imported, 0)
    for (const [bad, why] of [
      [line({ time: 'noon' }), /^line 7: 'noon' is not a time/],
      [line({ node: undefined }), /^line 7: node, resource, time and value are needed/],
      [line({ value: '!', encoding: 'base64' }), /^line 7: the value is not base64/],
      [line({ value: 1, format: 'cbor' }), /^line 7: a value of cbor is text or base 64/],
      [line({ format: 'soup' }), /^line 7: .*soup/],
    ]) assert.match((await put(400, ndjson([line(), bad]), '?first_line=6')).json.detail, why)
    await put(400, ndjson(Array(10_001).fill({})), '')
    await put(400, '', '?first_line=0')
    await put(413, 'x'.repeat(600_000))
    await exchange(403, 'POST', history, {}, { body: '', headers: { origin: 'http://evil' } })
    const past = `?node=n1&resource=past&to=${then + 60}`
    const { points } = (await exchange(200, 'GET', history, {}, { query: past })).json
    assert.deepEqual(points.map((point) => point.value), ['1', '21.5 °C', '/w==', { a: 1 }, [1]])
    const raw = (await exchange(200, 'GET', history, {}, { query: `${past}&raw=true` })).json.points
    assert.deepEqual(raw.map((point) => [point.value, point.format]), [['1', undefined], ['21.5 °C', undefined], ['/w==', 'application/octet-stream'], ['{"a":1}', 'application/json'], [[1], undefined]])
    await exchange(200, 'GET', history, {}, { query: `${past}&step=1h` })
    await exchange(200, 'GET', history, {}, { query: `${past}&limit=1` })
    for (const bad of ['?node=n1', '?node=n1&resource=led&from=soon', '?node=n1&resource=led&step=0', '?node=n1&resource=led&limit=10001', '?node=n1&resource=led&cursor=%25']) await exchange(400, 'GET', history, {}, { query: bad })
    const { items } = (await exchange(200, 'GET', events, {}, { query: '?limit=1' })).json
    await exchange(200, 'GET', events, {}, { query: `?cursor=${items[0].id}&node=n1` })
    await exchange(200, 'GET', events, {}, { query: '?newest=true&limit=1' })
    for (const bad of ['?limit=1001', '?from=soon', '?cursor=x']) await exchange(400, 'GET', events, {}, { query: bad })
    await exchange(200, 'GET', '/api/v1/status')
    await exchange(200, 'PATCH', node, { uid: 'n1' }, { body: { labels: { room: 'hall', floor: null } } })
    await exchange(400, 'PATCH', node, { uid: 'n1' }, { body: { labels: { 'a b': '1' } } })
    await exchange(400, 'PATCH', node, { uid: 'n1' }, { body: {} })
    await exchange(403, 'PATCH', node, { uid: 'n1' }, { body: { labels: {} }, headers: { origin: 'http://evil' } })
    await exchange(404, 'PATCH', node, { uid: 'none' }, { body: { labels: {} } })
    await exchange(413, 'PATCH', node, { uid: 'n1' }, { body: { labels: { a: 'x'.repeat(600_000) } } })
  })

  it('answers what goes to nodes as described', async () => {
    const refused = { code: '4.05', error: { code: 'rejected', message: 'no', native: 405, outcome: 'rejected' } }
    await exchange(200, 'GET', resource, led, { query: '?live=true' })
    gateway.answers.push(refused)
    await exchange(502, 'GET', resource, led, { query: '?live=true' })
    await exchange(409, 'GET', resource, { uid: 'gone', name: 'led' }, { query: '?live=true' })
    for (const method of ['PUT', 'POST', 'DELETE']) {
      const body = method === 'DELETE' ? undefined : { value: '1' }
      await exchange(200, method, resource, led, { body })
      gateway.answers.push(refused)
      await exchange(502, method, resource, led, { body })
      await exchange(409, method, resource, { uid: 'gone', name: 'led' }, { body })
      await exchange(404, method, resource, { uid: 'none', name: 'led' }, { body })
      await exchange(400, method, resource, led, { body, query: '?timeout=soon' })
      await exchange(403, method, resource, led, { body, headers: { origin: 'http://evil' } })
      if (!body) continue
      await exchange(504, method, resource, led, { body: { value: 'silence' }, query: '?timeout=50ms' })
      await exchange(413, method, resource, led, { body: { value: 'x'.repeat(600_000) } })
      await exchange(415, method, resource, led, { body, headers: { 'content-type': 'text/plain' } })
      await exchange(200, method, resource, led, { body, headers: { 'idempotency-key': method } })
      await exchange(422, method, resource, led, { body: { value: '2' }, headers: { 'idempotency-key': method } })
    }
    await exchange(403, 'DELETE', node, { uid: 'n1' }, { headers: { origin: 'http://evil' } })
    await exchange(204, 'DELETE', node, { uid: 'gone' })
    await exchange(404, 'DELETE', node, { uid: 'gone' })
  })

  it('is described whole: every method of every path was seen to succeed', () => {
    for (const [path, item] of Object.entries(api.paths)) {
      for (const method of ['get', 'put', 'post', 'delete', 'patch']) {
        if (!item[method]) continue
        const good = Object.keys(item[method].responses).find((status) => status.startsWith('2'))
        assert.ok(seen.has(`${method.toUpperCase()} ${path} ${good}`), `${method} ${path} ${good}`)
      }
    }
  })

  it('has no method that is not described', async () => {
    for (const [path, item] of Object.entries(api.paths)) {
      if (!path.startsWith('/api/')) continue
      const { headers, status } = await broker.request('OPTIONS', path.replace('{uid}', 'n1').replace('{name}', 'led'))
      assert.equal(status, 405)
      assert.deepEqual(headers.allow.split(', ').sort(), Object.keys(item).filter((name) => name !== 'parameters').map((name) => name.toUpperCase()).sort())
    }
  })
})
