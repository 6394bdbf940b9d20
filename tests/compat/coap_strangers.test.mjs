// What the gateway's CoAP port sends to those who may not be who they say: no more than they sent, until they have
// shown that they hear it. Everybody gets everything in the end.
import assert from 'node:assert/strict'
import dgram from 'node:dgram'
import { createRequire } from 'node:module'
import { after, before, describe, it } from 'node:test'
import { CoapNode } from '../support/coap_node.mjs'
import { daemon, run } from '../support/process.mjs'

const require = createRequire(import.meta.url)
const coap = require('coap')
const { generate, parse } = require('coap-packet')

const gatewayAddress = { address: '127.0.0.1', port: 5683 }
const kAllowance = 32
const kPing = 4
const kRegistrations = 40

/** A socket that never answers, and what it got. */
class Mute {
  async start() {
    this.bytes = 0
    this.answers = []
    this.socket = dgram.createSocket('udp4')
    this.socket.on('message', (datagram) => {
      this.bytes += datagram.length
      const packet = parse(datagram)
      if (packet.code === '0.00') return
      this.answers.push(packet)
      this.wake?.()
    })
    await new Promise((resolve) => this.socket.bind(0, '127.0.0.1', resolve))
    return this
  }

  /** Sends a GET; the answer and the sizes of both, pings included. */
  async get(path, { confirmable, messageId, block, query = [] }) {
    const options = path.split('/').filter(Boolean).map((segment) => ({ name: 'Uri-Path', value: Buffer.from(segment) }))
    for (const item of query) options.push({ name: 'Uri-Query', value: Buffer.from(item) })
    if (block !== undefined) options.push({ name: 'Block2', value: blockValue(block) })
    const request = generate({ code: 'GET', messageId, token: Buffer.from([messageId & 0xff]), confirmable, options })
    const before = this.bytes
    this.answers.length = 0
    let timer
    const answered = new Promise((resolve, reject) => {
      this.wake = resolve
      timer = setTimeout(() => reject(new Error(`no answer to GET ${path}`)), 10_000)
    })
    this.socket.send(request, gatewayAddress.port, gatewayAddress.address)
    await answered
    clearTimeout(timer)
    return { answer: this.answers[0], sent: request.length, received: this.bytes - before }
  }
}

const blockValue = (number) => {
  const value = number << 4 // blocks of 16 bytes
  return value < 256 ? Buffer.from([value]) : Buffer.from([value >> 8, value & 0xff])
}
const blockOf = (packet) => {
  const option = packet.options.find((one) => one.name === 'Block2')
  assert.ok(option, 'the answer is not block-wise')
  const value = option.value.length ? option.value.readUIntBE(0, option.value.length) : 0
  return { number: value >> 4, more: (value & 8) !== 0, size: 16 << (value & 7) }
}

function get(url) {
  return new Promise((resolve, reject) => {
    const request = coap.request(url)
    request.on('response', (response) => resolve({ code: response.code, text: response.payload.toString() }))
    request.on('error', reject)
    request.end()
  })
}

describe('strangers at the CoAP port', () => {
  let gateway, node, links, lookup
  before(async () => {
    gateway = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.1:5683',
      '--metrics', '127.0.0.1:0', '--name', 'paris'])
    node = await new CoapNode('127.3.0.7', { temperature: '23°C' }).start()
    for (let i = 0; i < kRegistrations; ++i) {
      const answer = await node.request(gatewayAddress, 'POST', '/rd', `</sensors/temperature-${i}>;rt=temperature`,
        { query: [`ep=node-${i}`], contentFormat: 40 })
      assert.equal(answer.code, '2.01', answer.payload)
    }
    links = (await node.request(gatewayAddress, 'GET', '/.well-known/core')).payload
    lookup = (await get('coap://127.0.0.1/rd-lookup/res')).text
    assert.ok(links.length > 200 && lookup.split(',').length === kRegistrations, 'there is something to ask for')
  })
  after(async () => {
    node?.stop()
    await gateway?.end()
  })

  for (const [path, whole] of [['/.well-known/core', () => links], ['/rd-lookup/res', () => lookup]]) {
    for (const confirmable of [true, false]) {
      it(`get ${path} in small blocks when they answer no ping (${confirmable ? 'CON' : 'NON'})`, async () => {
        const mute = await new Mute().start()
        let text = ''
        let total = { sent: 0, received: 0 }
        for (let number = 0, more = true; more; ++number) {
          const { answer, sent, received } = await mute.get(path, { confirmable, messageId: 100 + number, block: number || undefined })
          // The ping may be repeated while later blocks come.
          assert.ok(received <= sent + kAllowance + 2 * kPing, `block ${number}: ${received} bytes for ${sent}`)
          total = { sent: total.sent + sent + kAllowance, received: total.received + received }
          const block = blockOf(answer)
          assert.deepEqual([answer.code, block.number, block.size], ['2.05', number, 16])
          text += answer.payload.toString('latin1')
          more = block.more
        }
        assert.equal(Buffer.from(text, 'latin1').toString(), whole())
        assert.ok(total.received <= total.sent + 2 * kPing)
        mute.socket.close()
      })
    }
  }

  it('are told at once what is wrong, and that they must say alive', async () => {
    const stranger = await new CoapNode('127.3.0.9', {}).start()
    const answer = await stranger.post(gatewayAddress, '/server', 'temperature:1')
    assert.equal(answer.code, '4.04')
    assert.match(answer.payload, /\/alive/)
    stranger.stop()
  })

  it("get everything at once when they are npm's coap, which answers pings", async () => {
    const answer = await get('coap://127.0.0.1/.well-known/core')
    assert.deepEqual([answer.code, answer.text], ['2.05', links])
  })

  it('get everything when they are aiot', async () => {
    const found = await run(['discover', 'coap://127.0.0.1', '--json'])
    assert.equal(found.code, 0, found.stderr)
    assert.equal(found.stdout.split('\n').filter(Boolean).length, links.split('>').length - 1)
    const directory = await run(['get', 'coap://127.0.0.1/rd-lookup/res'])
    assert.equal(directory.stdout, `${lookup}\n`)
  })

  it('are counted when their answers were cut', async () => {
    const { port } = gateway.listeners.metrics
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    const count = Number(/^aiot_coap_reduced_answers_total (\d+)$/m.exec(text)?.[1])
    assert.ok(count >= 4, text)
  })
})
