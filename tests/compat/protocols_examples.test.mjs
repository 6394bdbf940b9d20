// The examples of docs/protocols.md, as a reader types them: each must print what the page says.
import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { blocks, Shells } from '../support/guide.mjs'
import { Mosquitto } from '../support/mosquitto.mjs'
import { until } from '../support/process.mjs'

describe('the examples of docs/protocols.md', () => {
  const shells = new Shells({ AIOT_BROKER: 'aiot://127.0.0.1' })
  const mosquitto = new Mosquitto({ config: 'log_type all' })
  mosquitto.port = 1883
  const ready = {
    broker: (shell) => shell.line(/ready/),
    gateway: async (shell) => {
      await shell.line(/connected to the broker/)
      await shell.line(/MQTT broker .* connected/)
    },
    lamp: () => mosquitto.process.line(/gateway\/lamp\/led\/set \(QoS 1\)/, 'stderr'),
    ws: (shell) => shell.line(/joined/),
  }

  before(() => mosquitto.start())
  after(async () => {
    await shells.end()
    await mosquitto.end()
  })

  const examples = blocks('protocols.md')
  it('are a dozen, of every protocol', () => {
    assert.ok(examples.filter((example) => example.kind === 'run').length >= 8)
    for (const name of ['coap', 'mqtt', 'mqttsn', 'ws']) assert.ok(examples.some((example) => example.name.startsWith(name)), name)
  })
  for (const { kind, name, script, output } of examples) {
    if (kind === 'start') {
      it(`${name} starts`, () => ready[name](shells.start(script, name)))
      continue
    }
    it(`${name} prints what the page says`, async () => {
      assert.ok(output, 'the page does not say what it prints')
      let last
      // Values take a moment from the node to the broker: the reader's next keystroke is later than ours.
      const same = until('the output', async () => (last = await shells.run(script)).stdout === output, 10_000)
      await same.catch(() => assert.equal(last.stdout, output, last.stderr))
    })
  }
})
