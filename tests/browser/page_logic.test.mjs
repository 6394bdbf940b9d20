// What the pages decide without a browser: addresses, filters, what is wrong, boards, settings, the table of nodes.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const web = join(process.env.AIOT_SOURCE_DIR ?? join(import.meta.dirname ?? '.', '../..'), 'web')
// The bundler that Vite brings along reads TypeScript.
const { build } = createRequire(join(web, 'package.json'))('esbuild')

// As much of a browser as these modules touch when they are loaded.
const kept = new Map()
Object.assign(globalThis, {
  window: globalThis,
  addEventListener() {},
  document: { baseURI: 'http://127.0.0.1:8000/', documentElement: { dataset: {} }, hidden: false },
  location: { hash: '', origin: 'http://127.0.0.1:8000' },
  requestAnimationFrame: () => 0,
  localStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) },
})

/** Modules that are bundled together share their state. */
async function load(...paths) {
  const contents = paths.map((path, i) => `export * as m${i} from ${JSON.stringify(join(web, 'src', path))}`).join('\n')
  const { outputFiles } = await build({ stdin: { contents, resolveDir: web, loader: 'ts' }, bundle: true, format: 'esm', write: false, logLevel: 'error', define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' } })
  const all = await import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
  return paths.map((_, i) => all[`m${i}`])
}

const kNow = 1_800_000_000_000
const told = (node, more = {}) => ({
  node, gateway: 'paris', protocol: 'CoAP', address: '', state: 'live', first_seen: kNow - 1e6, last_seen: kNow, values: [], ...more,
})
const value = (resource, text, more = {}) => ({ resource, value: text, time: kNow, ...more })

async function nodesOf(list) {
  const [{ NodeTable }] = await load('nodes.ts')
  const table = new NodeTable()
  table.open()
  table.begin(list, kNow)
  table.settle()
  return table
}

describe('addresses', () => {
  it('lead to pages and back, whatever a uid holds', async () => {
    const [{ href, parseRoute }] = await load('router.ts')
    for (const uid of ['n1', 'a/b?c=d#e', '%', 'é 日本', '\u202e<b>']) {
      const { page, id } = parseRoute(href('nodes', uid))
      assert.deepEqual([page, id], ['nodes', uid])
    }
    const { query } = parseRoute(href('nodes', '', { q: 'a&b=c', state: undefined, gateway: '' }))
    assert.deepEqual([...query], [['q', 'a&b=c']])
    assert.deepEqual(['#/node/n1', '#/', '', '#/none', '#/nodes/%E0%A4%A'].map((hash) => [parseRoute(hash).page, parseRoute(hash).id]),
      [['nodes', 'n1'], ['attention', ''], ['attention', ''], ['attention', ''], ['nodes', '%E0%A4%A']])
  })
})

describe('the table of nodes', () => {
  it('keeps what a new snapshot names, and drops the rest only when it is complete', async () => {
    const table = await nodesOf([told('a', { values: [value('x', '1'), value('y', '2')] }), told('b')])
    table.open()
    table.begin([told('a', { values: [value('x', '3')] })], kNow)
    assert.ok(table.nodes.has('b'))
    table.settle()
    assert.deepEqual([...table.nodes.keys()], ['a'])
    assert.deepEqual([...table.nodes.get('a').resources.keys()], ['x'])
  })

  it('knows a gateway that goes, resets, labels and intervals', async () => {
    const table = await nodesOf([told('a', { labels: { room: 'hall' }, stats: { interval_s: 2, resets: 1 } }), told('b', { gateway: 'lyon' })])
    table.apply({ event: 'reset', ...told('a'), time: kNow }, kNow)
    assert.deepEqual([table.nodes.get('a').resets, table.nodes.get('a').labels], [2, {}])
    table.apply({ event: 'gateway_down', gateway: 'paris', time: kNow }, kNow)
    assert.deepEqual([...table.nodes.values()].map((node) => node.state), ['stale', 'live'])
    table.apply({ node: 'b', ...value('x', '1') }, kNow + 4000)
    assert.equal(table.nodes.get('b').interval, 4000)
    table.apply({ event: 'forgotten', node: 'b', time: kNow }, kNow)
    assert.deepEqual([...table.nodes.keys()], ['a'])
  })

  it('does not believe times that lie ahead', async () => {
    const table = await nodesOf([told('a', { last_seen: kNow + 1e9, values: [value('x', '1', { time: kNow + 1e9 })] })])
    assert.equal(table.nodes.get('a').heard, kNow)
    assert.equal(table.nodes.get('a').resources.get('x').time, kNow)
  })
})

describe('lists of nodes', () => {
  it('are filtered, ordered by numbers in names, and grouped', async () => {
    const [{ NodeTable }, { arrange, facetsOf, readFilter }] = await load('nodes.ts', 'nodes/filter.ts')
    const table = new NodeTable()
    table.begin([
      told('n10', { labels: { room: 'hall' } }), told('n9', { protocol: 'MQTT', gateway: 'lyon' }), told('n1', { state: 'out' }),
      told('n2', { values: [value('board', 'SAMR21'), value('led', '0')], stats: { interval_s: 1 }, last_seen: kNow - 61_000 }),
    ], kNow)
    const list = (query) => arrange(table.nodes.values(), readFilter(new URLSearchParams(query)), kNow)
    const uids = (query) => list(query).found.map((node) => node.uid)
    assert.deepEqual(uids(''), ['n1', 'n2', 'n9', 'n10'])
    assert.deepEqual(uids('desc=1'), ['n10', 'n9', 'n2', 'n1'])
    assert.deepEqual(uids('sort=state'), ['n1', 'n2', 'n9', 'n10'])
    assert.deepEqual(uids('q=samr21 PARIS'), ['n2'])
    assert.deepEqual(uids('q=led'), ['n2'])
    assert.deepEqual(uids('label=room%3Dhall'), ['n10'])
    assert.deepEqual(uids('label=room'), ['n10'])
    assert.deepEqual(uids('state=silent'), ['n2'])
    assert.deepEqual(uids('state=nonsense&sort=nonsense&group=nonsense'), ['n1', 'n2', 'n9', 'n10'])
    assert.deepEqual(list('group=label:room').rows.map((row) => row.uid ?? `[${row.group}]`), ['[hall]', 'n10', '[]', 'n1', 'n2', 'n9'])
    assert.deepEqual(facetsOf(table.nodes.values()), { protocols: ['CoAP', 'MQTT'], gateways: ['lyon', 'paris'], labelNames: ['room'], labels: ['room', 'room=hall'] })
  })
})

describe('what is wrong', () => {
  const find = async (list, more = {}) => {
    const table = await nodesOf(list)
    const [{ findProblems }] = await load('attention/problems.ts')
    return findProblems({ nodes: table.nodes.values(), name: (node) => node.uid, events: [], gateways: null, ledger: null, now: kNow, seen: 0, resetNote: String, ...more })
  }
  const kindsOf = ({ groups }) => groups.flatMap(({ gateway, problems }) => problems.map(({ kind, count }) => `${gateway} ${kind} ${count}`))
  const event = (id, type, more = {}) => ({ id, type, time: kNow - 1000, gateway: 'paris', node: 'a', message: type, data: {}, ...more })

  it('is nothing when all is well', async () => {
    assert.deepEqual(kindsOf(await find([told('a', { stats: { interval_s: 5 } })])), [])
  })

  it('is nodes that are stale, out or silent, by gateway, the newest first and few of them', async () => {
    const list = [
      ...Array.from({ length: 8 }, (_, i) => told(`o${i}`, { state: 'out', last_seen: kNow - i * 1000 })),
      told('s', { gateway: 'lyon', state: 'stale' }),
      told('q', { stats: { interval_s: 10 }, last_seen: kNow - 61_000 }), told('r', { stats: { interval_s: 10 }, last_seen: kNow - 59_000 }),
    ]
    const found = await find(list)
    assert.deepEqual(kindsOf(found), ['paris out 8', 'paris silent 1', 'lyon stale 1'])
    assert.deepEqual(found.groups[0].problems[0].nodes.map((node) => node.uid), ['o0', 'o1', 'o2', 'o3', 'o4'])
    assert.deepEqual(found.summary, { live: 2, stale: 1, out: 8, silent: 1 })
  })

  it('is what happened lately, until it was seen', async () => {
    const resets = [1, 2, 3].map((id) => event(id, 'reset'))
    const events = [...resets, event(4, 'uid_conflict'), event(5, 'write', { data: { error: {} } }), event(6, 'write', { data: { confirmed: 'device' } }),
      event(7, 'gap', { time: kNow - 2 * 86_400_000 }), event(8, 'disk_full', { gateway: '' })]
    assert.deepEqual(kindsOf(await find([told('a')], { events })), ['paris conflict 1', 'paris resetting 1', 'paris refused_write 1', ' store 1'])
    assert.deepEqual(kindsOf(await find([told('a')], { events, seen: 8 })), ['paris resetting 1'])
  })

  it('is a gateway that is away and a ledger that does not balance', async () => {
    const gateways = [{ name: 'paris', connected: false, seen: kNow - 5000 }, { name: 'lyon', connected: true }]
    const found = await find([], { gateways, ledger: { problems: ['broker: 3 is not 4'] } })
    assert.deepEqual(kindsOf(found), [' ledger 1', 'paris gateway_down 0'])
  })
})

describe('boards', () => {
  it('survive a link, and what is not a board does not', async () => {
    const [{ decodeBoard, encodeBoard, readBoard, moved }] = await load('boards/boards.ts')
    const board = { id: 'x', name: 'Überblick 日本', items: [{ uid: 'a/b', resource: 'led', size: 'wide', chart: false }, { uid: 'c', resource: 't', size: 'card', chart: true }] }
    const { name, items } = decodeBoard(encodeBoard(board))
    assert.deepEqual({ name, items }, { name: board.name, items: board.items })
    for (const bad of ['', '%%%', 'bnVsbA', btoa('{}'), btoa('[1,[]]')]) assert.equal(decodeBoard(bad), null)
    assert.deepEqual(readBoard({ name: 'x', items: [null, 1, {}, { uid: '', resource: 'x' }, { uid: 'a', resource: 'b', size: 7 }] }).items,
      [{ uid: 'a', resource: 'b', size: 'card', chart: false }])
    assert.equal(readBoard({ name: 'x'.repeat(500), items: [] }).name.length, 100)
    assert.deepEqual(moved(['a', 'b', 'c'], 0, 2), ['b', 'c', 'a'])
    assert.deepEqual(moved(['a', 'b', 'c'], 2, 0), ['c', 'a', 'b'])
  })

  it('are kept, each resource once, and never more than fit', async () => {
    kept.clear()
    const [{ addItems, boards, createBoard, findBoard }] = await load('boards/boards.ts')
    const { id } = createBoard(' One ')
    const item = (i) => ({ uid: `n${i}`, resource: 'led', size: 'card', chart: false })
    assert.ok(addItems(id, [item(0)]) && addItems(id, [item(0)]))
    assert.equal(findBoard(id).items.length, 1)
    assert.equal(addItems(id, Array.from({ length: 200 }, (_, i) => item(i + 1))), false)
    assert.equal(JSON.parse(kept.get('aiot.boards')).length, 1)
    assert.equal(boards.value[0].name, 'One')
  })
})

describe('units', () => {
  it('are converted where they are known, with as many digits as they need', async () => {
    const [{ conversionOf, converted, decimalsFor }] = await load('units.ts')
    const shown = (number, unit, decimals, units) => {
      const to = conversionOf(unit, units)
      return to ? `${converted(number, to).toFixed(decimalsFor(decimals, to))} ${to.unit}` : `${number} ${unit}`
    }
    assert.equal(shown(21.5, '°C', 1, 'imperial'), '70.7 °F')
    assert.equal(shown(-40, '°F', 0, 'metric'), '-40 °C')
    assert.equal(shown(1013.25, 'hPa', 2, 'imperial'), '29.9213 inHg')
    assert.equal(shown(1, 'mi', 1, 'metric'), '1.6 km')
    assert.equal(shown(21.5, '°C', 1, 'sent'), '21.5 °C')
    for (const unit of ['', 'ppm', 'constructor', '__proto__']) assert.equal(conversionOf(unit, 'imperial'), undefined)
  })
})

describe('settings', () => {
  it('are read from anything', async () => {
    const [{ readSettings }] = await load('settings.ts')
    const first = { theme: 'auto', density: 'comfortable', units: 'sent', map: 'tiles', nodes: 'list', camera: '' }
    for (const bad of [null, 1, [], 'x', { theme: 'pink', camera: 7 }]) assert.deepEqual(readSettings(bad), first)
    assert.equal(readSettings({ theme: 'dark' }).theme, 'dark')
  })
})
