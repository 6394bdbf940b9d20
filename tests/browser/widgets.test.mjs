// Every widget against the real broker, gateways and nodes: it shows what the node said, and its controls reach the node.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import { dirname } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { bin, run, until } from '../support/process.mjs'
import { AnyNode } from './peers.mjs'
import { launch, Stage } from './stage.mjs'

const kGateway = { address: '127.0.0.1', port: 5683 }
const kPng = 'iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mP8z8BQz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC'
const kImu = JSON.stringify([{ type: 'acc', values: [0, 0, 980] }, { type: 'mag', values: [0, 200, -300] }, { type: 'gyro', values: [1, -2, 3] }])

const kOdd = {
  name: 'Odd one', temperature: '21.5°C', tsp: '41', tlp: '12', eco2: '1450ppm', tvoc: '120ppb', uv: '7', illuminance: '300lx',
  webcam: `data:image/png;base64,${kPng}`, robot: 's', ribot: '0:0:0', js: 'led.toggle(250)\n', suit_state: '7', dwnld: '43',
  mode: 'eco', door: 'false', config: JSON.stringify({ a: 1, list: [1, { deep: true }], html: '<b>no</b>' }), text: 'A message\nof two lines',
  vendor: 'Acme', version: '1.2.3', position: '{"lat":48.85,"lng":2.35}', imu: kImu, setpoint: '20', mute: 'x',
}

