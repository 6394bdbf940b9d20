// What the first view costs: bytes over the wire, and the time until something stands there.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

const kMostBytes = 150_000
const kPaintMs = 1000
const kTries = 3

describe('the first view', () => {
  const stage = new Stage()
  let browser

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateway('paris', '--coap', '127.0.0.1:5683')
    stage.simulate('coap', '--nodes', '20', '--resources', 'name,temperature,led')
    await until('nodes', async () => (await (await fetch(`${stage.url}api/v1/nodes`)).json()).items.length === 20)
    browser = await launch()
  })
  after(async () => {
    await browser?.close()
    await stage.end()
  })

  /** Loads the page with an empty cache; what came of files, as sent, and when something was painted. */
  async function load(hash) {
    const page = await stage.open(browser)
    const session = await page.context().newCDPSession(page)
    await session.send('Network.enable')
    const files = new Map()
    const pending = new Set()
    let bytes = 0
    session.on('Network.requestWillBeSent', ({ requestId, request }) => request.url.includes('/assets/') && pending.add(requestId))
    session.on('Network.responseReceived', ({ requestId, response }) => files.set(requestId, response.url))
    session.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      pending.delete(requestId)
      if (!files.get(requestId)?.includes('/api/')) bytes += encodedDataLength
    })
    await page.goto(stage.url + hash)
    await stage.live(page)
    await page.locator('h1').waitFor()
    await until('all files', () => pending.size === 0)
    const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime)
    await page.context().close()
    return { bytes, painted, names: [...files.values()].map((url) => new URL(url).pathname) }
  }

  it(`takes at most ${kMostBytes / 1000} KB, and nothing that it does not need`, async (test) => {
    const { bytes, names } = await load('')
    test.diagnostic(`${bytes} bytes`)
    assert.ok(bytes > 20_000 && bytes <= kMostBytes, `${bytes} bytes: ${names.join(' ')}`)
    for (const heavy of ['PlotArea', 'MapView', 'ImuBody', 'script_editor']) assert.ok(!names.some((name) => name.includes(heavy)), `${heavy} is loaded at once`)
  })

  it(`is painted within ${kPaintMs} ms on loopback`, { skip: process.env.AIOT_SANITIZED && 'a sanitized broker is slow' }, async (test) => {
    const times = []
    for (let i = 0; i < kTries; i += 1) times.push((await load('')).painted)
    test.diagnostic(`${times.map(Math.round)} ms`)
    assert.ok(Math.min(...times) <= kPaintMs, `painted after ${times} ms`)
  })

  it('of each page takes no more than that, with its heavy parts', async (test) => {
    for (const hash of ['#/nodes', '#/nodes/sim-0', '#/operations', '#/boards', '#/settings']) {
      const { bytes } = await load(hash)
      test.diagnostic(`${hash} ${bytes} bytes`)
      assert.ok(bytes <= kMostBytes, `${hash} takes ${bytes} bytes`)
    }
  })
})
