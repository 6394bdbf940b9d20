// Logging in with a real browser: what cookies, origins, redirects and policies do there.
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import http from 'node:http'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { GuardedBroker } from './guarded_broker.mjs'

const { chromium } = createRequire(import.meta.url.replace('/integration/', '/'))('playwright-core')
const kChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)

describe('in a browser', () => {
  const broker = new GuardedBroker()
  let browser, context, page, url
  const problems = []
  before(async () => {
    await broker.user('ada', 'admin')
    await broker.serve()
    await broker.withNodes()
    url = `http://127.0.0.1:${broker.port}`
    browser = await chromium.launch({ executablePath: kChromium, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
    context = await browser.newContext()
    page = await context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error' && !/401|404/.test(message.text())) problems.push(message.text())
    })
  })
  after(async () => {
    await browser?.close()
    await broker.end()
  })

  it('the dashboard leads to the login page, which needs no script', async () => {
    const silent = await browser.newContext({ javaScriptEnabled: false })
    const tab = await silent.newPage()
    await tab.goto(`${url}/?view=n1&x=1`)
    assert.equal(new URL(tab.url()).pathname, '/login')
    await tab.getByLabel('User').fill('ada')
    await tab.getByLabel('Password').fill('password of ada')
    await tab.getByRole('button', { name: 'Log in' }).click()
    await tab.waitForURL(`${url}/?view=n1&x=1`)
    await silent.close()
  })

  it('a wrong password is told, and the page that was asked for is not forgotten', async () => {
    await page.goto(`${url}/?view=n1`)
    await page.getByLabel('User').fill('ada')
    await page.getByLabel('Password').fill('something else')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.getByRole('alert').waitFor()
    assert.deepEqual(await context.cookies(), [])
    await page.getByLabel('User').fill('ada')
    await page.getByLabel('Password').fill('password of ada')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.waitForURL(`${url}/?view=n1`)
    const [cookie] = await context.cookies()
    assert.deepEqual([cookie.name, cookie.httpOnly, cookie.sameSite, cookie.expires], ['aiot_login', true, 'Strict', -1])
    assert.equal(await page.evaluate(() => document.cookie), '')
    assert.equal(await page.evaluate(() => fetch('/api/v1/session').then((r) => r.json()).then((s) => s.name)), 'ada')
  })

  it("another site's page can neither write, nor follow, nor log out, nor show it in a frame", async () => {
    const asked = []
    const evil = http.createServer((request, response) => {
      asked.push(request.url)
      response.setHeader('content-type', 'text/html')
      response.end(`<form method="post" action="${url}/logout"><button>Win a prize</button></form><iframe src="${url}/login"></iframe>`)
    })
    await new Promise((resolve) => evil.listen(0, '127.0.0.1', resolve))
    // By another name: with the same one it would be the same site for cookies.
    const tab = await context.newPage()
    await tab.goto(`http://localhost:${evil.address().port}/`)
    const put = await tab.evaluate((to) => fetch(to, { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"value":"9"}' }).then(() => 'sent', () => 'failed'), `${url}/api/v1/nodes/n1/resources/led`)
    assert.ok(['sent', 'failed'].includes(put))
    const closed = await tab.evaluate((to) => new Promise((resolve) => {
      const socket = new WebSocket(to)
      socket.onclose = () => resolve('refused')
      socket.onopen = () => resolve('open')
    }), `${url.replace('http', 'ws')}/ws`)
    assert.equal(closed, 'refused')
    assert.ok(!tab.frames().slice(1).some((frame) => frame.url().startsWith(url)), 'it was framed')
    await tab.getByRole('button').click()
    await until('the answer to the form', () => tab.url().startsWith(`${url}/logout`))
    assert.match(await tab.content(), /origin/)
    await tab.close()
    evil.close()
    assert.equal((await context.cookies()).length, 1)
    assert.equal(await page.evaluate(() => fetch('/api/v1/nodes/n1/resources/led').then((r) => r.json()).then((n) => n.value)), '0')
  })

  it('logging out ends it everywhere', async () => {
    const other = await context.newPage()
    await other.goto(`${url}/login`)
    await other.getByText('logged in as').waitFor()
    await other.getByRole('button', { name: 'Log out' }).click()
    await other.waitForURL(`${url}/login`)
    assert.deepEqual(await context.cookies(), [])
    await page.waitForURL(/\/login\?next=/)
    assert.equal((await context.request.get(`${url}/api/v1/nodes`)).status(), 401)
    assert.deepEqual(problems, [])
  })
})
