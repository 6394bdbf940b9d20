// Who may do what at the broker: the tables of SECURITY.md, cell by cell.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { fernet, kPrivate, kSecret } from './broker_peers.mjs'
import { GuardedBroker } from './guarded_broker.mjs'

const require = createRequire(import.meta.url.replace('/integration/', '/'))
const source = process.env.AIOT_SOURCE_DIR ?? new URL('../..', import.meta.url).pathname

/** The rows of SECURITY.md's table NAME: { row: { column: cell } }. */
function matrix(name) {
  const text = readFileSync(join(source, 'SECURITY.md'), 'utf8')
  const [, table] = new RegExp(`<!-- matrix: ${name} -->\\n((?:\\|.*\\n)+)`).exec(text) ?? assert.fail(`no matrix ${name}`)
  const [head, , ...rows] = table.trim().split('\n').map((line) => line.split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')))
  return Object.fromEntries(rows.map(([row, ...cells]) => [row, Object.fromEntries(cells.map((cell, i) => [head[i + 1], cell]))]))
}

describe('what is allowed is what SECURITY.md says', () => {
  const broker = new GuardedBroker()
  const tokens = { nobody: undefined, unknown: 'aiot_0123456789' }
  let gateway
  before(async () => {
    const scope = ['--node', 'n1', '--resource', 'led']
    for (const role of ['viewer', 'operator', 'admin']) tokens[role] = (await broker.token('--role', role)).token
    tokens['viewer of n1/led'] = (await broker.token('--role', 'viewer', ...scope)).token
    tokens['operator of n1/led'] = (await broker.token('--role', 'operator', ...scope)).token
    tokens.gateway = (await broker.token('--gateway', 'paris')).token
    tokens.expired = (await broker.token('--role', 'admin', '--expires', '1ms')).token
    const revoked = await broker.token('--role', 'admin')
    tokens.revoked = revoked.token
    await broker.aiot(['tokens', 'revoke', revoked.id])
    const logo = join(broker.folder, 'logo.svg')
    writeFileSync(logo, '<svg xmlns="http://www.w3.org/2000/svg"/>')
    await broker.serve('--logo', logo)
    gateway = await broker.withNodes()
  })
  after(() => broker.end())

  /** Calls `probe(token)` for each credential of the row and compares what it says. */
  async function row(name, cells, probe) {
    for (const [column, expected] of Object.entries(cells)) {
      for (const who of column === 'not good' ? ['expired', 'revoked', 'unknown'] : [column]) {
        assert.ok(who in tokens, `no such credential: ${who}`)
        assert.equal(await probe(tokens[who], who), expected, `${name}, ${who}`)
      }
    }
  }

  const bodies = {
    PUT: { value: '1' },
    POST: { value: '1' },
    PATCH: { labels: { floor: '1' } },
  }
  async function exchange(name, token) {
    const [method, path] = name.split(' ')
    const imports = name === 'POST /api/v1/history'
    const headers = { ...broker.bearer(token), accept: path === '/' ? 'text/html' : '*/*' }
    if (bodies[method]) headers['content-type'] = imports ? 'application/x-ndjson' : 'application/json'
    const body = imports ? '{"node":"n1","resource":"led","time":"2026-01-01T00:00:00Z","value":"1"}\n' : bodies[method]
    const { status, headers: answered, json, text } = await broker.request(method, path, body, headers)
    if (status === 303) return answered.location.replace(/\?.*/, '').replace('/login', 'login')
    if (status !== 401 && status !== 403) return status < 300 ? 'yes' : `${status} ${text}`
    assert.ok(json.type.endsWith('unauthorized'))
    assert.equal(status === 401, 'www-authenticate' in answered)
    return String(status)
  }

  const requests = matrix('requests')
  for (const [name, cells] of Object.entries(requests)) it(name, () => row(name, cells, (token) => exchange(name, token)))

  it('every route of docs/openapi.yaml has its row', () => {
    const api = require('yaml').parse(readFileSync(join(source, 'docs/openapi.yaml'), 'utf8'))
    const rows = Object.keys(requests).map((name) => name.replace(/\?.*/, '').replace(/nodes\/n\d/, 'nodes/{uid}').replace(/resources\/\w+/, 'resources/{name}'))
    for (const [path, operations] of Object.entries(api.paths)) {
      for (const method of Object.keys(operations)) {
        if (['get', 'put', 'post', 'delete', 'patch'].includes(method)) assert.ok(rows.includes(`${method.toUpperCase()} ${path}`), `${method} ${path}`)
      }
    }
  })

  /** What a client of pyaiot's wire is refused with, or sees. */
  async function pyaiotJoin(token) {
    const client = broker.socket('/ws', undefined, token)
    const opened = await client.opened
    if (opened !== 'open') return String(opened)
    client.send({ type: 'new', data: 'client' })
    await client.wait((m) => m.type === 'update' && m.uid === 'n2')
    await client.close()
    return 'yes'
  }
  let serial = 0
  async function pyaiotWrite(token) {
    const client = broker.socket('/ws', undefined, token)
    const opened = await client.opened
    if (opened !== 'open') return String(opened)
    const payload = `write ${++serial}`
    const dropped = () => broker.get('/metrics', broker.bearer(tokens.viewer)).then(({ text }) => Number(/aiot_updates_dropped_total\{[^}]*not_allowed[^}]*\} (\d+)/.exec(text)?.[1] ?? 0))
    const before = await dropped()
    client.send({ type: 'update', data: { uid: 'n1', endpoint: 'led', payload } })
    const said = await until('a write or a drop', async () => (gateway.asked.some((m) => m.value === payload) ? 'yes' : (await dropped()) > before ? 'no' : undefined))
    await client.close()
    return said
  }
  async function subscribe(token, nodes) {
    const client = await broker.follower(token)
    if (client.refused) return client.refused
    client.send({ type: 'subscribe', id: 1, nodes })
    const [answer] = await client.wait((m) => (m.type === 'snapshot' && m.last) || m.type === 'refused' || m.error)
    const text = JSON.stringify(client.messages.filter((m) => m.type === 'snapshot'))
    await client.close()
    if (answer.type !== 'snapshot') {
      assert.match(JSON.stringify(answer), /unauthorized/)
      return 'no'
    }
    const sees = (what) => text.includes(what)
    if (sees('n1') && !sees('n2') && !sees('n3') && sees('led') && !sees('temperature') && !sees('20°C')) return 'part'
    return sees('n2') && sees('temperature') ? 'yes' : text
  }
  async function ask(token, message) {
    const client = await broker.follower(token)
    if (client.refused) return client.refused
    client.send({ id: 9, ...message })
    const [{ error }] = await client.wait((m) => m.type === 'result')
    await client.close()
    if (error) assert.equal(error.code, 'unauthorized')
    return error ? 'no' : 'yes'
  }
  async function hello(token, name) {
    const session = broker.socket('/gw', ['aiot.gateway.v1'], token)
    const opened = await session.opened
    if (opened !== 'open') return String(opened)
    session.send({ type: 'hello', version: 1, name, site: name, stream: 's', software: 'test' })
    const [answer] = await session.wait((m) => m.type === 'welcome' || m.type === 'failure')
    await session.close()
    if (answer.type === 'failure') assert.equal(answer.code, 'unauthorized')
    return answer.type === 'welcome' ? 'yes' : 'no'
  }
  async function pyaiotGateway(token) {
    const session = broker.socket('/gw', token ? ['token', token] : undefined)
    const opened = await session.opened
    if (opened === 'open') await session.close()
    return opened === 'open' ? 'yes' : String(opened)
  }

  const probes = {
    '/ws, pyaiot: new': pyaiotJoin,
    '/ws, pyaiot: a write to n1/led': pyaiotWrite,
    '/ws, aiot.client.v1: subscribe to all': (token) => subscribe(token),
    '/ws, aiot.client.v1: subscribe to n2': (token) => subscribe(token, ['n2']),
    '/ws, aiot.client.v1: read n1/led': (token) => ask(token, { type: 'read', node: 'n1', resource: 'led' }),
    '/ws, aiot.client.v1: read n1/led live': (token) => ask(token, { type: 'read', node: 'n1', resource: 'led', live: true }),
    '/ws, aiot.client.v1: write n1/led': (token) => ask(token, { type: 'write', node: 'n1', resource: 'led', value: '1' }),
    '/ws, aiot.client.v1: write n1/temperature': (token) => ask(token, { type: 'write', node: 'n1', resource: 'temperature', value: '1' }),
    '/ws, aiot.client.v1: write n2/led': (token) => ask(token, { type: 'write', node: 'n2', resource: 'led', value: '1' }),
    '/gw, aiot.gateway.v1: hello as paris': (token) => hello(token, 'paris'),
    '/gw, aiot.gateway.v1: hello as rome': (token) => hello(token, 'rome'),
    '/gw, pyaiot': pyaiotGateway,
  }
  const messages = matrix('messages')
  it('every message has its row and its probe', () => assert.deepEqual(Object.keys(messages).sort(), Object.keys(probes).sort()))
  for (const [name, cells] of Object.entries(messages)) it(name, () => row(name, cells, probes[name]))

  describe('gateways, by the key file', () => {
    const made = {
      'paris by keys': fernet(kPrivate, `${kSecret}\nparis`),
      "pyaiot's": fernet(kPrivate, kSecret),
      'rome by keys': fernet(kPrivate, `${kSecret}\nrome`),
      'other keys': fernet(Buffer.alloc(32, 7).toString('base64'), `${kSecret}\nparis`),
      'other secret': fernet(kPrivate, `${kSecret.replace('a', 'b')}\nparis`),
    }
    const probe = {
      ...probes,
      'GET /api/v1/nodes': (token) => exchange('GET /api/v1/nodes', token),
    }
    for (const [name, cells] of Object.entries(matrix('gateways'))) {
      it(name, async () => {
        for (const [column, expected] of Object.entries(cells)) assert.equal(await probe[name](made[column]), expected, `${name}, ${column}`)
      })
    }
  })

  it('events of logins are for administrators, those of nodes for those who know of them', async () => {
    await broker.request('PUT', '/api/v1/nodes/n2/resources/led', { value: '1' }, { ...broker.bearer(tokens.operator), 'content-type': 'application/json' })
    const failed = await broker.login('nobody-there', 'x')
    assert.equal(failed.status, 401)
    const types = async (who) => {
      const { json } = await broker.get('/api/v1/events?limit=1000', broker.bearer(tokens[who]))
      return json.items
    }
    await until('the event of the login', async () => (await types('admin')).some((e) => e.type === 'login_failed'))
    const seen = await types('viewer')
    assert.ok(seen.some((e) => e.type === 'write' && e.node === 'n2'))
    assert.ok(!seen.some((e) => /^(login|logout|user_added|access)/.test(e.type)))
    const scoped = await types('viewer of n1/led')
    assert.ok(scoped.some((e) => e.node === 'n1'))
    assert.ok(scoped.every((e) => e.node === 'n1' && e.type !== 'write'), JSON.stringify(scoped))
  })

  it('says who it is and may', async () => {
    const session = async (who) => (await broker.get('/api/v1/session', broker.bearer(tokens[who]))).json
    assert.deepEqual(await session('nobody'), { name: 'anonymous', role: 'none', login: false })
    const { name, ...rest } = await session('operator of n1/led')
    assert.deepEqual(rest, { role: 'operator', login: false, nodes: ['n1'], resources: ['led'] })
    assert.equal((await session('gateway')).role, 'none')
  })
})

