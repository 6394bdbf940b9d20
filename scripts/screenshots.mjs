// What scripts/screenshots does, inside a network namespace.
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { AnyNode } from '../tests/browser/peers.mjs'
import { run, until } from '../tests/support/process.mjs'
import { launch, Stage } from '../tests/browser/stage.mjs'

const [folder, ...wanted] = process.argv.slice(2)
const kWidths = (process.env.WIDTHS ?? '360,1024,1920').split(',').map(Number)
const kThemes = (process.env.THEMES ?? 'light,dark').split(',')
const heightOf = (width) => (width < 600 ? 740 : width < 1200 ? 768 : Math.round((width * 9) / 16))
const kBoard = {
  id: 'b0', name: 'Greenhouse',
  items: [
    { uid: 'sim-0', resource: 'temperature', size: 'wide', chart: true },
    { uid: 'sim-0', resource: 'humidity', size: 'card' }, { uid: 'sim-1', resource: 'temperature', size: 'card' },
    { uid: 'sim-1', resource: 'led', size: 'card' }, { uid: 'sim-2', resource: 'pressure', size: 'card' },
  ],
}

const kPast = [
  ['sim-0', 'temperature', 26.7, 0.15, '°C'], ['sim-1', 'temperature', 24.5, 0.2, '°C'], ['sim-2', 'temperature', 24.1, 0.12, '°C'], ['sim-0', 'humidity', 48.5, 0.5, '%'],
  ['sim-0', 'pressure', 998.4, 0.1, 'hPa'], ['sim-0', 'illuminance', 860, 20, 'lx'], ['sim-0', 'battery', 3, 0.02, 'V'], ['sim-0', 'co2', 975, 12, 'ppm'],
]
const kEvery = {
  name: 'Robot in hall 2', os: 'riot', board: 'iotlab-a8-m3', vendor: 'INRIA', version: '2.1.0', temperature: '21.5°C', tsp: '41', tlp: '12', eco2: '1450ppm', tvoc: '120ppb', uv: '7',
  webcam: 'data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAYAAACNMs+9AAAAFUlEQVR42mP8z8BQz0AEYBxVSF+FABJADveWkH6oAAAAAElFTkSuQmCC',
  robot: 's', ribot: '0:0:0', js: "var led = require('led')\nsetInterval(function () {\n  led.toggle(250) // four times a second\n}, 250)\n", suit_state: '7', dwnld: '43',
  mode: 'eco', door: 'false', config: JSON.stringify({ interval: 30, sensors: ['bme280', 'ccs811'], radio: { channel: 26, power: -17 } }), text: 'Battery changed on Monday,\nnext check in March', setpoint: '20',
}

