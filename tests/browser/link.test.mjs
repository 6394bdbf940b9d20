// Links as they are: a slow one, one that is cut without a word, and a broker that comes back as another one.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { AnyNode, Link } from './peers.mjs'
import { launch, Stage } from './stage.mjs'

describe('links', () => {
  const stage = new Stage()
  const links = []
  let browser, node

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateway('paris', '--coap', 'off', '--ws', '127.0.0.1:8001', '--mqttsn', 'off')
    node = new AnyNode('ws://127.0.0.1:8001/node?uid=far', { name: 'Far away', led: '0', temperature: '21°C' })
    await node.opened
    browser = await launch()
  })
  after(async () => {
    node?.close()
    for (const link of links) link.close()
    await browser?.close()
    await stage.end()
  })

  const linked = async (options) => {
    const link = await new Link(stage.broker.listeners.http.port, options).open()
    links.push(link)
    return link
  }
  /** A page that reaches the broker through a link. */
  const open = async (link, hash = '') => {
    const page = await browser.newPage()
    page.on('pageerror', (error) => stage.problems.push(String(error)))
    await page.goto(link.url + hash)
    return page
  }
  const led = (page) => page.locator('[data-resource="led"]')

  it('is used over a slow one: what is under way is shown, and what was told is right', async () => {
    const link = await linked({ delayMs: 400, rate: 64_000 })
    const page = await open(link, '#/nodes')
    await page.locator('[data-uid]').click()
    const toggle = led(page).getByRole('switch')
    await toggle.click()
    await led(page).locator('[data-write="sending"]').waitFor()
    assert.equal(await toggle.getAttribute('aria-checked'), 'false')
    await led(page).locator('[data-write="confirmed"]').waitFor()
    await until('the LED is on', async () => (await toggle.getAttribute('aria-checked')) === 'true')
    await page.close()
  })

  it('is noticed when it is cut without a word: nothing is live, a write is not known, and it comes back', async () => {
    const link = await linked()
    const page = await open(link, '#/nodes')
    await page.locator('[data-uid]').click()
    await led(page).and(page.locator('[data-state="live"]')).waitFor()
    await led(page).getByRole('switch').waitFor() // its part of the page has come
    link.hold()
    await led(page).getByRole('switch').click()
    await page.getByTestId('lost').waitFor({ timeout: 40_000 })
    await led(page).and(page.locator('[data-state="stale"]')).waitFor()
    await led(page).locator('[data-write="unknown"]').waitFor()
    link.release()
    await led(page).and(page.locator('[data-state="live"]')).waitFor({ timeout: 40_000 })
    await page.close()
  })

  it('stays while nothing happens', async () => {
    const page = await open({ url: stage.url })
    await page.getByTestId('connection').getByText('Live').waitFor()
    const states = await page.evaluate(() => new Promise((resolve) => {
      const seen = new Set()
      const badge = document.querySelector('[data-testid="connection"]')
      new MutationObserver(() => seen.add(badge.textContent)).observe(badge, { childList: true, characterData: true, subtree: true })
      setTimeout(() => resolve([...seen]), 25_000) // longer than a silence and the wait for an answer
    }))
    assert.deepEqual(states, [])
    await page.close()
  })

  it('says that the broker was updated', async () => {
    const page = await open({ url: stage.url })
    await page.getByTestId('connection').getByText('Live').waitFor()
    await page.route('**/api/v1/dashboard', async (route) => {
      const response = await route.fetch()
      await route.fulfill({ response, json: { ...(await response.json()), version: '99.0' } })
    })
    await stage.broker.end('SIGKILL')
    await page.getByTestId('lost').waitFor()
    await stage.serveBroker()
    await page.getByTestId('outdated').waitFor({ timeout: 30_000 })
    await page.close()
  })

  it('never broke a page', () => {
    assert.deepEqual(stage.problems, [])
  })
})
