// What the dashboard decides without a page: quoting for shells, ranges, pictures, positions, attitudes.
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run } from '../support/process.mjs'

const web = join(process.env.AIOT_SOURCE_DIR ?? join(import.meta.dirname ?? '.', '../..'), 'web')
// The bundler that Vite brings along reads TypeScript.
const { build } = createRequire(join(web, 'package.json'))('esbuild')

async function load(path) {
  const { outputFiles } = await build({ entryPoints: [join(web, 'src', path)], bundle: true, format: 'esm', write: false, logLevel: 'error' })
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`)
}

describe('commands', () => {
  const at = (url) => (globalThis.document = { baseURI: url })

  it('quotes any text as one word of a shell', async () => {
    const { quote } = await load('commands.ts')
    const texts = ['plain', '', 'two words', "it's", '$HOME `id` $(id) "x" \\', '-n', '~', '=ls', '*?[a]', 'line\nline\ttab', "'\n'", '\u001b[31m\u0007', 'a\u202eb', 'é°C 日本', '#!x;&|<>', '{a,b}', '\\n', '\u00a0']
    const { stdout } = await run(['-c', `for word in ${texts.map(quote).join(' ')}; do printf '%s\\0' "$word"; done`], { command: 'bash' })
    assert.deepEqual(stdout.split('\0').slice(0, -1), texts)
    assert.ok(!/[\u0000-\u001f\u202e]/.test(texts.map(quote).join('')), 'nothing hidden is left in the line')
  })

  it('labels and lists nodes', async () => {
    const { labelCommand, nodesCommand } = await load('commands.ts')
    at('https://broker.example/iot/')
    const broker = '--broker wss://broker.example/iot'
    assert.equal(labelCommand(['n 1'], 'room', "Bob's"), `aiot label ${broker} 'n 1' 'room=Bob'\\''s'`)
    assert.equal(labelCommand(['a', 'b'], 'room', ''), `for uid in a b; do aiot label ${broker} "$uid" room-; done`)
    const all = { q: '', state: '', protocol: '', gateway: '', label: '' }
    assert.equal(nodesCommand(all), `aiot nodes ${broker}`)
    assert.equal(nodesCommand({ q: ' -x', state: 'out', protocol: 'CoAP', gateway: 'paris', label: 'room=a b' }), `aiot nodes ${broker} --state out --protocol CoAP --gateway paris --label 'room=a b' --query=-x`)
  })

  it('names the broker, also behind a path', async () => {
    const { getCommand, putCommand, historyCommand } = await load('commands.ts')
    at('http://127.0.0.1:8000/')
    assert.equal(getCommand('n1', 'led'), 'aiot get aiot://127.0.0.1:8000/n1/led')
    assert.equal(getCommand('a/b', 'x y%'), 'aiot get aiot://127.0.0.1:8000/a%2Fb/x%20y%25')
    assert.equal(putCommand('n1', 'led', '-5'), 'aiot put aiot://127.0.0.1:8000/n1/led -5')
    assert.equal(putCommand('n1', 'led', '@file'), 'printf %s @file | aiot put aiot://127.0.0.1:8000/n1/led -')
    assert.equal(putCommand('n1', 'led', '-'), 'printf %s - | aiot put aiot://127.0.0.1:8000/n1/led -')
    at('http://broker.example/')
    assert.equal(getCommand('n1', 'led'), 'aiot get aiot://broker.example:80/n1/led')
    at('https://broker.example/')
    assert.equal(getCommand('n1', 'led'), 'aiot get aiots://broker.example/n1/led')
    at('https://broker.example/iot/')
    assert.equal(getCommand('n1', 'led'), 'aiot get --broker wss://broker.example/iot n1/led')
    const range = { from: new Date(0), to: new Date(60_000), step: 60 }
    assert.equal(
      historyCommand([{ uid: 'a', resource: 'x' }, { uid: 'b', resource: 'y' }], range),
      'aiot history --broker wss://broker.example/iot --since 1970-01-01T00:00:00.000Z --until 1970-01-01T00:01:00.000Z --step 60s a/x b/y',
    )
  })
})

