// The dashboard in headless Chromium, against the real broker, gateway and simulated nodes.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { daemon, Process, bin, run, scratch, until } from '../support/process.mjs'

const require = createRequire(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../package.json'))
const { chromium } = require('playwright-core')

const kChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const kNode = '127.1.0.1' // where the simulator puts its first node

describe('the dashboard', () => {
  let state, broker, gateway, nodes, browser, page, url
  const problems = []

  const simulate = async (...args) => {
    const process = new Process(bin, [
      'simulate', 'coap', '--gateway', '127.0.0.1:5683', '--interval', '500ms',
      '--resources', 'name,temperature,led', ...args,
    ])
    return process
  }

  const serveGateway = () => daemon([
    'serve-gateway', '--broker', url.replace('http', 'ws'), '--coap', '127.0.0.1:5683', '--name', 'paris',
    '--max-time', '4s', '--key-file', join(state, 'keys'), '--state-dir', join(state, 'g'),
  ])

  before(async () => {
    state = scratch()
    const keys = join(state, 'keys')
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', keys, '--state-dir', join(state, 'b')])
    url = `http://127.0.0.1:${broker.listeners.http.port}/`
    gateway = await serveGateway()
    browser = await chromium.launch({
      executablePath: kChromium,
      args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
    })
    page = await browser.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error') problems.push(message.text())
    })
    page.on('pageerror', (error) => problems.push(String(error)))
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith(url.replace('http', 'ws')) && !request.url().startsWith('data:'))
        problems.push(`request to another host: ${request.url()}`)
    })
    await page.goto(url)
  })
  after(async () => {
    await browser?.close()
    await nodes?.end()
    await gateway?.end()
    await broker?.end()
  })

  const value = (name) => page.locator(`[data-resource="${name}"] [data-testid="value"]`)

  it('says that there are no nodes yet, and that it is connected', async () => {
    await page.getByTestId('connection').getByText('Live').waitFor()
    await page.getByText('No nodes yet').waitFor()
  })

  it('shows a node as it appears', async () => {
    nodes = await simulate('--nodes', '2')
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
    await page.getByText(kNode).waitFor()
    await page.getByText('CoAP', { exact: true }).last().waitFor()
    await page.getByText('paris').waitFor()
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
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`)
    await page.getByRole('button', { name: 'All nodes' }).click()
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
    await page.getByTestId('theme').click()
    assert.equal(await background(), light)
  })

  it('says that the gateway of a node is away, and sees it come back', async () => {
    await page.locator('[data-uid="sim-0"]').click()
    await gateway.end('SIGKILL')
    await page.getByTestId('stale').waitFor()
    assert.ok(await page.locator('[data-resource="led"]').getByRole('switch').isDisabled())
    gateway = await serveGateway()
    await page.getByTestId('stale').waitFor({ state: 'detached', timeout: 20_000 })
    const before = await value('temperature').textContent()
    await until('another temperature', async () => (await value('temperature').textContent()) !== before)
  })

  it('shows a node going out', async () => {
    await page.locator('[data-uid="sim-0"]').click()
    await nodes.end()
    nodes = undefined
    await page.getByTestId('out').waitFor({ timeout: 20_000 })
    await page.getByTestId('count').getByText('0 nodes').waitFor({ timeout: 20_000 })
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(problems, [])
  })

  it('says that the broker is gone, and comes back with it', async () => {
    const port = broker.listeners.http.port
    await broker.end('SIGKILL')
    await page.getByTestId('connection').getByText('Connection lost').waitFor()
    broker = await daemon(['serve-broker', '--listen', `127.0.0.1:${port}`, '--key-file', join(state, 'keys'), '--state-dir', join(state, 'b')])
    await page.getByTestId('connection').getByText('Live').waitFor({ timeout: 30_000 })
  })
})
