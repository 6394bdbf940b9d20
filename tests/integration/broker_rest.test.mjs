// The broker's REST interface, metrics and files over plain HTTP.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'
import { Broker, joined, out, value } from './broker_peers.mjs'

describe('REST at the broker', () => {
  let broker, gateway
  const json = { 'content-type': 'application/json' }
  before(async () => {
    broker = await Broker.start(8 * 1024 * 1024, 'https://allowed.example')
    gateway = await broker.native('paris', { site: 'home' })
    await gateway.batch(joined('n1', '192.0.2.1'), value('n1', 'temperature', '23°C'), value('n1', 'a/b', '{"x":[1]}', { format: 50 }), value('n1', 'name', 'Kitchen lamp'),
      joined('n2', 'mq', 'MQTT'), joined('n3'), out('n3'))
    gateway.answers = () => ({})
    gateway.socket.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.type !== 'ask') return
      const answer = gateway.answers(message)
      if (answer) gateway.send({ type: 'answer', id: message.id, value: '', ...answer })
    })
  })
  after(() => broker.end())
  const put = (path, body, headers) => broker.request('PUT', path, body, { ...json, ...headers })
  const isProblem = (response, status, code) => {
    assert.equal(response.status, status, response.text)
    assert.equal(response.headers['content-type'], 'application/problem+json')
    assert.ok(response.json.type.endsWith(code), response.json.type)
    assert.equal(response.json.status, status)
    assert.ok(response.json.detail.length > 0)
  }

  it('shows a node with its values', async () => {
    const { status, json: node, headers } = await broker.get('/api/v1/nodes/n1')
    assert.equal(status, 200)
    assert.equal(headers['content-type'], 'application/json')
    assert.deepEqual([node.uid, node.protocol, node.gateway, node.state, node.address, node.labels], ['n1', 'CoAP', 'paris', 'live', '192.0.2.1', {}])
    assert.match(node.first_seen, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    const { time, ...temperature } = node.resources.temperature
    assert.deepEqual(temperature, { value: '23°C', number: 23, unit: '°C' })
    assert.ok(Math.abs(Date.parse(time) - Date.now()) < 60_000)
    assert.deepEqual(node.resources['a/b'].value, { x: [1] })
    assert.equal(node.resources['a/b'].format, 'application/json')
  })

  it('lists nodes by filter and page by page', async () => {
    const uids = async (query) => (await broker.get(`/api/v1/nodes${query}`)).json.items.map((n) => n.uid)
    assert.deepEqual(await uids(''), ['n1', 'n2', 'n3'])
    assert.deepEqual(await uids('?state=live'), ['n1', 'n2'])
    assert.deepEqual(await uids('?state=out'), ['n3'])
    assert.deepEqual(await uids('?protocol=mqtt'), ['n2'])
    assert.deepEqual(await uids('?gateway=paris&protocol=CoAP'), ['n1', 'n3'])
    assert.deepEqual(await uids('?gateway=rome'), [])
    assert.deepEqual(await uids('?q=KITCHEN'), ['n1'])
    assert.deepEqual(await uids('?label=a%3Db'), [])
    const label = (uid, labels) => broker.request('PATCH', `/api/v1/nodes/${uid}`, JSON.stringify({ labels }), json)
    await label('n1', { floor: '1', room: 'hall' })
    await label('n2', { floor: '2', room: 'hall' })
    assert.deepEqual(await uids('?label=room'), ['n1', 'n2'])
    assert.deepEqual(await uids('?label=room%3Dhall&label=floor%3D2'), ['n2'])
    assert.deepEqual(await uids('?label=floor%3D2&label=room%3Dattic'), [])
    for (const uid of ['n1', 'n2']) await label(uid, { floor: null, room: null })
    const first = (await broker.get('/api/v1/nodes?limit=2')).json
    assert.equal(first.items.length, 2)
    const second = (await broker.get(`/api/v1/nodes?limit=2&cursor=${first.next}`)).json
    assert.deepEqual(second.items.map((n) => n.uid), ['n3'])
    assert.equal(second.next, null)
    for (const bad of ['limit=0', 'limit=1001', 'limit=x', 'state=dead', 'cursor=%21', 'q=%zz']) isProblem(await broker.get(`/api/v1/nodes?${bad}`), 400, 'usage')
  })

  it('lists gateways', async () => {
    const { items } = (await broker.get('/api/v1/gateways')).json
    assert.equal(items.length, 1)
    const [{ name, site, wire, state, nodes, software }] = items
    assert.deepEqual({ name, site, wire, state, nodes, software }, { name: 'paris', site: 'home', wire: 'aiot.gateway.v1', state: 'connected', nodes: 3, software: 'test' })
  })

  it('reads the last value of a resource', async () => {
    const { json: answer } = await broker.get('/api/v1/nodes/n1/resources/temperature')
    const { time, uri, age_s, ...rest } = answer
    assert.equal(uri, `aiot://127.0.0.1:${broker.port}/n1/temperature`)
    assert.ok(age_s >= 0 && age_s < 60)
    assert.deepEqual(rest, { node: 'n1', gateway: 'paris', resource: 'temperature', value: '23°C', number: 23, unit: '°C', protocol: 'CoAP', state: 'live' })
    assert.deepEqual((await broker.get('/api/v1/nodes/n1/resources/a%2Fb')).json.value, { x: [1] })
    isProblem(await broker.get('/api/v1/nodes/n1/resources/none'), 404, 'rejected')
    isProblem(await broker.get('/api/v1/nodes/none/resources/led'), 404, 'rejected')
  })

  it('reads the device itself with live=true', async () => {
    gateway.answers = (ask) => {
      assert.deepEqual([ask.method, ask.node, ask.resource], ['GET', 'n1', 'temperature'])
      return { code: '2.05', value: '24°C', rtt_us: 1840 }
    }
    const { status, json: answer } = await broker.get('/api/v1/nodes/n1/resources/temperature?live=true')
    assert.equal(status, 200)
    assert.deepEqual([answer.value, answer.number, answer.code, answer.rtt_ms], ['24°C', 24, '2.05', 1.84])
    isProblem(await broker.get('/api/v1/nodes/n3/resources/led?live=true'), 409, 'unreachable')
    isProblem(await broker.get('/api/v1/nodes/n3/resources/led?live=perhaps'), 400, 'usage')
  })

  it('writes, and answers what the node said', async () => {
    const asked = []
    gateway.answers = (ask) => {
      asked.push(ask)
      return { code: '2.04', confirmed: 'device' }
    }
    const { status, json: answer } = await put('/api/v1/nodes/n1/resources/led?timeout=3s', { value: '1' })
    assert.equal(status, 200)
    const { time, uri, ...rest } = answer
    assert.deepEqual(rest, { node: 'n1', gateway: 'paris', resource: 'led', value: '1', number: 1, code: '2.04', protocol: 'CoAP', state: 'live', confirmed: 'device' })
    assert.deepEqual([asked[0].method, asked[0].value, asked[0].deadline_ms], ['PUT', '1', 3000])
    await put('/api/v1/nodes/n1/resources/led', { value: 5 })
    await put('/api/v1/nodes/n1/resources/led', { value: { a: 1 }, format: 'json' })
    await put('/api/v1/nodes/n1/resources/led', { value: '/w==', encoding: 'base64' })
    await put('/api/v1/nodes/n1/resources/led', { value: null })
    await broker.request('POST', '/api/v1/nodes/n1/resources/led', '{"value":"go"}', json)
    await broker.request('POST', '/api/v1/nodes/n1/resources/led')
    await broker.request('DELETE', '/api/v1/nodes/n1/resources/led')
    assert.deepEqual(asked.slice(1).map((a) => [a.method, a.value, a.format, a.encoding]), [
      ['PUT', '5', undefined, undefined], ['PUT', '{"a":1}', 50, undefined], ['PUT', '/w==', undefined, 'base64'], ['PUT', '', undefined, undefined],
      ['POST', 'go', undefined, undefined], ['POST', '', undefined, undefined], ['DELETE', '', undefined, undefined]])
  })

  it('says what became of a write that failed', async () => {
    const led = '/api/v1/nodes/n1/resources/led'
    gateway.answers = () => ({ code: '4.05', error: { code: 'rejected', message: 'n1 answered 4.05 Method Not Allowed', native: 405, outcome: 'rejected' } })
    const rejected = await put(led, { value: '1' })
    isProblem(rejected, 502, 'rejected')
    assert.deepEqual([rejected.json.code, rejected.json.outcome], ['4.05', 'rejected'])
    gateway.answers = () => undefined
    const started = Date.now()
    const unknown = await put(`${led}?timeout=200ms`, { value: '1' })
    isProblem(unknown, 504, 'timeout')
    assert.equal(unknown.json.outcome, 'unknown')
    assert.ok(Date.now() - started < 5000)
    const late = await put('/api/v1/nodes/n3/resources/led', { value: '1' })
    isProblem(late, 409, 'unreachable')
    assert.equal(late.json.outcome, 'not_sent')
    isProblem(await put('/api/v1/nodes/none/resources/led', { value: '1' }), 404, 'rejected')
    isProblem(await broker.request('POST', '/api/v1/nodes/n2/resources/led', '{"value":"1"}', json), 400, 'usage')
  })

  it('confirms a write at a pyaiot gateway by its echo, and only by that', async () => {
    const old = await broker.pyaiotGateway()
    old.send({ type: 'new', uid: 'py', dst: 'all' })
    await until('py', async () => (await broker.get('/api/v1/nodes/py')).status === 200)
    old.socket.on('message', (data) => {
      const message = JSON.parse(data)
      if (message.type !== 'update') return
      old.send({ type: 'update', uid: 'py', endpoint: message.data.endpoint, data: 'something else', dst: 'all' })
      if (message.data.payload !== 'lost') old.send({ type: 'update', uid: 'py', endpoint: message.data.endpoint, data: message.data.payload, dst: 'all' })
    })
    const good = await put('/api/v1/nodes/py/resources/led', { value: '1' })
    assert.equal(good.status, 200)
    assert.equal(good.json.confirmed, 'echo')
    assert.equal(good.json.value, '1')
    isProblem(await put('/api/v1/nodes/py/resources/led?timeout=100ms', { value: 'lost' }), 504, 'timeout')
    isProblem(await broker.get('/api/v1/nodes/py/resources/led?live=true'), 400, 'usage')
    const pending = put('/api/v1/nodes/py/resources/led', { value: 'lost' })
    await old.wait((m) => m.data?.payload === 'lost', 2)
    old.socket.terminate()
    const cut = await pending
    isProblem(cut, 504, 'timeout')
    assert.equal(cut.json.outcome, 'unknown')
  })

  it('acts once for an Idempotency-Key', async () => {
    let acted = 0
    gateway.answers = () => ({ code: '2.04', confirmed: 'device', n: ++acted })
    const led = '/api/v1/nodes/n1/resources/led'
    const key = { 'idempotency-key': 'k1' }
    const both = await Promise.all([put(led, { value: '1' }, key), put(led, { value: '1' }, key)])
    const third = await put(led, { value: '1' }, key)
    assert.equal(acted, 1)
    assert.deepEqual(both.map((r) => r.text), [third.text, third.text])
    isProblem(await put(led, { value: '2' }, key), 422, 'usage')
    // What was never sent may be tried again.
    const other = { 'idempotency-key': 'k2' }
    isProblem(await put('/api/v1/nodes/n3/resources/led', { value: '1' }, other), 409, 'unreachable')
    isProblem(await put('/api/v1/nodes/n3/resources/led', { value: '1' }, other), 409, 'unreachable')
    isProblem(await put(led, { value: '1' }, { 'idempotency-key': 'x'.repeat(300) }), 400, 'usage')
  })

  it('answers bad requests with problems', async () => {
    const led = '/api/v1/nodes/n1/resources/led'
    for (const body of ['', '{', '[]', '{}', '{"value":1,}', '{"value":"1","encoding":"rot13"}', '{"value":"%","encoding":"base64"}', '{"value":"1","format":"nonsense"}',
      `{"value":${'['.repeat(40)}${']'.repeat(40)}}`, `{"value":"${'x'.repeat(66000)}"}`]) {
      isProblem(await put(led, body), 400, 'usage')
    }
    isProblem(await broker.request('PUT', led, 'x=1', { 'content-type': 'text/plain' }), 415, 'usage')
    isProblem(await put(led, 'x'.repeat(600_000)), 413, 'usage')
    assert.match((await broker.request('POST', '/elsewhere', 'x'.repeat(600_000))).headers['content-type'], /^text\/plain/)
    isProblem(await put(led, { value: '1' }, { 'content-encoding': 'gzip' }), 415, 'usage')
    isProblem(await put(led, { value: '1' }, { 'idempotency-key': '' }), 400, 'usage')
    isProblem(await put(`${led}?timeout=1h`, { value: '1' }), 400, 'usage')
    isProblem(await put(`${led}?expires=301s`, { value: '1' }), 400, 'usage')
    for (const path of ['/metrics', '/healthz', '/readyz', '/ws', '/gw', '/']) {
      const refused = await broker.request('POST', path, 'x')
      assert.deepEqual([path, refused.status, refused.headers.allow], [path, 405, 'GET, HEAD'])
    }
    isProblem(await broker.get('/api/v1/nothing'), 404, 'rejected')
    isProblem(await broker.get('/api/v1/history?node=n1'), 400, 'usage')
    isProblem(await broker.get('/api/v1/events?from=soon'), 400, 'usage')
    isProblem(await broker.get(`/api/v1/nodes/${'u'.repeat(129)}`), 400, 'usage')
    isProblem(await broker.get(`/api/v1/nodes/n1/resources/${'r'.repeat(257)}`), 400, 'usage')
    isProblem(await broker.get('/api/v1/nodes/%zz'), 400, 'usage')
    const wrong = await broker.request('PATCH', led)
    isProblem(wrong, 405, 'usage')
    assert.equal(wrong.headers.allow, 'GET, PUT, POST, DELETE')
  })

  it('forgets a node, which comes back with its next message', async () => {
    await gateway.batch(joined('f1', '192.0.2.5'), value('f1', 'led', '0'))
    const client = await broker.joined()
    await client.wait((m) => m.uid === 'f1' && m.endpoint === 'led')
    assert.equal((await broker.request('DELETE', '/api/v1/nodes/f1')).status, 204)
    await client.wait((m) => m.uid === 'f1' && m.type === 'out')
    isProblem(await broker.get('/api/v1/nodes/f1'), 404, 'rejected')
    isProblem(await broker.request('DELETE', '/api/v1/nodes/f1'), 404, 'rejected')
    assert.ok(!(await broker.get('/api/v1/nodes')).json.items.some((n) => n.uid === 'f1'))
    await gateway.batch(value('f1', 'led', '1'))
    const node = (await broker.get('/api/v1/nodes/f1')).json
    assert.deepEqual([node.state, node.protocol, node.address, node.resources.led.value], ['live', 'CoAP', '192.0.2.5', '1'])
    await client.close()
  })

  it('refuses pages of other origins what they may not do', async () => {
    const led = '/api/v1/nodes/n1/resources/led'
    gateway.answers = () => ({ code: '2.04', confirmed: 'device' })
    isProblem(await put(led, { value: '1' }, { origin: 'https://evil.example' }), 403, 'unauthorized')
    assert.equal((await put(led, { value: '1' }, { origin: `http://127.0.0.1:${broker.port}` })).status, 200)
    assert.equal((await put(led, { value: '1' }, { origin: 'https://allowed.example' })).status, 200)
    const opened = (origin) => new WebClient(`ws://127.0.0.1:${broker.port}/ws`, undefined, { origin }).opened
    assert.equal(await opened('https://evil.example'), 403)
    assert.equal(await opened('null'), 403)
    assert.equal(await opened(`http://127.0.0.1:${broker.port}`), 'open')
    assert.equal(await opened('https://allowed.example'), 'open')
    // A name that was made to lead here, and that the browser takes for the page's own.
    const rebound = { host: `rebind.example:${broker.port}`, origin: `http://rebind.example:${broker.port}` }
    isProblem(await put(led, { value: '1' }, rebound), 403, 'unauthorized')
    assert.equal(await new WebClient(`ws://127.0.0.1:${broker.port}/ws`, undefined, { headers: rebound }).opened, 403)
    const named = { host: `localhost:${broker.port}`, origin: `http://localhost:${broker.port}` }
    assert.equal((await put(led, { value: '1' }, named)).status, 200)
    assert.equal(await new WebClient(`ws://127.0.0.1:${broker.port}/ws`, undefined, { headers: named }).opened, 'open')
    assert.equal(await opened(undefined), 'open')
  })

  it('takes an answer that cannot be one for none', async () => {
    gateway.answers = () => ({ code: '9.99', confirmed: 'device' })
    const odd = await put('/api/v1/nodes/n1/resources/led', { value: '1' })
    isProblem(odd, 504, 'peer_failed')
    assert.equal(odd.json.outcome, 'unknown')
    gateway.answers = () => ({ code: '2.04' })
    isProblem(await put('/api/v1/nodes/n1/resources/led', { value: '1' }), 504, 'peer_failed')
    gateway.answers = () => ({ code: '5.99' })
    isProblem(await broker.get('/api/v1/nodes/n1/resources/led?live=true'), 502, 'peer_failed')
    await broker.process.line(/answer to PUT n1\/led is malformed/)
  })

  it('tells its health and counts', async () => {
    assert.deepEqual([(await broker.get('/healthz')).status, (await broker.get('/readyz')).status], [200, 200])
    const { text, headers } = await broker.get('/metrics')
    assert.match(headers['content-type'], /^text\/plain; version=0\.0\.4/)
    for (const line of text.trim().split('\n')) assert.match(line, /^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? [0-9.e+-]+)$/)
    assert.match(text, /aiot_build_info\{version="[^"]+"\} 1/)
    assert.match(text, /aiot_nodes\{state="live",gateway="paris"\} 3/)
    assert.match(text, /aiot_write_duration_seconds_bucket\{le="\+Inf"\} \d+/)
    assert.ok((await broker.metric('aiot_updates_received_total', 'protocol="CoAP"')) >= 4)
    assert.equal(await broker.metric('aiot_updates_received_total', 'protocol="CoAP"'), await broker.metric('aiot_updates_stored_total', 'protocol="CoAP"'))
    assert.equal((await broker.get('/ws')).status, 426)
  })

  it('serves its page under a strict policy', async () => {
    const page = await broker.get('/')
    assert.equal(page.status, 200)
    assert.match(page.headers['content-type'], /^text\/html/)
    assert.equal(page.headers['content-security-policy'], "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'")
    assert.equal(page.headers['x-content-type-options'], 'nosniff')
    assert.equal(page.headers['referrer-policy'], 'no-referrer')
    const again = await broker.get('/', { 'if-none-match': page.headers.etag })
    assert.deepEqual([again.status, again.body.length], [304, 0])
    const head = await broker.request('HEAD', '/')
    assert.deepEqual([head.status, head.body.length], [200, 0])
    assert.equal((await broker.get('/no/such/page')).status, 404)
    assert.equal((await broker.get('/../etc/passwd')).status, 404)
    assert.equal((await broker.request('POST', '/')).status, 405)
  })
})
