// The dashboard in headless Chromium, against the real broker, gateway and simulated nodes: what a person does first.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

const kNode = '127.1.0.1' // where the simulator puts its first node

describe('the dashboard', () => {
  const stage = new Stage()
  const { problems } = stage
  let gateway, nodes, browser, page

  const simulate = (...args) => stage.simulate('coap', '--interval', '500ms', '--resources', 'name,temperature,led', ...args)
  const serveGateway = () => stage.serveGateway('paris', '--coap', '127.0.0.1:5683', '--max-time', '4s')

  before(async () => {
    await stage.serveBroker()
    gateway = await serveGateway()
    browser = await launch()
    page = await stage.open(browser)
    await page.goto(stage.url)
  })
  after(async () => {
    await browser?.close()
    await stage.end()
  })

  const value = (name) => page.locator(`[data-resource="${name}"] [data-testid="value"]`)
  const show = (hash) => page.evaluate((to) => (location.hash = to), hash)

  it('says that there are no nodes yet, and that it is connected', async () => {
    await page.getByTestId('connection').getByText('Live').waitFor()
    await page.getByText('No nodes yet').waitFor()
    await page.getByRole('link', { name: 'Nodes', exact: true }).click()
    await page.getByText('No nodes yet').waitFor()
  })

  it('shows a node as it appears', async () => {
    nodes = simulate('--nodes', '2')
    await page.locator('[data-uid="sim-0"]').waitFor()
    await page.locator('[data-uid="sim-1"]').waitFor()
    await page.getByTestId('count').getByText('2 nodes').waitFor()
  })

  it('finds nodes by what is typed', async () => {
    await page.getByTestId('search').fill('sim-1')
    await page.locator('[data-uid="sim-0"]').waitFor({ state: 'detached' })
    assert.equal(await page.locator('[data-uid]').count(), 1)
    await page.getByTestId('search').fill('no such thing')
    await page.getByText('No node matches.').waitFor()
    await page.getByTestId('search').fill('')
    await page.locator('[data-uid="sim-0"]').waitFor()
  })

  it('shows identity and live values of a node', async () => {
    await page.locator('[data-uid="sim-0"]').click()
    await page.getByTestId('identity').getByText(kNode).waitFor()
    await page.getByTestId('identity').getByText('CoAP', { exact: true }).waitFor()
    await page.getByTestId('identity').getByText('paris').waitFor()
    const before = await value('temperature').textContent()
    await until('another temperature', async () => (await value('temperature').textContent()) !== before)
  })

  it('toggles an LED at the node and shows what the node confirmed', async () => {
    const led = async () => (await run(['get', `coap://${kNode}/led`])).stdout.trim()
    const toggle = page.locator('[data-resource="led"]').getByRole('switch')
    const before = await led()
    await toggle.click()
    await page.locator('[data-resource="led"] [data-testid="result"].good').waitFor()
    await until('the LED at the node', async () => (await led()) !== before)
    assert.equal(await value('led').textContent(), await led())
    assert.equal(await toggle.getAttribute('aria-checked'), String((await led()) === '1'))
  })

  it('writes any value, and shows a refusal in words', async () => {
    const card = page.locator('[data-resource="temperature"]')
    await card.getByTestId('edit').click()
    await card.getByTestId('draft').fill('99°C')
    await card.getByRole('button', { name: 'Write', exact: true }).click()
    await card.locator('[data-testid="result"].bad').getByText('4.05').waitFor()
  })

  it('works at 360 pixels, with a way back to the list', async () => {
    await page.setViewportSize({ width: 360, height: 740 })
    const overflow = await page.evaluate(() => Math.max(document.documentElement.scrollWidth, document.querySelector('main').scrollWidth) - window.innerWidth)
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`)
    await page.getByRole('link', { name: 'All nodes' }).click()
    await page.locator('[data-uid="sim-1"]').waitFor()
    await page.setViewportSize({ width: 1200, height: 800 })
  })

  it('has a light and a dark theme', async () => {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor)
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await background()
    await page.emulateMedia({ colorScheme: 'dark' })
    const dark = await background()
    assert.notEqual(light, dark)
    await page.getByTestId('theme').click() // from the system's to light
    assert.equal(await background(), light)
  })

  it('says that the gateway of a node is away, and sees it come back', async () => {
    await show('#/nodes/sim-0')
    await page.locator('[data-resource="led"]').waitFor()
    await gateway.end('SIGKILL')
    await page.getByTestId('stale').waitFor()
    assert.ok(await page.locator('[data-resource="led"]').getByRole('switch').isDisabled())
    gateway = await serveGateway()
    await page.getByTestId('stale').waitFor({ state: 'detached', timeout: 20_000 })
    const before = await value('temperature').textContent()
    await until('another temperature', async () => (await value('temperature').textContent()) !== before)
  })

  it('shows a node going out', async () => {
    await nodes.end()
    nodes = undefined
    await page.getByTestId('out').waitFor({ timeout: 20_000 })
    await page.getByTestId('count').getByText('0 of 2 nodes live').waitFor({ timeout: 20_000 })
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(problems, [])
  })

  it('says that the broker is gone, and comes back with it', async () => {
    await stage.broker.end('SIGKILL')
    await page.getByTestId('connection').getByText('Connection lost').waitFor()
    await page.getByTestId('lost').waitFor()
    await stage.serveBroker()
    await page.getByTestId('connection').getByText('Live').waitFor({ timeout: 30_000 })
  })
})