describe('widgets', () => {
  const stage = new Stage()
  let browser, page, odd, uid

  const card = (resource) => page.locator(`[data-resource="${resource}"]`)
  const value = (resource) => card(resource).getByTestId('value').first()
  const kind = async (resource) => card(resource).getAttribute('data-kind')
  const outcome = (resource, state) => card(resource).locator(`[data-write="${state}"]`).waitFor({ timeout: 15_000 })
  const show = async (node) => {
    await page.goto(`${stage.url}#/node/${encodeURIComponent(node)}`)
    await page.locator('.widget').first().waitFor()
  }
  const nodes = async () => (await (await fetch(`${stage.url}api/v1/nodes`)).json()).items
  const uidOf = (name) => until(name, async () => (await nodes()).find((node) => node.resources.name?.value === name)?.uid)

  before(async () => {
    await stage.serveBroker()
    await stage.serveGateways()
    odd = new AnyNode('ws://127.0.0.1:8001/node?uid=odd', kOdd, ['mute'])
    await odd.opened
    uid = await uidOf('Odd one')
    browser = await launch({ args: ['--enable-unsafe-swiftshader'] })
    page = await stage.open(browser)
    await show(uid)
  })
  after(async () => {
    await browser?.close()
    odd?.close()
    await stage.end()
  })

  it('chooses by name and by value', async () => {
    const expected = {
      temperature: 'number', tsp: 'number', tlp: 'number', eco2: 'number', tvoc: 'number', uv: 'number', illuminance: 'number', setpoint: 'number',
      webcam: 'image', robot: 'robot', ribot: 'joystick', js: 'script', suit_state: 'suit', dwnld: 'progress', mode: 'enumeration', door: 'switch',
      config: 'json', text: 'text', vendor: 'text', version: 'text', name: 'text', position: 'position', imu: 'imu',
    }
    for (const [resource, wanted] of Object.entries(expected)) assert.equal(await kind(resource), wanted, resource)
  })

  it('shows quantities with their names, units and what they mean', async () => {
    await value('temperature').getByText('21.5').waitFor()
    await value('temperature').getByText('°C').waitFor()
    await card('tsp').getByRole('heading', { name: 'Small particles' }).waitFor()
    await value('tsp').getByText('µg/m³').waitFor()
    await value('tsp').getByText('moderate').waitFor()
    await value('eco2').getByText('1,450').waitFor()
    await value('eco2').getByText('stuffy').waitFor()
    await value('uv').getByText('high').waitFor()
    odd.report({ temperature: '22.25°C' })
    await value('temperature').getByText('22.25').waitFor()
  })

  it('draws a quantity live beside its value', async () => {
    const chart = card('temperature').getByTestId('chart').first()
    await chart.scrollIntoViewIfNeeded()
    await chart.locator('canvas').waitFor()
    const points = async () => Number(await chart.getAttribute('data-points'))
    const before = await until('points', points)
    odd.report({ temperature: '22.5°C' })
    await until('one more point', async () => (await points()) > before)
  })

  for (const protocol of ['coap', 'ws', 'mqtt', 'mqttsn']) {
    it(`switches an LED at a ${protocol} node, and shows what the node said`, async () => {
      const number = { coap: 10, ws: 20, mqtt: 30, mqttsn: 40 }[protocol]
      stage.simulate(protocol, '--nodes', '1', '--first', String(number), '--resources', 'name,led')
      await show(await uidOf(`Simulated node ${number}`))
      const toggle = card('led').getByRole('switch')
      assert.equal(await toggle.getAttribute('aria-checked'), 'false')
      await toggle.click()
      await outcome('led', 'confirmed')
      await until('the LED is on', async () => (await toggle.getAttribute('aria-checked')) === 'true')
      assert.equal(await value('led').textContent(), '1')
      await toggle.focus()
      await page.keyboard.press('Space')
      await until('the LED is off', async () => (await toggle.getAttribute('aria-checked')) === 'false')
    })
  }

  it('shows a text, a JSON tree that opens, and a picture', async () => {
    await show(uid)
    assert.equal(await value('text').textContent(), 'A message\nof two lines')
    await value('config').getByText('<b>no</b>').waitFor()
    await value('config').locator('summary').last().click()
    await value('config').getByText('true').waitFor()
    const picture = card('webcam').locator('img')
    await until('the picture', () => picture.evaluate((image) => image.complete && image.naturalWidth === 10))
  })

  it('shows a position on a map of its own, and fetches no tiles', async () => {
    await value('position').getByText('48.85000°, 2.35000°').waitFor()
    await card('position').locator('[data-testid="map"][data-nodes="1"]').waitFor()
    assert.ok((await card('position').locator('.graticule').count()) > 2)
  })

  it('shows an inertial unit: lines, angles and a body that turns', async () => {
    await value('imu').getByText('980').waitFor()
    await card('imu').getByText('roll 0°, pitch 0°, heading 0°').waitFor()
    const canvas = card('imu').getByTestId('imu-body')
    await canvas.waitFor()
    const before = await canvas.screenshot()
    odd.report({ imu: kImu.replace('[0,0,980]', '[-980,0,0]') })
    await card('imu').getByText('roll 90°').waitFor()
    await until('a body that turned', async () => !(await canvas.screenshot()).equals(before))
  })

  it('shows where a firmware update stands', async () => {
    await value('suit_state').getByText('Downloading').waitFor()
    assert.equal(await card('suit_state').locator('progress').getAttribute('value'), '43')
    assert.equal(await card('dwnld').locator('progress').getAttribute('value'), '43')
    odd.report({ suit_state: ' 10' })
    await value('suit_state').getByText('The image is damaged').waitFor()
  })

  it('writes a state that was seen before, and a boolean in the words of its node', async () => {
    odd.report({ mode: 'boost' })
    await card('mode').getByRole('button', { name: 'eco' }).click()
    await odd.written('mode', 'eco')
    await outcome('mode', 'confirmed')
    await card('door').getByRole('switch').click()
    await odd.written('door', 'true')
  })

  it('drives a robot by buttons and by keys', async () => {
    for (const [name, sent] of [['Forward', 'u'], ['Left', 'l'], ['Right', 'r'], ['Stop', 's']]) {
      odd.writes.length = 0
      await card('robot').getByRole('button', { name, exact: true }).click()
      await odd.written('robot', sent)
    }
    odd.writes.length = 0
    await page.keyboard.press('ArrowUp')
    await odd.written('robot', 'u')
  })

  it('drives with a joystick by pointer and by keys, and stops when it is let go', async () => {
    const stick = card('ribot').getByTestId('stick')
    await stick.scrollIntoViewIfNeeded()
    const { x, y, width, height } = await stick.boundingBox()
    odd.writes.length = 0
    await page.mouse.move(x + width / 2, y + height / 2)
    await page.mouse.down()
    await page.mouse.move(x + width / 2, y, { steps: 3 })
    await odd.written('ribot', '0:-255:-255\n')
    await page.mouse.up()
    await until('a stop', () => odd.writes.at(-1)?.[1] === '0:0:0\n')
    odd.writes.length = 0
    await stick.focus()
    await page.keyboard.down('ArrowRight')
    await odd.written('ribot', '-255:0:-255\n')
    await page.keyboard.up('ArrowRight')
    await until('a stop', () => odd.writes.at(-1)?.[1] === '0:0:0\n')
  })

  it('sends a script as it was edited', async () => {
    await card('js').locator('[data-testid="script-editor"][data-state="ready"]').waitFor()
    const text = card('js').locator('.cm-content')
    await text.click()
    await page.keyboard.press('Control+End')
    await page.keyboard.type('print("<1>")')
    await card('js').getByTestId('send-script').click()
    await until('the script', () => odd.writes.some(([name, got]) => name === 'js' && got.startsWith('led.toggle(250)\nprint("<1>")')))
    await outcome('js', 'confirmed')
  })

  it('writes any value to anything, and says what became of it', async () => {
    const write = async (resource, text) => {
      await card(resource).getByTestId('edit').click()
      await card(resource).getByTestId('draft').fill(text)
      await card(resource).getByRole('button', { name: 'Write', exact: true }).click()
    }
    await write('setpoint', '-21.5')
    await odd.written('setpoint', '-21.5')
    await outcome('setpoint', 'confirmed')
    await value('setpoint').getByText('-21.5').waitFor()
    await write('mute', 'anybody?')
    await card('mute').locator('[data-write="sending"]').waitFor()
    assert.equal(await value('mute').textContent(), 'x')
    await card('mute').locator('[data-write="timeout"], [data-write="unknown"]').waitFor({ timeout: 20_000 })
    assert.equal(await value('mute').textContent(), 'x')
  })

  it('says with which code a node refused', async () => {
    const coap = await new CoapNode('127.2.0.1', { name: 'Stubborn', led: '0', speed: '3' }, { writable: [] }).start()
    await coap.post(kGateway, '/alive', 'alive:stubborn')
    await show(await uidOf('Stubborn'))
    await card('led').getByRole('switch').click()
    await card('led').locator('[data-write="refused"]').getByText('4.05').waitFor()
    assert.equal(await card('led').getByRole('switch').getAttribute('aria-checked'), 'false')
    assert.ok(coap.requests.includes('PUT /led'))
    coap.stop()
  })

  it('shows pictures and CBOR as a CoAP node sends them', async (t) => {
    t.after(() => coap.stop())
    const coap = new CoapNode('127.2.0.2', { name: 'Binary', snapshot: '', settings: '', blob: '' })
    const bodies = {
      '/snapshot': [23, Buffer.from(kPng, 'base64')],
      '/settings': [60, Buffer.from('a2657370656564036466616e73f5', 'hex')], // {"speed": 3, "fans": true}
      '/blob': [42, Buffer.from('fffe0001', 'hex')],
    }
    coap.answer = (packet, method, path) => bodies[path] && { code: '2.05', contentFormat: bodies[path][0], payload: bodies[path][1] }
    await coap.start()
    await coap.post(kGateway, '/alive', 'alive:binary')
    await show(await uidOf('Binary'))
    const picture = card('snapshot').locator('img')
    await until('the picture', async () => (await picture.count()) === 1 && picture.evaluate((image) => image.naturalWidth === 10))
    await value('settings').getByText('speed').waitFor()
    await card('blob').getByText('4 bytes that are neither text nor a picture').waitFor()
  })

  it('copies commands that do the same in a shell', async () => {
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write'])
    await show(uid)
    const copied = async (button) => {
      await button.click()
      return page.evaluate(() => navigator.clipboard.readText())
    }
    const env = { ...process.env, PATH: `${dirname(bin)}:${process.env.PATH}` }
    const shell = async (line) => (await run(['-c', line], { command: 'bash', env })).stdout
    assert.equal(await shell(await copied(card('text').getByRole('button', { name: 'Copy as command' }))), 'A message\nof two lines\n')
    const put = await copied(card('door').getByRole('button', { name: 'Copy the write as command' }))
    odd.writes.length = 0
    await shell(put)
    await odd.written('door', 'false')
  })

  it('shows nothing of a node that is not live as if it were', async () => {
    odd.close()
    await card('door').locator('.state').getByText('out').waitFor()
    assert.ok(await card('door').getByRole('switch').isDisabled())
    assert.ok(await card('robot').getByRole('button', { name: 'Stop' }).isDisabled())
    assert.ok(await card('text').getByTestId('edit').isDisabled())
  })

  describe('bad values', () => {
    const long = '<script>alert(1)</script>'.repeat(2600).slice(0, 65_000)
    const bad = {
      name: 'Bad one', markup: '<img src=x onerror="window.hacked=1"><b>bold</b>', controls: 'a\u0007b\u001b[31mc\u202edesrever\u202c', arabic: 'مرحبا بالعالم 123',
      'na<b>me': '1', [`${'n'.repeat(200)}`]: '2', long, nan: 'NaN', infinite: '1e999', empty: '', imu: '[{"type":"acc","values":[1,"x",null]}]', position: '{"lat":123,"lng":}',
      json: '{"open":', deep: `${'['.repeat(30)}1${']'.repeat(30)}`, webcam: `data:image/svg+xml;base64,${Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>window.hacked=1</script></svg>').toString('base64')}`,
      camera: 'http://192.0.2.1/snapshot.jpg', picture: `data:image/png;base64,${Buffer.from('no picture at all, but text').toString('base64')}`, led: 'banana', suit_state: '99', dwnld: '-5e9', robot: '', ribot: 'x'.repeat(1000), js: '</script>', mode: 'a b c',
    }
    let node

    before(async () => {
      node = new AnyNode('ws://127.0.0.1:8001/node?uid=bad', bad)
      await node.opened
      await show(await uidOf('Bad one'))
    })
    after(() => node?.close())

    it('are text, and break nothing', async () => {
      for (const resource of Object.keys(bad)) await page.locator(`[data-resource=${JSON.stringify(resource)}]`).waitFor()
      await value('markup').getByText('<img src=x onerror="window.hacked=1"><b>bold</b>').waitFor()
      assert.equal(await value('controls').textContent(), 'a␇b␛[31mc‹202E›desrever‹202C›')
      assert.equal(await value('arabic').textContent(), 'مرحبا بالعالم 123')
      await value('nan').getByText('NaN').waitFor()
      await value('json').getByText('{"open":').waitFor()
      await value('led').getByText('banana').waitFor()
      await value('empty').getByText('(empty)').waitFor()
      await value('position').getByText('{"lat":123,"lng":}').waitFor()
      assert.equal(await card('webcam').locator('img').count(), 0)
      assert.equal(await card('camera').locator('img').count(), 0)
      assert.equal(await page.evaluate(() => window.hacked), undefined)
      assert.equal(await page.locator('.failure').count(), 0)
    })

    it('are shown in part when they are long', async () => {
      assert.ok((await value('long').textContent()).length < 300)
      await card('long').getByRole('button', { name: /characters/ }).click()
      await until('more of it', async () => (await value('long').textContent()).length === 20_000)
    })

    it('do not make the page wider than a phone', async () => {
      await page.setViewportSize({ width: 360, height: 740 })
      const over = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
      assert.ok(over <= 0, `the page is ${over} pixels too wide`)
      await page.setViewportSize({ width: 1280, height: 800 })
    })

    it('may change into others and back', async () => {
      node.report({ nan: '12', led: '1', json: '{"open":true}' })
      await value('nan').getByText('12').waitFor()
      await card('led').getByRole('switch').waitFor()
      await until('a tree', async () => (await kind('json')) === 'json')
      node.report({ nan: 'NaN', led: 'kiwi' })
      await value('nan').getByText('NaN').waitFor()
      await value('led').getByText('kiwi').waitFor()
    })
  })

  describe('pictures of other hosts', () => {
    const own = new Stage()
    const asked = []
    let server, node

    before(async () => {
      server = createServer((request, response) => {
        asked.push(request.url)
        response.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from(kPng, 'base64'))
      })
      await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
      const other = `http://127.0.0.1:${server.address().port}`
      await own.serveBroker('--map-tiles', `${other}/{z}/{x}/{y}.png`, '--camera', `${other}/camera.png`)
      await own.serveGateway('rome', '--ws', '127.0.0.1:8002', '--coap', 'off', '--mqttsn', 'off')
      node = new AnyNode('ws://127.0.0.1:8002/node?uid=seen', { name: 'Seen', position: '[45, 5]', webcam: `${other}/node.png`, photo: 'http://127.0.0.9:1/x.png' })
      await node.opened
    })
    after(async () => {
      node?.close()
      await own.end()
      server?.close()
    })

    it('are loaded where the operator named them, and nowhere else', async () => {
      const there = await own.open(browser)
      await there.goto(`${own.url}#/map`)
      await there.locator('[data-testid="map"][data-nodes="1"] img.leaflet-tile-loaded').first().waitFor()
      await there.getByTestId('camera-view').locator('img').waitFor()
      assert.ok(asked.some((path) => /^\/\d+\/\d+\/\d+\.png$/.test(path)) && asked.includes('/camera.png'))
      const { items } = await (await fetch(`${own.url}api/v1/nodes`)).json()
      await there.goto(`${own.url}#/node/${items[0].uid}`)
      const picture = there.locator('[data-resource="webcam"] img')
      await until('the picture', async () => (await picture.count()) === 1 && picture.evaluate((image) => image.naturalWidth === 10))
      await there.locator('[data-resource="photo"]').getByText('--allow-images').waitFor()
      assert.deepEqual(own.problems.filter((problem) => !problem.includes(`:${server.address().port}/`)), [])
    })
  })

  it('never broke the content security policy, asked another host or logged an error', () => {
    assert.deepEqual(stage.problems, [])
  })
})
