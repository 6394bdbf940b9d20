// The dashboard behind a login: who may see it, what each role is offered, and what becomes of it when a login ends.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { AnyNode } from './peers.mjs'
import { launch, Stage } from './stage.mjs'

describe('behind a login', () => {
  const stage = new Stage()
  const users = join(stage.state, 'users')
  let browser, node

  const aiot = async (args, input) => {
    const { code, stderr } = await run(['users', ...args, '--users-file', users], { input })
    assert.equal(code, 0, stderr)
  }
  before(async () => {
    for (const [name, role] of [['ada', 'admin'], ['olga', 'operator'], ['vic', 'viewer']]) {
      await aiot(['add', name, '--role', role, '--password-file', '-'], `password of ${name}\n`)
    }
    await stage.serveBroker('--users-file', users)
    await stage.serveGateway('paris', '--coap', 'off', '--ws', '127.0.0.1:8001', '--mqttsn', 'off')
    node = new AnyNode('ws://127.0.0.1:8001/node?uid=lamp', { name: 'Lamp', led: '0', temperature: '21°C' })
    await node.opened
    browser = await launch()
  })
  after(async () => {
    node?.close()
    await browser?.close()
    await stage.end()
  })

  async function fill(page, user) {
    await page.getByLabel('User').fill(user)
    await page.getByLabel('Password').fill(`password of ${user}`)
    await page.getByRole('button', { name: 'Log in' }).click()
  }
  const led = (page) => page.locator('[data-resource="led"]')
  /** A page of its own that shows the node. */
  async function enter(user) {
    const page = await stage.open(browser)
    await page.goto(`${stage.url}?by=${user}`)
    await page.waitForURL(/\/login\?next=/)
    await fill(page, user)
    await page.waitForURL(`${stage.url}?by=${user}`)
    await stage.live(page)
    await page.evaluate(() => (location.hash = '#/nodes'))
    await page.locator('[data-uid]').click()
    await led(page).and(page.locator('[data-state="live"]')).waitFor()
    return page
  }
  const count = (page, id) => page.getByTestId(id).count()

  it('says who is logged in, and an operator writes and names but does not forget', async () => {
    const page = await enter('olga')
    await page.getByTestId('user').getByText('olga', { exact: true }).waitFor()
    await led(page).getByRole('switch').click()
    await led(page).locator('[data-write="confirmed"]').waitFor()
    await page.getByTestId('label').fill('floor=1')
    await page.getByRole('button', { name: 'Add label' }).click()
    await page.locator('[data-label="floor"]').waitFor()
    assert.equal(await count(page, 'forget'), 0)
    await page.context().close()
  })

  it('a viewer is offered nothing that would be refused', async () => {
    const page = await enter('vic')
    await page.getByTestId('user').getByText('vic', { exact: true }).waitFor()
    const toggle = led(page).getByRole('switch')
    await until('the switch to be disabled', () => toggle.isDisabled())
    assert.equal(await led(page).getByTitle('You may look, but not write').count(), 1)
    for (const id of ['edit', 'label', 'forget']) assert.equal(await count(page, id), 0, id)
    await page.evaluate(() => (location.hash = '#/nodes'))
    await page.getByTestId('found').getByText('1 node').waitFor()
    assert.equal(await count(page, 'group-write'), 0)
    await page.context().close()
  })

  it('an administrator forgets nodes, and logging out ends every tab', async () => {
    const page = await enter('ada')
    await page.getByTestId('forget').waitFor()
    const other = await page.context().newPage()
    await other.goto(`${stage.url}#/operations`)
    await stage.live(other)
    await page.getByTestId('log-out').click()
    await page.waitForURL(`${stage.url}login`)
    assert.deepEqual(await page.context().cookies(), [])
    await other.waitForURL(/\/login\?next=/)
    await fill(other, 'ada')
    await other.waitForURL(`${stage.url}#/operations`)
    await stage.live(other)
    await page.context().close()
  })

  it('goes to the login page when its user is removed, and the next one comes back to where it was', async () => {
    const page = await enter('olga')
    const shown = page.url()
    await aiot(['remove', 'olga'])
    await page.waitForURL(/\/login\?next=/)
    await fill(page, 'vic')
    await page.waitForURL(shown)
    await page.getByTestId('user').getByText('vic', { exact: true }).waitFor()
    await page.context().close()
  })

  it('a showcase is open to everybody, and says where one may log in', async () => {
    await stage.broker.end()
    stage.brokerArguments = ['--users-file', users, '--anonymous', 'viewer']
    await stage.serveBroker()
    const page = await stage.open(browser)
    await page.goto(`${stage.url}#/nodes`)
    await page.locator('[data-uid]').click()
    await led(page).and(page.locator('[data-state="live"]')).waitFor()
    assert.ok(await led(page).getByRole('switch').isDisabled())
    assert.equal(await count(page, 'user'), 0)
    const shown = page.url()
    await page.getByTestId('log-in').click()
    await page.waitForURL(/\/login\?next=/)
    await fill(page, 'ada')
    await page.waitForURL(shown)
    await page.getByTestId('forget').waitFor()
    await until('the switch to be enabled', () => led(page).getByRole('switch').isEnabled())
    await page.context().close()
  })

  it('broke no rule on the way', () => {
    assert.deepEqual(stage.problems.filter((problem) => !/\b401\b/.test(problem)), [])
  })
})
