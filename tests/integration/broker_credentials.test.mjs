// How credentials come and go at a running broker: logins, tokens, keys, the first user, and who may start one.
import assert from 'node:assert/strict'
import { readFileSync, statSync } from 'node:fs'
import http from 'node:http'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { daemon, run, until } from '../support/process.mjs'
import { WebClient } from '../support/web_client.mjs'
import { fernet, kPrivate, kSecret } from './broker_peers.mjs'
import { GuardedBroker } from './guarded_broker.mjs'

describe('people log in', () => {
  const broker = new GuardedBroker()
  before(async () => {
    await broker.user('ada', 'admin')
    await broker.user('kim', 'operator')
    await broker.serve()
    gateway = await broker.withNodes()
  })
  after(() => broker.end())
  let gateway
  const json = { 'content-type': 'application/json' }

  it('keeps the users file private and passwords out of it', () => {
    assert.equal(statSync(broker.users).mode & 0o777, 0o600)
    const text = readFileSync(broker.users, 'utf8')
    assert.match(text, /argon2id/)
    assert.doesNotMatch(text, /password of/)
  })

  it('shows a form without scripts, and leads to the page that was asked for', async () => {
    const page = await broker.get('/nodes/n1?a=b&c=d+e%26', { accept: 'text/html' })
    assert.equal(page.status, 303)
    assert.equal(new URL(page.headers.location, 'http://x').searchParams.get('next'), '/nodes/n1?a=b&c=d+e%26')
    const form = await broker.get(page.headers.location)
    assert.equal(form.status, 200)
    assert.doesNotMatch(form.text, /<script/)
    assert.match(form.headers['content-security-policy'], /default-src 'none'.*frame-ancestors 'none'/)
    assert.equal(form.headers['cache-control'], 'no-store')
    assert.match(form.text, /name="next" value="\/nodes\/n1\?a=b&amp;c=d\+e%26"/)
    const { status, headers, cookie } = await broker.login('ada')
    assert.equal(status, 303)
    assert.equal(headers.location, '/nodes/n1?a=b')
    assert.match(headers['set-cookie'][0], /^aiot_login=\S+; Path=\/; HttpOnly; SameSite=Strict$/)
    assert.equal((await broker.get('/api/v1/nodes', { cookie })).status, 200)
    assert.deepEqual((await broker.get('/api/v1/session', { cookie })).json, { name: 'ada', role: 'admin', login: true })
    assert.match((await broker.get('/login', { cookie })).text, /ada/)
  })

  it('never leads elsewhere', async () => {
    for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example']) {
      const { headers } = await broker.post('/login', { user: 'ada', password: 'password of ada', next })
      assert.equal(headers.location, '/')
    }
  })

  it('says no more of a wrong name than of a wrong password', async () => {
    const wrong = await broker.login('kim', 'wrong password')
    const unknown = await broker.login('my-secret-in-the-wrong-field', 'wrong password')
    assert.deepEqual([wrong.status, unknown.status], [401, 401])
    assert.equal(wrong.text, unknown.text)
    assert.equal(wrong.cookie, undefined)
  })

  it('takes no request of another origin, whatever cookie comes with it', async () => {
    const { cookie } = await broker.login('kim')
    const put = (origin) => broker.request('PUT', '/api/v1/nodes/n1/resources/led', { value: '1' }, { ...json, cookie, ...(origin && { origin }) })
    assert.equal((await put('http://evil.example')).status, 403)
    assert.equal((await put('null')).status, 403)
    assert.equal((await put(`http://127.0.0.1:${broker.port}`)).status, 200)
    assert.equal((await broker.login('kim', undefined, { origin: 'http://evil.example' })).status, 403)
    assert.equal((await broker.post('/logout', {}, { cookie, origin: 'http://evil.example' })).status, 403)
    const socket = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, ['aiot.client.v1'], { headers: { cookie, origin: 'http://evil.example' } })
    assert.equal(await socket.opened, 403)
    assert.equal((await broker.get('/api/v1/nodes', { cookie })).status, 200)
  })

  it('logs out: the cookie is no good any more and open sockets close', async () => {
    const { cookie } = await broker.login('kim')
    const socket = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, ['aiot.client.v1'], { headers: { cookie } })
    assert.equal(await socket.opened, 'open')
    const { status, headers } = await broker.post('/logout', {}, { cookie })
    assert.equal(status, 303)
    assert.match(headers['set-cookie'][0], /^aiot_login=; .*Max-Age=0/)
    assert.equal((await socket.closed).code, 1008)
    assert.equal((await broker.get('/api/v1/nodes', { cookie })).status, 401)
  })

  it('writes down who did what, and no password', async () => {
    const { cookie } = await broker.login('kim')
    await broker.request('PUT', '/api/v1/nodes/n1/resources/led', { value: '7' }, { ...json, cookie })
    const admin = (await broker.login('ada')).cookie
    assert.equal((await broker.request('PATCH', '/api/v1/nodes/n2', { labels: { floor: '1' } }, { ...json, cookie })).status, 200)
    assert.equal((await broker.request('DELETE', '/api/v1/nodes/n3', undefined, { cookie: admin })).status, 204)
    const line = { node: 'n2', resource: 'led', time: '2026-01-01T00:00:00Z', value: '1' }
    assert.equal((await broker.request('POST', '/api/v1/history', line, { 'content-type': 'application/x-ndjson', cookie: admin })).status, 200)
    // A gateway tells what it likes, but not that somebody did something.
    await gateway.batch({ event: 'notice', kind: 'login', node: 'n1', message: 'forged' }, { event: 'notice', kind: 'disk_full', message: 'true' })
    const events = await until('the events', async () => {
      const { items } = (await broker.get('/api/v1/events?limit=1000', { cookie: admin })).json
      return items.some((e) => e.data?.by === 'user kim' && e.data.value === '7') && items
    })
    for (const type of ['login', 'login_failed', 'logout']) assert.ok(events.some((e) => e.type === type), type)
    const by = (type) => events.filter((e) => e.type === type).map((e) => [e.node, e.data.by])
    assert.deepEqual(by('labelled'), [['n2', 'user kim']])
    assert.deepEqual(by('forgotten'), [['n3', 'user ada']])
    assert.deepEqual(by('imported'), [[undefined, 'user ada']])
    assert.deepEqual(events.filter((e) => /forged/.test(e.message)).map((e) => e.type), ['notice'])
    assert.ok(events.some((e) => e.type === 'disk_full'))
    const failed = events.find((e) => e.type === 'login_failed' && e.data.user === 'kim')
    assert.equal(failed.data.address, '127.0.0.1')
    assert.doesNotMatch(JSON.stringify(events), /password of|my-secret-in/)
    assert.doesNotMatch(broker.process.stderr, /password of|my-secret-in/)
  })

  it('ends sessions of who is removed or gets another role or password', async () => {
    const change = { kim: ['users', 'role', 'kim', 'viewer'], ada: ['users', 'passwd', 'ada', '--password-file', '-'] }
    for (const [name, args] of Object.entries(change)) {
      const { cookie } = await broker.login(name)
      const socket = new WebClient(`ws://127.0.0.1:${broker.port}/ws`, undefined, { headers: { cookie } })
      assert.equal(await socket.opened, 'open')
      await broker.aiot(args, { input: 'another password\n' })
      assert.equal((await socket.closed).code, 1008, name)
      assert.equal((await broker.get('/api/v1/nodes', { cookie })).status, 401)
    }
    assert.equal((await broker.login('ada')).status, 401)
    assert.equal((await broker.login('ada', 'another password')).status, 303)
    await broker.aiot(['users', 'remove', 'kim'])
    await until('kim to be gone', async () => (await broker.login('kim')).status === 401)
    assert.equal(await broker.aiot(['users', 'list', '--json']).then((text) => JSON.parse(text).name), 'ada')
  })

  it('lets nobody try passwords without end, and others in meanwhile', async () => {
    let limited
    for (let i = 0; i < 40 && !limited; ++i) {
      const answer = await broker.login('ada', `guess ${i}`)
      if (answer.status === 429) limited = answer
    }
    assert.ok(limited, 'never limited')
    assert.ok(Number(limited.headers['retry-after']) >= 1)
    // Even the right one waits; a token does not, and the broker answers.
    assert.equal((await broker.login('ada', 'another password')).status, 429)
    const { token } = await broker.token('--role', 'viewer')
    await until('the new token', async () => (await broker.get('/api/v1/nodes', broker.bearer(token))).status === 200)
    const { text } = await broker.get('/metrics', broker.bearer(token))
    assert.match(text, /aiot_logins_total\{result="limited"\} [1-9]/)
  })
})

