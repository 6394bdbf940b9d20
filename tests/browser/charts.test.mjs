// The history of resources in charts: reached, moved, compared, saved, against the real store and live nodes.
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

describe('history', () => {
  const stage = new Stage()
  const end = Date.now()
  let browser, page

  const card = (resource) => page.locator(`[data-resource="${resource}"]`)
  const chart = () => card('temperature').locator('.history-chart:not(.compact)')
  const state = () => chart().and(page.locator('[data-state="ready"]')).waitFor()
  const points = async () => Number(await chart().getAttribute('data-points'))

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateway('paris', '--coap', '127.0.0.1:5683')
    const lines = []
    for (let at = 0; at < 1440; at += 1) {
      const time = new Date(end - 86_400_000 + at * 60_000).toISOString()
      lines.push({ node: 'sim-50', resource: 'temperature', time, value: `${(20 + Math.sin(at / 100)).toFixed(2)}°C` })
      lines.push({ node: 'sim-50', resource: 'humidity', time, value: `${(50 + 5 * Math.cos(at / 100)).toFixed(2)}%` })
    }
    const response = await fetch(`${stage.url}api/v1/history`, {
      method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines.map((line) => JSON.stringify(line)).join('\n'),
    })
    assert.equal(response.status, 200)
    stage.simulate('coap', '--nodes', '1', '--first', '50', '--base', '127.3.0.1', '--interval', '300ms', '--resources', 'name,temperature,humidity,led')
    const nodes = async () => (await (await fetch(`${stage.url}api/v1/nodes`)).json()).items
    await until('the node', async () => (await nodes()).some((node) => node.resources.led))
    browser = await launch()
    page = await stage.open(browser, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.goto(`${stage.url}#/node/sim-50`)
    await card('temperature').getByTestId('expand').click()
    await state()
  })
  after(async () => {
    await browser?.close()
    await stage.end()
  })

  it('reaches back through the store, and goes on live', async () => {
    await chart().getByTestId('range').selectOption('86400')
    await until('a day of points', async () => (await points()) > 400)
    await state()
    const before = await points()
    await until('live points', async () => (await points()) > before)
    await chart().getByText('event', { exact: false }).first().waitFor()
  })

  it('zooms by a drag, pans by buttons and keys, and comes back', async () => {
    const area = await chart().locator('.u-over').boundingBox()
    await page.mouse.move(area.x + area.width * 0.4, area.y + 40)
    await page.mouse.down()
    await page.mouse.move(area.x + area.width * 0.6, area.y + 60, { steps: 4 })
    await page.mouse.up()
    await until('a fixed range', async () => (await chart().getByTestId('range').inputValue()) === 'fixed')
    await until('fewer points', async () => (await points()) < 400 && (await points()) > 100)
    const shown = () => chart().getByTestId('range').locator('option[value="fixed"]').textContent()
    const first = await shown()
    await chart().getByTestId('pan-back').click()
    await until('an earlier time', async () => (await shown()) !== first)
    await chart().locator('.plot').focus()
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    await until('the time before', async () => (await shown()) === first)
    await chart().getByTestId('to-live').click()
    await until('the present', async () => (await chart().getByTestId('range').inputValue()) === '900')
  })

  it('is moved by one finger and zoomed by two', async () => {
    const touch = await stage.open(browser, { hasTouch: true, viewport: { width: 400, height: 800 } })
    await touch.goto(`${stage.url}#/node/sim-50`)
    const there = touch.locator('[data-resource="temperature"]')
    await there.getByTestId('expand').click()
    const plot = there.locator('.history-chart:not(.compact) .plot')
    await plot.scrollIntoViewIfNeeded()
    await plot.locator('canvas').waitFor()
    const { x, y, width, height } = await plot.boundingBox()
    const client = await touch.context().newCDPSession(touch)
    const move = (type, ...at) => client.send('Input.dispatchTouchEvent', { type, touchPoints: at.map((part, id) => ({ id, x: x + width * part, y: y + height / 2 })) })
    const range = there.getByTestId('range')
    for (const part of [0.3, 0.4, 0.5, 0.6]) await move(part === 0.3 ? 'touchStart' : 'touchMove', part)
    await move('touchEnd')
    await until('an earlier time', async () => (await range.inputValue()) === 'fixed')
    const before = await range.locator('option[value="fixed"]').textContent()
    await move('touchStart', 0.3, 0.7)
    for (const apart of [0.25, 0.3, 0.35]) await move('touchMove', 0.5 - apart, 0.5 + apart)
    await move('touchEnd')
    await until('a shorter time', async () => (await range.locator('option[value="fixed"]').textContent()) !== before)
    await touch.context().close()
  })

  it('compares resources, each with its unit', async () => {
    await chart().getByTestId('range').selectOption('21600')
    await chart().getByTestId('compare').click()
    await chart().getByTestId('compare-search').fill('sim-50 hum')
    await chart().getByTestId('compare-match').first().click()
    await chart().locator('[data-series="sim-50/humidity"]').getByText('%').waitFor()
    await chart().locator('[data-series="sim-50/temperature"]').getByText('°C').waitFor()
    await chart().getByTestId('compare').click()
  })

  it('saves CSV and PNG', async () => {
    const saved = async (button) => {
      const [download] = await Promise.all([page.waitForEvent('download'), chart().getByTestId(button).click()])
      return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) }
    }
    await state()
    const csv = await saved('save-csv')
    assert.match(csv.name, /^sim-50-temperature_sim-50-humidity.*\.csv$/)
    const rows = csv.bytes.toString().trim().split('\r\n')
    assert.equal(rows[0], 'time,node,resource,value,unit,min,max')
    assert.ok(rows.some((row) => /^\d{4}-.*Z,sim-50,temperature,[\d.]+,°C/.test(row)) && rows.some((row) => /,humidity,[\d.]+,%/.test(row)))
    const png = await saved('save-png')
    assert.equal(png.bytes.subarray(1, 4).toString(), 'PNG')
    assert.ok(png.bytes.length > 5000)
  })

  it('copies the history that is shown as a command', async () => {
    await chart().getByRole('button', { name: 'Copy as command' }).click()
    const line = await page.evaluate(() => navigator.clipboard.readText())
    assert.match(line, /^aiot history --since \S+ (--step \S+ )?aiot:\S+\/sim-50\/temperature aiot:\S+\/sim-50\/humidity$/)
    const { code, stdout } = await run(line.split(' ').slice(1).concat('--json'))
    assert.equal(code, 0)
    assert.ok(stdout.includes('"resource":"humidity"'))
  })

  it('says when the store cannot be asked, and tries again', async () => {
    await page.route('**/api/v1/history**', (route) => route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"detail":"the disk is full"}' }))
    await chart().getByTestId('range').selectOption('3600')
    await chart().getByRole('alert').getByText('the disk is full').waitFor()
    await page.unroute('**/api/v1/history**')
    await chart().getByRole('button', { name: 'Try again' }).click()
    await state()
    stage.problems.splice(0, stage.problems.length, ...stage.problems.filter((problem) => !problem.includes('503')))
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(stage.problems, [])
  })
})
