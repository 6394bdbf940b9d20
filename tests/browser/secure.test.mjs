// The dashboard over https and wss: it loads, logs in with a cookie that is Secure, and values come live.
import assert from 'node:assert/strict'
import { createHash, X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { Authority } from '../support/certificates.mjs'
import { daemon, run, scratch } from '../support/process.mjs'
import { launch } from './stage.mjs'

describe('the dashboard over TLS', () => {
  const authority = new Authority()
  const good = authority.issue('broker')
  const folder = scratch()
  const users = join(folder, 'users')
  const problems = []
  const sockets = []
  let both, browser, context, page, url, coap
  const post = (path, text) => run(['-m', 'post', '-e', text, `coap://127.0.0.1:${coap}/${path}`], { command: 'coap-client-notls' })
  before(async () => {
    const added = await run(['users', 'add', 'ada', '--role', 'operator', '--users-file', users, '--password-file', '-'], { input: 'correct-horse\n' })
    assert.equal(added.code, 0, added.stderr)
    both = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.1:0', '--name', 'paris', '--key-file', join(folder, 'keys'),
      '--state-dir', join(folder, 'state'), '--users-file', users, '--tls-cert', good.pem])
    url = `https://localhost:${both.listeners.https.port}`
    coap = both.listeners.coap.port
    await post('alive', 'alive:n1')
    await post('server', 'temperature:21')
    // Chromium takes no authority from the command line, but a server's key.
    const key = new X509Certificate(readFileSync(good.cert)).publicKey.export({ type: 'spki', format: 'der' })
    browser = await launch({ args: [`--ignore-certificate-errors-spki-list=${createHash('sha256').update(key).digest('base64')}`] })
    context = await browser.newContext()
    page = await context.newPage()
    page.on('console', (message) => message.type() === 'error' && !/\b401\b/.test(message.text()) && problems.push(message.text()))
    page.on('websocket', (socket) => sockets.push(socket.url()))
    page.on('request', (request) => request.url().startsWith(url) || /^(data|blob):/.test(request.url()) || problems.push(request.url()))
  })
  after(async () => {
    await browser?.close()
    await both?.end()
  })

  it('logs in with a cookie for this host and TLS alone', async () => {
    await page.goto(`${url}/`)
    await page.getByLabel('User').fill('ada')
    await page.getByLabel('Password').fill('correct-horse')
    await page.getByRole('button', { name: 'Log in' }).click()
    await page.waitForURL(`${url}/`)
    const [cookie, ...more] = await context.cookies()
    assert.deepEqual([cookie.name, cookie.secure, cookie.httpOnly, cookie.sameSite, cookie.path, more], ['__Host-aiot_login', true, true, 'Strict', '/', []])
    assert.equal(await page.evaluate(() => isSecureContext), true)
  })

  it('is live over wss', async () => {
    await page.getByTestId('connection').getByText('Live').waitFor()
    await page.getByRole('link', { name: 'Nodes', exact: true }).click()
    await page.locator('[data-uid="n1"]').click()
    const value = page.locator('[data-resource="temperature"]')
    await value.getByText('21').first().waitFor()
    await post('server', 'temperature:47')
    await value.getByText('47').first().waitFor()
    assert.deepEqual([...new Set(sockets)], [`${url.replace('https', 'wss')}/ws`])
    assert.deepEqual(problems, [])
  })

  it('is not shown by a broker whose certificate nobody has signed', async () => {
    const other = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--key-file', join(folder, 'keys'), '--state-dir', 'off', '--tls-cert', authority.issue('stranger').pem])
    const tab = await context.newPage()
    await assert.rejects(tab.goto(`https://localhost:${other.listeners.https.port}/`), /ERR_CERT_AUTHORITY_INVALID/)
    await tab.close()
    assert.equal((await other.end()).code, 0)
  })
})