describe('credentials come and go while the broker runs', () => {
  it('a token, a gateway’s token and a user are good as soon as they are made', async () => {
    const broker = new GuardedBroker()
    await broker.user('first', 'viewer')
    await broker.serve()
    for (let i = 0; i < 5; ++i) {
      const { token } = await broker.token('--role', 'viewer')
      assert.equal((await broker.get('/api/v1/nodes', broker.bearer(token))).status, 200)
      const gateway = await broker.token('--gateway', `g${i}`)
      assert.equal(await broker.socket('/gw', ['aiot.gateway.v1'], gateway.token).opened, 'open')
      await broker.user(`user${i}`, 'viewer')
      assert.equal((await broker.login(`user${i}`)).status, 303)
    }
    await broker.end()
  })

  it('closes what a revoked or expired token opened, and only that', async () => {
    const broker = new GuardedBroker()
    const one = await broker.token('--role', 'viewer', '--name', 'one')
    const two = await broker.token('--role', 'viewer')
    await broker.serve()
    const sockets = await Promise.all([one, two].map(({ token }) => broker.follower(token)))
    const events = await broker.get('/healthz').then(() => sse(broker, one.token))
    await broker.aiot(['tokens', 'revoke', one.id])
    assert.equal((await sockets[0].closed).code, 1008)
    await events.ended
    const three = await broker.token('--role', 'viewer', '--expires', '3s')
    const third = await until('the new token', async () => {
      const client = await broker.follower(three.token)
      return client.refused ? undefined : client
    })
    const stream = await sse(broker, three.token)
    assert.equal((await third.closed).code, 1008)
    const expired = Date.now()
    await stream.ended
    assert.ok(Date.now() - expired < 2000, 'a stream outlived its token')
    assert.equal((await broker.get('/api/v1/nodes', broker.bearer(three.token))).status, 401)
    sockets[1].send({ type: 'subscribe', id: 1 })
    await sockets[1].wait((m) => m.type === 'snapshot')
    await broker.end()
  })

  it('revokes a gateway, rotates keys and shows who uses which', async () => {
    const broker = new GuardedBroker()
    const admin = await broker.token('--role', 'admin')
    const bound = await broker.token('--gateway', 'paris')
    await broker.serve()
    const credentials = async () => Object.fromEntries((await broker.get('/api/v1/gateways', broker.bearer(admin.token))).json.items.map((g) => [g.name, g.credential]))
    const listed = async () => {
      const env = { ...process.env, AIOT_TOKEN: admin.token, AIOT_BROKER: `http://127.0.0.1:${broker.port}` }
      const { code, stdout, stderr } = await run(['gateways', '--json'], { env })
      assert.equal(code, 0, stderr)
      return Object.fromEntries(stdout.trim().split('\n').map((line) => JSON.parse(line)).map((g) => [g.name, g.credential]))
    }
    const connect = async (name, token) => {
      const session = await broker.nativeSocket(name, token)
      if (session.status === 'open') {
        session.send({ type: 'hello', version: 1, name, site: name, stream: 's', software: 'test' })
        await session.wait((m) => m.type === 'welcome')
        session.send({ type: 'sync', nodes: [], last: true })
      }
      return session
    }
    const paris = await connect('paris', bound.token)
    const rome = await connect('rome')
    assert.deepEqual(await credentials(), { paris: `token ${bound.id}`, rome: 'current keys' })
    const rotated = await run(['keys', 'rotate', '--key-file', broker.keys])
    assert.equal(rotated.code, 0, rotated.stderr)
    await broker.process.line(/read the keys/)
    // What is open stays open, and retire would end it: it is shown with the old pair, as who comes anew with that.
    const oslo = await connect('oslo')
    assert.deepEqual(await listed(), { paris: `token ${bound.id}`, rome: 'previous keys', oslo: 'previous keys' })
    const made = await run(['keys', 'token', '--gateway', 'bern', '--key-file', broker.keys])
    const bern = await connect('bern', made.stdout.trim())
    assert.equal((await listed()).bern, 'current keys')
    assert.equal((await run(['keys', 'rotate', '--key-file', broker.keys])).code, 2)
    assert.equal((await run(['keys', 'retire', '--key-file', broker.keys])).code, 0)
    for (const session of [rome, oslo]) assert.equal((await session.closed).code, 1008)
    assert.equal((await connect('oslo')).status, 401)
    await broker.aiot(['tokens', 'revoke', '--gateway', 'bern'])
    assert.equal((await bern.closed).code, 1008)
    assert.equal((await connect('bern', made.stdout.trim())).status, 401)
    await broker.aiot(['tokens', 'revoke', bound.id])
    assert.equal((await paris.closed).code, 1008)
    await broker.end()
  })

  it("refuses pyaiot's shared token when told so", async () => {
    const broker = await new GuardedBroker().serve('--no-shared-token')
    assert.equal((await broker.pyaiotGateway()).status, 401)
    const bound = await broker.pyaiotGateway(fernet(kPrivate, `${kSecret}\nparis`))
    assert.equal(bound.status, 'open')
    await broker.end()
  })
})

