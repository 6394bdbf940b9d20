// The list of nodes and the page of one, with nodes of all four protocols: finding, ordering, grouping, labels, writes
// to many, events; and thousands of nodes and hostile ones.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { run, until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

const { WebSocket } = createRequire(import.meta.url.replace('/browser/', '/'))('ws')

describe('the list of nodes', () => {
  const stage = new Stage()
  let browser, page

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateways()
    stage.simulate('coap', '--nodes', '6', '--resources', 'name,os,board,temperature,led')
    for (const [at, protocol] of ['ws', 'mqtt', 'mqttsn'].entries())
      stage.simulate(protocol, '--nodes', '2', '--first', String((at + 1) * 100), '--resources', 'name,board,temperature,led')
    browser = await launch()
    page = await stage.open(browser)
    await page.goto(`${stage.url}#/nodes`)
    await page.getByTestId('found').getByText('12 nodes').waitFor({ timeout: 60_000 })
  })
  after(async () => {
    await browser?.close()
    await stage.end()
  })

  const shownUids = () => page.locator('[data-uid]').evaluateAll((all) => all.map((node) => node.dataset.uid))
  const found = (count) => page.getByTestId('found').getByText(new RegExp(`^${count} (of [\\d,]+ )?nodes?$`)).waitFor()
  const show = (hash) => page.evaluate((to) => (location.hash = to), hash)

  it('shows the nodes of all four protocols and both gateways', async () => {
    const text = await page.getByRole('list', { name: 'Nodes' }).innerText()
    for (const word of ['CoAP', 'WebSocket', 'MQTT', 'MQTT-SN', 'paris', 'lyon']) assert.match(text, new RegExp(`^${word}$`, 'm'))
  })

  it('searches names, protocols, gateways, boards and resources', async () => {
    for (const [words, count] of [['mqtt-sn', 2], ['lyon', 4], ['coap sim-3 paris', 1], ['iotlab-m3 paris', 8], ['os', 6]]) {
      await page.getByTestId('search').fill(words)
      await found(count)
    }
    await page.getByTestId('search').fill('nothing at all')
    await page.getByText('No node matches.').waitFor()
    await page.getByRole('button', { name: 'Clear search and filters' }).click()
    await found(12)
  })

  it('filters, sorts and groups, and keeps that in the address', async () => {
    await page.locator('[data-filter="gateway"]').selectOption('paris')
    await found(8)
    await page.locator('[data-filter="protocol"]').selectOption('CoAP')
    await found(6)
    await page.getByRole('button', { name: 'Ascending' }).click()
    await until('the last first', async () => (await shownUids())[0] === 'sim-5')
    await page.reload()
    await found(6)
    assert.deepEqual(await shownUids(), ['sim-5', 'sim-4', 'sim-3', 'sim-2', 'sim-1', 'sim-0'])
    await show('#/nodes?group=protocol')
    await page.getByRole('heading', { name: 'MQTT-SN' }).waitFor()
    assert.deepEqual(await page.getByRole('list', { name: 'Nodes' }).getByRole('heading').allInnerTexts(), ['CoAP', 'MQTT', 'MQTT-SN', 'WebSocket'])
    await page.locator('[data-state="out"]').click()
    await found(0)
    await show('#/nodes')
    await found(12)
  })

  it('is a list or cards, as the person last chose', async () => {
    await page.locator('[data-view="cards"]').click()
    await page.locator('.card[data-uid="sim-0"]').waitFor()
    await page.reload()
    await page.locator('.card[data-uid="sim-0"]').waitFor()
    await page.locator('[data-view="list"]').click()
  })

  it('is used by keyboard alone', async () => {
    await page.locator('main').focus()
    await page.keyboard.press('/')
    assert.ok(await page.getByTestId('search').evaluate((field) => field === document.activeElement))
    await page.getByTestId('search').fill('sim-')
    await page.locator('[data-uid="sim-0"]').focus()
    const focused = () => page.evaluate(() => document.activeElement.dataset.uid)
    await page.keyboard.press('ArrowDown')
    await until('the next row', async () => (await focused()) === 'sim-1')
    await page.keyboard.press('End')
    await until('the last row', async () => (await focused()) !== 'sim-1')
    await page.keyboard.press('Home')
    await until('the first row', async () => (await focused()) === 'sim-0')
    await page.keyboard.press('Enter')
    await page.getByTestId('node-name').waitFor()
    await page.keyboard.press('g')
    await page.keyboard.press('o')
    await page.getByRole('heading', { name: 'Operations' }).waitFor()
    await page.keyboard.press('?')
    await page.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor()
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  it('labels a node, and lists it by its label', async () => {
    await show('#/nodes/sim-0')
    await page.getByTestId('label').fill('no equals sign')
    await page.getByRole('button', { name: 'Add label' }).click()
    await page.getByRole('alert').getByText('NAME=VALUE').waitFor()
    await page.getByTestId('label').fill('room=<b>hall</b>')
    await page.getByRole('button', { name: 'Add label' }).click()
    await page.getByRole('link', { name: 'room=<b>hall</b>' }).click()
    await found(1)
    await page.locator('[data-uid="sim-0"]').click()
    await page.getByRole('button', { name: 'Remove label room' }).click()
    await page.locator('[data-label="room"]').waitFor({ state: 'detached' })
  })

  it('labels a group, writes to it, and tells what each node said', async () => {
    await show('#/nodes?gateway=paris')
    await found(8)
    await page.getByTestId('group-write').click()
    await page.getByTestId('group-label').click()
    await page.getByTestId('group-label-name').fill('floor')
    await page.getByTestId('group-label-value').fill('2')
    await page.getByTestId('group-send').click()
    await page.getByTestId('group-done').getByText('8 of 8 done').waitFor()
    await page.keyboard.press('Escape')
    await page.locator('[data-filter="label"]').selectOption('floor=2')
    await found(8)

    await show('#/nodes?label=floor')
    await page.getByTestId('group-write').click()
    await page.getByTestId('group-resource').selectOption('led')
    await page.getByTestId('group-value').fill('1')
    await page.getByTestId('group-send').click()
    await page.getByTestId('group-done').getByText('8 of 8 done').waitFor()
    assert.equal(await page.locator('[data-target][data-state="confirmed"]').count(), 8)
    assert.equal((await run(['get', 'coap://127.1.0.1/led'])).stdout.trim(), '1')
    assert.equal((await run(['get', 'coap://127.1.0.6/led'])).stdout.trim(), '1')

    // A sensor takes no writes: CoAP nodes say so, the others do not report the value.
    await page.getByTestId('group-resource').selectOption('temperature')
    await page.getByTestId('group-send').click()
    await page.locator('[data-target="sim-0"][data-state="refused"]').getByText('4.05').waitFor()
    await page.getByTestId('group-done').getByText('8 of 8 done').waitFor({ timeout: 30_000 })
    await page.keyboard.press('Escape')
  })

  it('shows what happened to a node and the commands it got', async () => {
    await show('#/nodes/sim-0')
    await page.locator('[data-event="joined"]').waitFor()
    const writes = page.locator('[data-event="write"]')
    await writes.getByText('was confirmed by the node').first().waitFor()
    await writes.getByText('4.05').first().waitFor()
    const before = await writes.count()
    await run(['put', '--broker', stage.url.replace('http', 'ws'), 'sim-0/led', '0'])
    await until('the new command', async () => (await writes.count()) === before + 1)
    await page.getByTestId('commands-only').click()
    await page.locator('[data-event="joined"]').waitFor({ state: 'detached' })
  })

  it('forgets a node that asks for it, and hears it again', async () => {
    await show('#/nodes/sim-5')
    await page.getByTestId('forget').click()
    await page.getByTestId('forget-sure').click()
    await page.locator('[data-fact="uid"]').getByText('sim-5').waitFor({ timeout: 60_000 })
  })

  it('makes rows only of what is in view, of thousands', async () => {
    const many = stage.simulate('coap', '--nodes', '3000', '--first', '1000', '--base', '127.5.0.1', '--interval', '20s', '--resources', 'name,temperature')
    await show('#/nodes?q=sim-')
    await until('all nodes', async () => /^3,?0\d\d /.test(await page.getByTestId('found').innerText()), 60_000)
    assert.ok((await page.locator('[data-uid]').count()) < 60)
    await page.locator('[data-uid]').first().focus()
    await page.keyboard.press('End')
    await page.locator('[data-uid="sim-3999"]').waitFor()
    assert.ok((await page.locator('[data-uid]').count()) < 60)
    await many.end('SIGKILL')
  })

  it('shows hostile names and values as text, and breaks nowhere', async () => {
    const evil = '<img src=x onerror="document.title=\'owned\'">\u202eabc\u0007'
    const socket = new WebSocket('ws://127.0.0.1:8001/node?uid=evil')
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
    const data = { name: evil, '<b>x</b>': evil, long: 'x'.repeat(65_000), temperature: 'NaN', imu: '{"no', position: '[]', led: '\u202e' }
    socket.send(JSON.stringify({ type: 'update', data }))
    await show('#/nodes?q=onerror')
    await found(1)
    await page.locator('[data-uid]').click()
    await page.locator('[data-resource="long"]').waitFor()
    assert.equal(await page.locator('main img').count(), 0)
    assert.doesNotMatch(await page.title(), /owned/)
    const overflow = await page.evaluate(() => document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth)
    assert.ok(overflow <= 0, `the page is ${overflow} pixels too wide`)
    await show('#/nodes/%E0%A4%A')
    await page.getByTestId('unknown-node').waitFor()
    await show('#/no/such?page=%')
    await page.getByRole('heading', { name: 'What is wrong now' }).waitFor()
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(stage.problems, [])
  })
})