mkdirSync(folder, { recursive: true })
const stage = new Stage()
let browser
try {
  await stage.serveBroker('--title', 'Field station')
  // A day before now, so that charts have a past.
  for (const [at, [node, resource, base, swing, unit]] of kPast.entries()) {
    const lines = []
    for (let ago = 86_400; ago > 10; ago -= ago > 1800 ? 120 : 10) {
      const time = new Date(Date.now() - ago * 1000).toISOString()
      const wave = Math.sin(ago / (170 + 13 * at) + at) + 0.5 * Math.sin(ago / 61 + 2 * at) + 2 * Math.sin(ago / 14_000)
      lines.push(JSON.stringify({ node, resource, time, value: `${(base + wave * swing).toFixed(2)}${unit}` }))
    }
    const imported = await fetch(`${stage.url}api/v1/history`, { method: 'POST', headers: { 'content-type': 'application/x-ndjson' }, body: lines.join('\n') })
    if (!imported.ok) throw new Error(`no past: ${imported.status} ${await imported.text()}`)
  }
  await stage.serveGateways({ maxTime: '8s' })
  const doomed = await stage.serveGateway('nice', '--coap', '127.0.0.1:5684', '--max-time', '60s')
  const full = 'name,os,board,vendor,version,temperature,humidity,pressure,illuminance,led,imu,position,battery,co2'
  stage.simulate('coap', '--nodes', '24', '--resources', full)
  stage.simulate('ws', '--nodes', '6', '--first', '100')
  stage.simulate('mqtt', '--nodes', '8', '--first', '200')
  stage.simulate('mqttsn', '--nodes', '4', '--first', '300')
  const every = new AnyNode('ws://127.0.0.1:8001/node?uid=every', kEvery)
  await every.opened
  const lost = stage.simulate('coap', '--nodes', '3', '--first', '400', '--base', '127.2.0.1')
  const stale = stage.simulate('coap', '--gateway', '127.0.0.1:5684', '--nodes', '5', '--first', '500', '--base', '127.3.0.1')
  const nodes = async (query) => (await (await fetch(`${stage.url}api/v1/nodes?limit=1000&${query}`)).json()).items
  await until('all nodes', async () => (await nodes('state=live')).length >= 50, 60_000)
  await until('values', async () => (await nodes('q=sim-0')).some((node) => Object.keys(node.resources).length > 10), 30_000)
  for (const [uid, room] of [['sim-0', 'greenhouse'], ['sim-1', 'greenhouse'], ['sim-2', 'hall']])
    await fetch(`${stage.url}api/v1/nodes/${uid}`, { method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ labels: { room } }) })
  const broker = stage.url.replace('http', 'ws')
  await run(['put', '--broker', broker, 'sim-0/led', '1'])
  await run(['put', '--broker', broker, 'sim-0/temperature', '99'])
  await lost.end('SIGKILL')
  await until('nodes that are out', async () => (await nodes('state=out')).length >= 3, 60_000)
  await doomed.end('SIGKILL')
  await stale.end('SIGKILL')

  const everyUid = (await nodes('q=Robot')).find((node) => node.resources.name?.value === kEvery.name).uid
  // Two frames: what a reply changed is drawn, and charts have their canvas.
  const settle = (page) => page.evaluate(() => document.fonts.ready.then(() =>
    new Promise((resolve) => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(resolve)), 600))))
  const pages = {
    attention: ['#/', (page) => until('a rate', async () => Number(await page.locator('[data-tile="rate"] .figure').textContent()) > 0)],
    nodes: ['#/nodes', (page) => page.locator('[data-uid="sim-0"]').waitFor()],
    cards: ['#/nodes?group=gateway', (page) => page.locator('[data-uid]').first().waitFor(), { nodes: 'cards' }],
    node: ['#/nodes/sim-0', (page) => page.locator('[data-resource="temperature"]').waitFor()],
    board: ['#/boards/b0', (page) => page.locator('[data-item]').first().waitFor()],
    wall: ['#/boards/b0?wall=1', (page) => page.locator('[data-item] [role="switch"]').waitFor()],
    widgets: [`#/nodes/${everyUid}`, (page) => page.locator('[data-resource="js"] [data-state="ready"]').waitFor()],
    charts: [`#/charts?${new URLSearchParams([['s', 'sim-0\ntemperature'], ['s', 'sim-1\ntemperature'], ['s', 'sim-2\ntemperature']])}`, (page) => page.getByTestId('chart').waitFor()],
    map: ['#/map', (page) => page.locator('.leaflet-container').waitFor()],
    operations: ['#/operations', (page) => page.getByTestId('gateways').waitFor()],
    settings: ['#/settings', (page) => page.getByTestId('camera').waitFor()],
  }
  browser = await launch()
  for (const [name, [hash, ready, settings]] of Object.entries(pages)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue
    for (const theme of kThemes) {
      const page = await stage.open(browser, { colorScheme: theme })
      page.setDefaultTimeout(10_000)
      await page.addInitScript(([board, chosen]) => {
        localStorage.setItem('aiot.boards', JSON.stringify([board]))
        localStorage.setItem('aiot.settings', JSON.stringify(chosen))
      }, [kBoard, settings ?? {}])
      for (const width of kWidths) {
        await page.setViewportSize({ width, height: heightOf(width) })
        await page.goto(stage.url + hash)
        await page.reload()
        if (!hash.includes('wall=')) await stage.live(page) // a wall has no navigation
        await ready(page)
        await settle(page)
        await page.screenshot({ path: join(folder, `${name}-${width}-${theme}.png`) })
      }
      await page.context().close()
    }
    process.stderr.write(`${name} `)
  }
  process.stderr.write(`\n${stage.problems.length === 0 ? 'No problem was logged.' : stage.problems.join('\n')}\n`)
} finally {
  await browser?.close()
  await stage.end()
}
