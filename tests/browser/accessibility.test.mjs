// Every page, wide and narrow, in both themes: axe finds nothing (WCAG 2.2 A and AA, best practices), nothing is wider
// than the window, and everything to press is large enough.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { AnyNode } from './peers.mjs'
import { launch, Stage } from './stage.mjs'

const axe = readFileSync(createRequire(import.meta.url.replace('/browser/', '/')).resolve('axe-core/axe.min.js'), 'utf8')
const kResources = 'name,os,board,vendor,version,temperature,humidity,pressure,illuminance,led,imu,position,battery'
const kBoard = {
  id: 'b0', name: 'Bench',
  items: [{ uid: 'sim-0', resource: 'temperature', size: 'wide', chart: true }, { uid: 'sim-1', resource: 'led', size: 'card' }],
}
/** A resource for each kind of widget that simulated nodes do not have. */
const kAll = {
  name: 'Everything', eco2: '1450ppm', uv: '7', robot: 's', ribot: '0:0:0', js: 'led.toggle(250)', suit_state: '4', dwnld: '43', mode: 'eco', door: 'false',
  config: JSON.stringify({ a: 1, list: [1, { deep: true }] }), text: 'A message\nof two lines', long: 'word '.repeat(2000), empty: '', nan: 'NaN',
  webcam: 'data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///ywAAAAAAQABAAACAUwAOw==', camera: 'https://192.0.2.1/x.png',
}
const kPages = {
  '#/': '[data-problem="refused_write"]',
  '#/nodes': '[data-uid="sim-0"]',
  '#/nodes?group=gateway&state=live': '[data-uid="sim-0"]',
  '#/nodes/sim-0': '[data-resource="temperature"] [data-testid="value"]',
  '#/nodes/everything': '[data-resource="js"] [data-state="ready"]',
  '#/nodes/none': '[data-testid="unknown-node"]',
  '#/boards': '[data-board="Bench"]',
  '#/boards/b0': '[data-item] [role="switch"]',
  '#/boards/b0?wall=1': '[data-item] [role="switch"]',
  [`#/charts?s=${encodeURIComponent('sim-0\ntemperature')}`]: '[data-testid="chart"][data-state="ready"]',
  '#/charts': '[data-testid="add-series"]',
  '#/boards/none': '[data-board="Bench"]',
  '#/map': '[data-testid="map"]',
  '#/operations': 'tr[data-gateway="paris"]',
  '#/settings': '[data-testid="camera"]',
}