/** A stream of events; `ended` resolves when the broker closes it. */
function sse(broker, token) {
  return new Promise((resolve, reject) => {
    const request = http.get({ port: broker.port, host: '127.0.0.1', path: '/api/v1/events', headers: { ...broker.bearer(token), accept: 'text/event-stream' }, agent: false }, (response) => {
      assert.equal(response.statusCode, 200)
      const ended = new Promise((done) => response.on('close', done))
      response.resume()
      response.on('error', () => {})
      resolve({ ended })
    })
    request.on('error', reject)
  })
}

describe('listening beyond loopback', () => {
  const serve = (broker, ...args) => ['serve-broker', '--listen', '0.0.0.0:0', '--key-file', broker.keys, '--state-dir', join(broker.folder, 'state'), '--users-file', broker.users, ...args]

  it('is refused while everyone could do everything, with what to do', async () => {
    const broker = new GuardedBroker()
    const { code, stderr } = await run(serve(broker))
    assert.equal(code, 2)
    for (const word of ['0.0.0.0:0', 'aiot users add', '--anonymous', '--insecure']) assert.ok(stderr.includes(word), stderr)
    const legacy = await run(['serve-broker', '--listen', '127.0.0.1:0', '--legacy-listen', '0.0.0.0:0', '--key-file', broker.keys, '--state-dir', join(broker.folder, 'state')])
    assert.equal(legacy.code, 2, legacy.stderr)
    const metrics = await run(['serve-gateway', '--metrics', '0.0.0.0:0', '--broker', 'off', '--coap', 'off', '--state-dir', join(broker.folder, 'gateway')])
    assert.equal(metrics.code, 2)
    assert.match(metrics.stderr, /--metrics.*--insecure/s)
  })

  it('is possible with --insecure, with --anonymous, or with a user', async () => {
    const session = async (broker, ...args) => {
      broker.process = await daemon(serve(broker, ...args))
      broker.port = broker.process.listeners.http.port
      const { json } = await broker.get('/api/v1/session')
      const nodes = await broker.get('/api/v1/nodes')
      const forget = await broker.request('DELETE', '/api/v1/nodes/n9')
      await broker.end()
      return [json.role, nodes.status, forget.status]
    }
    assert.deepEqual(await session(new GuardedBroker(), '--insecure'), ['admin', 200, 404])
    assert.deepEqual(await session(new GuardedBroker(), '--anonymous', 'viewer'), ['viewer', 200, 401])
    const broker = new GuardedBroker()
    await broker.user('ada', 'admin')
    assert.deepEqual(await session(broker), ['none', 401, 401])
    assert.deepEqual(await session(broker, '--anonymous', 'operator'), ['operator', 200, 401])
  })
})

