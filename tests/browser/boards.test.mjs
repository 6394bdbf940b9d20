// Boards, the map, charts of several nodes, settings and a camera, against the real broker, gateway and nodes.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { after, before, describe, it } from 'node:test'
import { until } from '../support/process.mjs'
import { launch, Stage } from './stage.mjs'

describe('boards and settings', () => {
  const stage = new Stage()
  let browser, page, camera, asked = 0

  before(async () => {
    camera = createServer((request, response) => {
      asked += 1
      response.writeHead(200, { 'content-type': 'image/svg+xml' }).end('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>')
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => camera.once('listening', resolve))
    await stage.serveBroker('--allow-images', `http://127.0.0.1:${camera.address().port}`)
    await stage.serveGateway('paris', '--coap', '127.0.0.1:5683')
    stage.simulate('coap', '--nodes', '3', '--interval', '500ms', '--resources', 'name,temperature,humidity,led,position')
    browser = await launch()
    page = await stage.open(browser, { permissions: ['clipboard-read', 'clipboard-write'] })
    await page.goto(`${stage.url}#/nodes`)
    await page.getByTestId('found').getByText('3 nodes').waitFor({ timeout: 30_000 })
  })
  after(async () => {
    camera?.close()
    camera?.closeAllConnections()
    await browser?.close()
    await stage.end()
  })

  const show = (hash) => page.evaluate((to) => (location.hash = to), hash)
  const items = () => page.locator('[data-item] [data-resource]').evaluateAll((all) => all.map((item) => item.dataset.resource))
  const inOrder = (...wanted) => until(wanted.join(), async () => (await items()).join() === wanted.join())

  it('pins a resource from the page of a node to a new board', async () => {
    await show('#/boards')
    await page.getByText('No boards yet').waitFor()
    await show('#/nodes/sim-0')
    await page.locator('[data-resource="temperature"]').getByTestId('pin').click()
    await page.getByTestId('pin-name').fill('Bench <1>')
    await page.getByTestId('pin-create').click()
    await page.getByTestId('pinned').click()
    await page.getByRole('heading', { name: 'Bench <1>' }).waitFor()
    await inOrder('temperature')
    await page.locator('[data-resource="temperature"][data-state="live"]').waitFor()
  })

  it('takes more resources of several nodes', async () => {
    await page.getByTestId('add-widgets').click()
    for (const [uid, resource] of [['sim-1', 'led'], ['sim-2', 'humidity']]) {
      await page.getByTestId('picker-find').fill(uid)
      await page.locator(`[data-pick-node="${uid}"]`).click()
      await page.locator(`[data-pick="${resource}"]`).click()
    }
    await page.keyboard.press('Escape')
    await inOrder('temperature', 'led', 'humidity')
    await page.locator('[data-resource="led"]').getByRole('switch').click()
    await page.locator('[data-resource="led"] [data-write="confirmed"]').waitFor()
  })

  it('is arranged by keyboard', async () => {
    await page.getByTestId('arrange').click()
    const handle = page.getByRole('button', { name: /^Move temperature/ })
    await handle.focus()
    await page.keyboard.press('ArrowRight')
    await inOrder('led', 'temperature', 'humidity')
    await page.keyboard.press('End')
    await inOrder('led', 'humidity', 'temperature')
    assert.ok(await handle.evaluate((button) => button === document.activeElement))
    await page.keyboard.press('Home')
    await inOrder('temperature', 'led', 'humidity')
  })

  it('is arranged by pointer, resized and renamed', async () => {
    const from = await page.getByRole('button', { name: /^Move temperature/ }).boundingBox()
    const to = await page.locator('[data-item="2"]').boundingBox()
    await page.mouse.move(from.x + 5, from.y + 5)
    await page.mouse.down()
    await page.mouse.move(to.x + to.width / 2, to.y + to.height / 2, { steps: 8 })
    await page.mouse.up()
    await inOrder('led', 'humidity', 'temperature')
    const width = () => page.locator('[data-item="0"]').evaluate((item) => item.offsetWidth)
    const narrow = await width()
    await page.getByRole('button', { name: /^Change the size of led/ }).click()
    await until('a wider widget', async () => (await width()) > narrow)
    await page.getByRole('button', { name: /^Remove humidity/ }).click()
    await inOrder('led', 'temperature')
    await page.getByTestId('board-name').fill('Bench 2')
    await page.getByTestId('arrange').click()
    await page.getByRole('heading', { name: 'Bench 2' }).waitFor()
  })

  it('is there again when the page is', async () => {
    await page.reload()
    await inOrder('led', 'temperature')
    await show('#/boards')
    await page.locator('[data-board="Bench 2"]').click()
    await inOrder('led', 'temperature')
  })

  it('goes to another browser by a link', async () => {
    await page.getByTestId('share').click()
    await page.getByText('The link is copied').waitFor()
    const link = await page.evaluate(() => navigator.clipboard.readText())
    const other = await stage.open(browser)
    await other.goto(link)
    await other.getByRole('heading', { name: 'Bench 2' }).waitFor()
    await other.locator('[data-resource="led"][data-state="live"]').waitFor()
    await other.getByTestId('keep-board').click()
    await other.goto(`${stage.url}#/boards`)
    await other.locator('[data-board="Bench 2"]').waitFor()
    await other.goto(`${stage.url}#/boards/shared?b=nonsense`)
    await other.getByText('This link holds no board.').waitFor()
    await other.context().close()
  })

  it('fills the screen in wall mode, and leaves it by Escape', async () => {
    await page.getByTestId('wall').click()
    await page.getByRole('navigation').waitFor({ state: 'detached' })
    await page.reload()
    await inOrder('led', 'temperature')
    assert.equal(await page.getByRole('navigation').count(), 0)
    await page.keyboard.press('Escape')
    await page.getByRole('navigation').waitFor()
  })

  it('is deleted when that is meant', async () => {
    await page.getByTestId('delete-board').click()
    await page.getByTestId('delete-sure').click()
    await page.getByText('No boards yet').waitFor()
  })

  it('compares resources of several nodes in one chart, and keeps them in the address', async () => {
    await show('#/charts')
    await page.getByTestId('add-series').click()
    for (const uid of ['sim-0', 'sim-1']) {
      await page.locator(`[data-pick-node="${uid}"]`).click()
      await page.locator('[data-pick="temperature"]').click()
    }
    await page.keyboard.press('Escape')
    const points = () => page.getByTestId('chart').getAttribute('data-points')
    await until('both series', async () => Number(await points()) > 4)
    await page.reload()
    await until('both series again', async () => Number(await points()) > 4)
    assert.deepEqual(await page.evaluate(() => new URLSearchParams(location.hash.split('?')[1]).getAll('s')), ['sim-0\ntemperature', 'sim-1\ntemperature'])
  })

  it('shows all nodes on a map, without asking anybody for it', async () => {
    await show('#/map')
    await until('the nodes', async () => (await page.getByTestId('map').getAttribute('data-nodes')) === '3')
  })

  it('keeps settings', async () => {
    await show('#/settings')
    await page.getByRole('radio', { name: 'Dark' }).check()
    await page.getByRole('radio', { name: 'Compact' }).check()
    await page.reload()
    assert.ok(await page.getByRole('radio', { name: 'Dark' }).isChecked())
    assert.deepEqual(await page.evaluate(() => ({ ...document.documentElement.dataset })), { theme: 'dark', density: 'compact' })
    await page.getByTestId('reset-settings').click()
    assert.ok(await page.getByRole('radio', { name: 'As the system' }).isChecked())
  })

  it('shows quantities in the units that were chosen', async () => {
    const setting = async (name) => {
      await show('#/settings')
      await page.getByRole('radio', { name }).check()
      await show('#/nodes/sim-0')
    }
    const card = page.locator('[data-resource="temperature"]')
    const degrees = async () => Number.parseFloat(await card.getByTestId('value').textContent())
    await setting('Imperial')
    await card.getByTestId('value').getByText('°F').waitFor()
    const fahrenheit = await degrees()
    await card.getByTestId('expand').click()
    await card.locator('[data-series="sim-0/temperature"]').getByText('°F').waitFor()
    await show('#/nodes')
    await page.locator('[data-uid="sim-0"]').getByText('°F').waitFor()
    await setting('As nodes send them')
    await card.getByTestId('value').getByText('°C').waitFor()
    const celsius = await degrees()
    assert.ok(Math.abs(celsius * 1.8 + 32 - fahrenheit) < 5, `${celsius} °C, ${fahrenheit} °F`)
  })

  it('says where a camera may not be, and loads what the broker allows', async () => {
    await show('#/settings')
    const field = page.getByTestId('camera')
    await field.fill('http://192.0.2.1/live.jpg')
    await field.press('Tab')
    await page.getByText('--allow-images').waitFor()
    await field.fill(`http://127.0.0.1:${camera.address().port}/live.svg`)
    await field.press('Tab')
    await page.getByText('Empty for the broker’s own.').waitFor()
    const loaded = await page.evaluate((src) => new Promise((resolve) => {
      const image = new Image()
      image.onload = () => resolve(true)
      image.onerror = () => resolve(false)
      image.src = src
    }), `http://127.0.0.1:${camera.address().port}/probe.svg`)
    assert.ok(loaded && asked > 0)
    await page.getByTestId('reset-settings').click()
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(stage.problems.filter((problem) => !problem.includes(`:${camera.address().port}/`)), [])
  })
})