describe('accessibility', () => {
  const stage = new Stage()
  let browser, node, everything

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateway('paris', '--coap', '127.0.0.1:5683', '--ws', '127.0.0.1:8001')
    node = new AnyNode('ws://127.0.0.1:8001/node?uid=everything', kAll)
    stage.simulate('coap', '--nodes', '2', '--interval', '500ms', '--resources', kResources)
    const broker = stage.url.replace('http', 'ws')
    await until('a node', async () => (await run(['put', '--broker', broker, 'sim-0/led', '1'])).code === 0, 30_000)
    await run(['put', '--broker', broker, 'sim-0/temperature', '99'])
    await fetch(`${stage.url}api/v1/nodes/sim-0`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ labels: { room: 'hall' } }) })
    everything = await until('every kind of widget', async () => (await (await fetch(`${stage.url}api/v1/nodes`)).json()).items.find(({ resources }) => resources.name?.value === 'Everything')?.uid)
    browser = await launch({ args: ['--enable-unsafe-swiftshader'] })
  })
  after(async () => {
    node?.close()
    await browser?.close()
    await stage.end()
  })

  const open = async (theme, width) => {
    const page = await stage.open(browser, { colorScheme: theme, viewport: { width, height: 800 }, reducedMotion: 'reduce' })
    await page.addInitScript((board) => localStorage.setItem('aiot.boards', JSON.stringify([board])), kBoard)
    await page.goto(stage.url)
    await stage.live(page)
    await page.evaluate(axe)
    return page
  }

  const check = async (page, where) => {
    const violations = await page.evaluate(async () => {
      const { violations: found } = await window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })
      return found.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map((node) => `${node.html.slice(0, 160)} (${node.any[0]?.message ?? node.all[0]?.message ?? ''})`).join('\n    ')}`)
    })
    assert.deepEqual(violations, [], where)
    const wide = await page.evaluate(() => {
      const main = document.querySelector('main')
      return Math.max(document.documentElement.scrollWidth - window.innerWidth, main.scrollWidth - main.clientWidth)
    })
    assert.ok(wide <= 0, `${where} is ${wide} pixels too wide`)
  }

  for (const theme of ['light', 'dark']) {
    for (const width of [1280, 360]) {
      it(`finds nothing at ${width} pixels in the ${theme} theme`, async () => {
        const page = await open(theme, width)
        for (const [hash, ready] of Object.entries(kPages)) {
          await page.evaluate((to) => (location.hash = to), hash.replace('everything', everything))
          await page.locator(ready).first().waitFor()
          await check(page, `${hash} at ${width} pixels in ${theme}`)
        }
        await page.context().close()
      })
    }

    it(`finds nothing in dialogs and forms in the ${theme} theme`, async () => {
      const page = await open(theme, 1280)
      const go = (to) => page.evaluate((hash) => (location.hash = hash), to)
      await page.keyboard.press('?')
      await page.getByRole('dialog').waitFor()
      await check(page, 'shortcuts')
      await page.keyboard.press('Escape')
      await go('#/nodes')
      await page.locator('[data-view="cards"]').click()
      await page.locator('.card[data-uid="sim-0"]').waitFor()
      await check(page, 'cards')
      await page.locator('[data-view="list"]').click()
      await page.getByTestId('search').fill('sim-')
      await page.getByTestId('group-write').click()
      await page.getByTestId('group-resource').selectOption('led')
      await page.getByTestId('group-value').fill('1')
      await page.getByTestId('group-send').click()
      await page.getByTestId('group-done').getByText('2 of 2 done').waitFor()
      await check(page, 'group write')
      await page.keyboard.press('Escape')
      await go('#/nodes/sim-0')
      await page.locator('[data-resource="temperature"]').getByTestId('pin').click()
      await page.getByTestId('pin-create').waitFor()
      await check(page, 'pin')
      await page.keyboard.press('Escape')
      await page.locator('[data-resource="temperature"]').getByTestId('edit').click()
      await page.getByTestId('forget').click()
      await check(page, 'write form')
      const card = page.locator('[data-resource="temperature"]')
      await card.getByTestId('expand').click()
      await card.getByTestId('compare').click()
      await card.getByTestId('range').selectOption('choose')
      await card.locator('.history-chart:not(.compact) canvas').waitFor()
      await check(page, 'chart')
      await go('#/boards/b0')
      await page.getByTestId('arrange').click()
      await check(page, 'arranging')
      await page.getByTestId('add-widgets').click()
      await page.locator('[data-pick-node="sim-0"]').click()
      await check(page, 'picker')
      await page.keyboard.press('Escape')
      await page.context().close()
    })
  }

  it('shows what is focused, and reaches everything by Tab', async () => {
    const page = await open('light', 1280)
    await page.evaluate(() => (location.hash = '#/nodes'))
    await page.locator('[data-uid="sim-0"]').waitFor()
    await page.evaluate(() => document.activeElement.blur())
    const reached = new Set()
    for (let i = 0; i < 40; i += 1) {
      await page.keyboard.press('Tab')
      const { name, outline } = await page.evaluate(() => {
        const at = document.activeElement
        return { name: at.dataset.testid ?? at.dataset.uid ?? at.textContent.trim(), outline: getComputedStyle(at).outlineStyle }
      })
      if (name !== '' && outline !== 'none') reached.add(name)
    }
    for (const name of ['Skip to content', 'Operations', 'theme', 'search', 'Silent', 'group-write', 'sim-0', 'sim-1']) assert.ok(reached.has(name), `${name} is not among ${[...reached]}`)
    await page.context().close()
  })
})