describe('an open broker on loopback', () => {
  it('is not read by a page whose name a stranger made to lead here', async () => {
    const broker = await new GuardedBroker().serve('--allow-origin', 'http://iot.example:8000')
    for (const path of ['/', '/api/v1/nodes', '/metrics', '/brand/logo']) {
      const answer = await broker.get(path, { host: `rebind.example:${broker.port}` })
      assert.equal(answer.status, 403, path)
      assert.match(answer.json.detail, /rebind\.example.*--allow-origin/)
    }
    assert.equal((await broker.get('/healthz', { host: 'rebind.example' })).status, 200)
    for (const host of [`localhost:${broker.port}`, '[::1]', 'broker', 'iot.example:8000']) {
      assert.equal((await broker.get('/api/v1/nodes', { host })).status, 200, host)
    }
    await broker.end()
  })
})

describe('an open broker behind a proxy', () => {
  it('says so, once, in its log', async () => {
    const broker = await new GuardedBroker().serve()
    const warnings = () => broker.process.stderr.split('\n').filter((line) => line.includes('a proxy passes requests on')).length
    await broker.get('/api/v1/nodes')
    assert.equal(warnings(), 0)
    for (let i = 0; i < 3; ++i) assert.equal((await broker.get('/api/v1/nodes', { 'x-forwarded-for': '192.0.2.1' })).status, 200)
    await broker.process.line(/a proxy passes requests on.*aiot users add/)
    assert.equal(warnings(), 1)
    await broker.end()
  })
})

