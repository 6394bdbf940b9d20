// What is wrong now, and the operations view: seen as it happens, against the real broker and gateways.
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { run, until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

const kGateway = { address: '127.0.0.1', port: 5683 }
const kSvg = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><rect width="1" height="1" fill="#00f"/></svg>'

describe('what is wrong now', () => {
  const stage = new Stage()
  let browser, page, lyon, doomed, twin

  before(async () => {
    writeFileSync(join(stage.state, 'logo.svg'), kSvg)
    await stage.serveBroker('--title', 'Station <7>', '--logo', join(stage.state, 'logo.svg'), '--favicon', join(stage.state, 'logo.svg'))
    await stage.serveGateway('paris', '--coap', '127.0.0.1:5683', '--max-time', '4s')
    lyon = await stage.serveGateway('lyon', '--coap', '127.0.0.1:5684', '--max-time', '60s')
    stage.simulate('coap', '--nodes', '3', '--interval', '500ms', '--resources', 'name,temperature,led')
    doomed = stage.simulate('coap', '--nodes', '7', '--first', '100', '--base', '127.2.0.1', '--interval', '500ms', '--resources', 'temperature')
    stage.simulate('coap', '--gateway', '127.0.0.1:5684', '--nodes', '2', '--first', '200', '--base', '127.3.0.1', '--resources', 'temperature')
    browser = await launch()
    page = await stage.open(browser)
    await page.goto(stage.url)
    await tile('live', '12')
  })
  after(async () => {
    twin?.stop()
    await browser?.close()
    await stage.end()
  })

  const tile = (name, text) => page.locator(`[data-tile="${name}"] .figure`).getByText(text, { exact: true }).waitFor({ timeout: 60_000 })
  const problem = (gateway, kind) => page.locator(`[data-gateway="${gateway}"] [data-problem="${kind}"]`)
  const show = (hash) => page.evaluate((to) => (location.hash = to), hash)

  it('is nothing while all is well', async () => {
    await page.getByTestId('well').getByText('Nothing is wrong').waitFor()
    await tile('gateways', '2/2')
    await until('updates', async () => Number(await page.locator('[data-tile="rate"] .figure').textContent()) > 0)
  })

  it('carries the name and pictures that the operator gave', async () => {
    await page.getByRole('link', { name: 'Station <7>' }).waitFor()
    assert.equal(await page.title(), 'Attention · Station <7>')
    await until('the logo', () => page.locator('.brand img').evaluate((image) => image.complete && image.naturalWidth > 0 && image.src.endsWith('brand/logo')))
    assert.ok((await page.locator('link[rel="icon"]').getAttribute('href')).endsWith('brand/favicon'))
  })

  it('names nodes that went out, at their gateway', async () => {
    await doomed.end('SIGKILL')
    await problem('paris', 'out').getByRole('link', { name: 'sim-10' }).first().waitFor({ timeout: 30_000 })
    await tile('out', '7')
    await problem('paris', 'out').getByRole('link', { name: 'Show all 7' }).click()
    await page.getByTestId('found').getByText('7 of 12 nodes').waitFor()
    await page.goBack()
  })

  it('tells a write that was refused', async () => {
    await run(['put', '--broker', stage.url.replace('http', 'ws'), 'sim-0/temperature', '99'])
    await problem('paris', 'refused_write').getByText('4.05').waitFor()
  })

  it('tells nodes that restart again and again, and two that claim one name', async () => {
    twin = await new CoapNode('127.9.0.1', { led: '0' }).start()
    await twin.post(kGateway, '/alive', 'alive:restless')
    for (let i = 0; i < 3; i += 1) await twin.post(kGateway, '/alive', 'reset:restless')
    await problem('paris', 'resetting').getByRole('link', { name: 'restless' }).waitFor()
    const second = await new CoapNode('127.9.0.2', { led: '0' }).start()
    await second.post(kGateway, '/alive', 'alive:restless')
    await problem('paris', 'conflict').waitFor()
    second.stop()
  })

  it('tells a gateway that is away and its stale nodes, and forgets it when it is back', async () => {
    await lyon.end('SIGKILL')
    await problem('lyon', 'gateway_down').waitFor()
    await problem('lyon', 'stale').getByRole('link', { name: 'sim-200' }).waitFor()
    await tile('gateways', '1/2')
    await stage.serveGateway('lyon', '--coap', '127.0.0.1:5684', '--max-time', '60s')
    await problem('lyon', 'stale').waitFor({ state: 'detached', timeout: 30_000 })
    await problem('lyon', 'gateway_down').waitFor({ state: 'detached', timeout: 30_000 })
  })

  it('puts events away that were seen, also after the page is loaded again', async () => {
    await page.getByTestId('mark-seen').click()
    await problem('paris', 'refused_write').waitFor({ state: 'detached' })
    await page.reload()
    await problem('paris', 'out').waitFor()
    assert.equal(await problem('paris', 'refused_write').count(), 0)
  })

  it('shows gateways, the ledger and events in the operations view', async () => {
    await show('#/operations')
    const row = page.locator('tr[data-gateway="paris"]')
    await row.getByText('connected').waitFor()
    await row.getByText(/^aiot \d/).waitFor()
    await until('a rate', async () => /\d/.test(await row.locator('td').nth(3).textContent()), 20_000)
    await page.getByTestId('ledger').getByText('Balanced').waitFor()
    await until('a total', async () => Number((await page.locator('[data-total="received"] dd').textContent()).replace(/\D/g, '')) > 0)
    for (const type of ['joined', 'out', 'gateway_down', 'gateway_up']) await page.locator(`[data-event="${type}"]`).first().waitFor()
    await page.locator('[data-events="writes"]').click()
    await page.locator('[data-event="joined"]').first().waitFor({ state: 'detached' })
    await page.locator('[data-event="write"]').first().waitFor()
    await page.locator('[data-events="problems"]').click()
    await page.locator('[data-event="uid_conflict"]').waitFor()
    await page.getByTestId('find-events').fill('no such event')
    await page.getByText('No event matches.').waitFor()
    await page.getByTestId('find-events').fill('')
    await page.locator('[data-events=""]').click()
    const before = await page.locator('[data-event="write"]').count()
    await run(['put', '--broker', stage.url.replace('http', 'ws'), 'sim-0/led', '1'])
    await until('the event as it happens', async () => (await page.locator('[data-event="write"]').count()) > before)
  })

  it('shows nothing as live while the broker is away, and goes on when it is back', async () => {
    await show('#/nodes/sim-0')
    await page.locator('[data-resource="led"][data-state="live"]').waitFor()
    await stage.broker.end('SIGKILL')
    await page.getByTestId('lost').waitFor()
    await page.getByTestId('stale').waitFor()
    await page.locator('[data-resource="led"][data-state="stale"]').waitFor()
    await page.getByTestId('count').getByText(/^0 of/).waitFor()
    await show('#/')
    await page.getByTestId('away').waitFor()
    await tile('live', '0')
    assert.equal(await page.getByTestId('well').count(), 0)
    await show('#/operations')
    await page.locator('tr[data-gateway="paris"]').getByText('was connected').waitFor()
    await show('#/nodes?q=sim-0')
    await page.locator('[data-uid="sim-0"].stale').waitFor()
    await show('#/nodes/sim-0')
    assert.ok(await page.locator('[data-resource="led"]').getByRole('switch').isDisabled())
    await stage.serveBroker()
    await page.locator('[data-resource="led"][data-state="live"]').waitFor({ timeout: 60_000 })
    await show('#/')
    await tile('live', '5')
    await show('#/operations')
    await page.locator('[data-event="gateway_up"]').first().waitFor({ timeout: 30_000 })
  })

  it('shows ages by the broker’s clock where the browser’s is off', async () => {
    const late = await stage.open(browser)
    await late.clock.install({ time: Date.now() + 5 * 3_600_000 })
    await late.goto(stage.url)
    await late.getByTestId('clock').waitFor()
    await late.goto(`${stage.url}#/nodes/sim-0`)
    await until('an age of seconds', async () => /sec|now/.test(await late.locator('[data-fact="heard"] dd').textContent()))
    await late.context().close()
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(stage.problems, [])
  })
})