describe('the command line at a closed broker', () => {
  it('exits 7 without the right token, and works with it', async () => {
    const broker = new GuardedBroker()
    const viewer = (await broker.token('--role', 'viewer')).token
    const operator = (await broker.token('--role', 'operator')).token
    await broker.serve()
    await broker.withNodes()
    const aiot = (token, ...args) => run([...args, '--broker', `http://127.0.0.1:${broker.port}`, '--timeout', '5s'], { env: { ...process.env, AIOT_TOKEN: token } })
    const expect = async (code, token, ...args) => {
      const ended = await aiot(token, ...args)
      assert.equal(ended.code, code, `${args}: ${ended.stderr}`)
      for (const secret of [viewer, operator]) assert.ok(!ended.stderr.includes(secret) && !ended.stdout.includes(secret))
    }
    for (const command of [['nodes'], ['get', 'n1/led'], ['observe', '--count', '1', 'n1/led'], ['put', 'n1/led', '1'], ['history', 'n1/led'], ['events'], ['gateways'], ['status']]) {
      await expect(7, '', ...command)
      await expect(7, 'aiot_unknown', ...command)
      await expect(command[0] === 'put' ? 7 : 0, viewer, ...command)
      await expect(0, operator, ...command)
    }
    await expect(7, operator, 'forget', 'n3')
    await broker.end()
  })
})