describe('the first user', () => {
  it('is made with a link that is good once', async () => {
    const broker = new GuardedBroker()
    broker.process = await daemon(['serve-gateway', '--standalone', '--listen', '0.0.0.0:0', '--coap', '127.0.0.1:0', '--key-file', broker.keys, '--state-dir', join(broker.folder, 'state'), '--users-file', broker.users])
    broker.port = broker.process.listeners.http.port
    const link = /http:\/\/\S+(\/setup\?code=[\w-]+)/.exec(broker.process.stderr)
    assert.ok(link, broker.process.stderr)
    const code = link[1].split('=')[1]
    assert.equal((await broker.get('/api/v1/nodes')).status, 401)
    assert.equal((await broker.get('/setup?code=wrong')).status, 404)
    assert.equal((await broker.get(link[1])).status, 200)
    assert.equal((await broker.post('/setup', { code, user: 'ada', password: 'short' })).status, 400)
    assert.equal((await broker.post('/setup', { code: 'wrong', user: 'ada', password: 'long enough' })).status, 404)
    const [{ status, cookie }, late] = await Promise.all(['ada', 'eve'].map((user) => broker.post('/setup', { code, user, password: 'long enough' })))
    assert.deepEqual([status, late.status], [303, 404])
    assert.doesNotMatch(broker.process.stderr, /error:/)
    assert.deepEqual((await broker.get('/api/v1/session', { cookie })).json, { name: 'ada', role: 'admin', login: true })
    assert.equal((await broker.get(link[1])).status, 404)
    assert.equal((await broker.post('/setup', { code, user: 'eve', password: 'long enough' })).status, 404)
    await broker.end()
    assert.doesNotMatch(readFileSync(broker.users, 'utf8'), /eve|long enough/)
  })
})

describe('a flood of logins', () => {
  it('is answered, bounded, and leaves others their share', async () => {
    // AddressSanitizer would keep 256 MB of what was freed.
    const broker = new GuardedBroker({ env: { ...process.env, ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? ''}:quarantine_size_mb=4` } })
    await broker.user('ada', 'admin')
    const { token } = await broker.token('--role', 'operator')
    await broker.serve()
    await broker.withNodes()
    const attempt = (i) =>
      new Promise((resolve, reject) => {
        const body = new URLSearchParams({ user: i % 2 ? 'ada' : `nobody ${i}`, password: `guess ${i}` }).toString()
        const request = http.request({ port: broker.port, host: '127.0.0.1', localAddress: `127.0.${1 + (i % 100)}.1`, method: 'POST', path: '/login', agent: false,
          headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': body.length } }, (response) => {
          response.resume()
          response.on('end', () => resolve(response.statusCode))
        })
        request.on('error', reject)
        request.end(body)
      })
    const before = broker.rss()
    let flooding = true
    const statuses = new Map()
    const flood = Array.from({ length: 40 }, async (_, lane) => {
      for (let i = lane; flooding; i += 40) {
        const status = await attempt(i)
        statuses.set(status, (statuses.get(status) ?? 0) + 1)
      }
    })
    const put = () => broker.request('PUT', '/api/v1/nodes/n1/resources/led', { value: '1' }, { ...broker.bearer(token), 'content-type': 'application/json' })
    await until('the flood to be limited', () => statuses.get(429) && statuses.get(503))
    for (let i = 0; i < 30; ++i) assert.equal((await put()).status, 200)
    flooding = false
    await Promise.all(flood)
    assert.deepEqual([...statuses.keys()].sort(), [401, 429, 503])
    assert.ok(broker.rss() - before < 128 * 1024 * 1024, `${broker.rss() - before} bytes more`)
    await broker.end()
  })
})

describe("a port for pyaiot's wire alone", () => {
  it('serves its gateways and clients, and nothing else', async () => {
    const broker = await new GuardedBroker().serve('--legacy-listen', '127.0.0.1:0')
    const { port } = broker.process.listeners.legacy
    const main = broker.port
    broker.port = port
    assert.equal((await broker.pyaiotGateway()).status, 'open')
    const client = await broker.joined()
    await client.close()
    for (const path of ['/', '/api/v1/nodes', '/metrics', '/login', '/healthz']) assert.equal((await broker.get(path)).status, 404, path)
    assert.equal(await broker.socket('/ws', ['aiot.client.v1']).opened, 404)
    assert.equal((await broker.nativeSocket('paris')).status, 404)
    broker.port = main
    // The rules are the same there: from the first user on /ws needs a login, which that wire has no word for.
    await broker.user('ada', 'admin')
    broker.port = port
    await until('the user', async () => (await broker.client().opened) === 401)
    assert.equal((await broker.pyaiotGateway()).status, 'open')
    await broker.end()
  })
})