describe('ranges', () => {
  const now = 1_000_000_000

  it('pan and zoom, and never go beyond the present', async () => {
    const { boundsOf, pan, zoom, stepFor } = await load('charts/range.ts')
    assert.deepEqual(boundsOf({ last: 60 }, now), { from: now - 60_000, to: now })
    const back = pan({ last: 60 }, -0.5, now)
    assert.deepEqual(back, { from: now - 90_000, to: now - 30_000 })
    assert.deepEqual(pan(back, 0.5, now), { last: 60 })
    assert.deepEqual(zoom({ last: 60 }, 0.5, now), { last: 30 })
    assert.deepEqual(zoom(back, 0.5, now), { from: now - 75_000, to: now - 45_000 })
    assert.ok(boundsOf(zoom(back, 1e9, now), now).to <= now)
    assert.equal(stepFor({ from: 0, to: 900_000 }, 600), 0)
    assert.equal(stepFor({ from: 0, to: 86_400_000 }, 600), 300)
  })
})

describe('values', () => {
  it('are pictures by their bytes, not by their name', async () => {
    const { pictureOf } = await load('widgets/image.ts')
    const png = Buffer.concat([Buffer.from('89504e470d0a1a0a', 'hex'), Buffer.alloc(20)]).toString('base64')
    assert.equal(pictureOf('', png), `data:image/png;base64,${png}`)
    assert.equal(pictureOf(`data:image/svg+xml;base64,${png}`, null), `data:image/png;base64,${png}`)
    assert.equal(pictureOf(png, null), `data:image/png;base64,${png}`)
    assert.equal(pictureOf(`data:image/png;base64,${Buffer.from('<svg onload=alert(1)/>').toString('base64')}`, null), null)
    assert.equal(pictureOf('plain text', null), null)
  })

  it('are positions in the usual spellings, if they are on earth', async () => {
    const { positionOf } = await load('map/position.ts')
    const paris = { lat: 48.85, lng: 2.35 }
    for (const text of ['{"lat":48.85,"lng":2.35}', '{"latitude":"48.85","longitude":2.35}', '[48.85,2.35]', '48.85, 2.35', '(48.85°; 2.35°)', '{"lat":48.85,"lon":2.35}'])
      assert.deepEqual(positionOf(text), paris, text)
    for (const text of ['', '48.85', '{"lat":null,"lng":null}', '{"lat":91,"lng":0}', '[1]', '{"lat":"x","lng":1}', 'null', '[[1,2],[3,4]]', '{"lat":48'])
      assert.equal(positionOf(text), null, text)
  })

  it('turn a body as it lies', async () => {
    const { anglesOf, attitudeOf, imuOf } = await load('widgets/imu.ts')
    const lying = (acc, mag) => {
      const { roll, pitch, heading } = anglesOf(attitudeOf({ acc, mag, gyro: null }))
      return [roll, pitch, heading].map((angle) => Math.round(angle) + 0)
    }
    assert.deepEqual(lying([0, 0, 980], [0, 200, -300]), [0, 0, 0])
    assert.deepEqual(lying([0, 0, 980], [-200, 0, -300]), [0, 0, 90])
    assert.deepEqual(lying([-980, 0, 0], [0, 200, 0]), [90, 0, 0])
    assert.deepEqual(lying([0, 693, 693], null), [0, 45, 0])
    assert.equal(attitudeOf({ acc: [0, 0, 0], mag: null, gyro: null }), null)
    assert.deepEqual(imuOf([{ type: 'gyro', values: [1, 2, 3] }, { type: 'acc', values: [4, 5, 6] }]), { acc: [4, 5, 6], gyro: [1, 2, 3], mag: null })
    assert.deepEqual(imuOf({ accelerometer: [1, 2, 3] }), { acc: [1, 2, 3], gyro: null, mag: null })
    for (const bad of [null, 1, 'x', [], [null], { acc: [1, 2] }, { acc: [1, 2, '3'] }, [{ type: 'acc', values: [1, NaN, 2] }]]) assert.equal(imuOf(bad), null)
  })

  it('are what the joystick of ribot sends', async () => {
    const { ofKeys, payload, withinCircle } = await load('widgets/joystick.ts')
    assert.equal(payload({ x: 0, y: 0 }), '0:0:0\n')
    assert.equal(payload(withinCircle(0, -3)), '0:-255:-255\n')
    assert.equal(payload(withinCircle(1, 0)), '-255:0:-255\n')
    assert.equal(payload(ofKeys(['ArrowUp', 'ArrowRight'])), '-180:-180:-360\n')
    assert.equal(payload(ofKeys(['ArrowUp', 'ArrowDown'])), '0:0:0\n')
  })

  it('lose nothing that hides or reorders', async () => {
    const { clamp, visibleText } = await load('text.ts')
    assert.equal(visibleText('a\u0000b\u007fc\u202ed\n\te'), 'a␀b␡c‹202E›d\n\te')
    assert.equal(clamp('ab😀', 3), 'ab')
  })
})
