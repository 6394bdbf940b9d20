// Five thousand MQTT-SN clients at once, each connected, subscribed and publishing at QoS 1.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { bin, daemon, Process, scratch, until } from '../support/process.mjs'

const NODES = 5000

describe('five thousand MQTT-SN clients', () => {
  let broker, gateway, simulation
  const state = scratch()
  const flags = ['--key-file', join(state, 'keys')]

  before(async () => {
    broker = await daemon(['serve-broker', '--listen', '127.0.0.1:0', '--state-dir', join(state, 'broker'), ...flags])
    gateway = await daemon(['serve-gateway', '--broker', `ws://127.0.0.1:${broker.listeners.http.port}`, '--mqttsn', '127.0.0.1:0',
      '--state-dir', join(state, 'gateway'), ...flags])
    await gateway.line(/connected to the broker/)
  })
  after(async () => {
    await simulation?.end()
    await gateway?.end()
    await broker?.end()
  })

  const list = async (query) => (await fetch(`http://127.0.0.1:${broker.listeners.http.port}/api/v1/${query}`)).json()

  it('join, publish, and are all live at the broker with their values', async () => {
    simulation = new Process(bin, ['simulate', 'mqttsn', '--gateway', `127.0.0.1:${gateway.listeners.mqttsn.port}`,
      '--nodes', String(NODES), '--interval', '10s', '--resources', 'temperature', '--for', '40s'])
    await simulation.line(/all 5000 nodes joined/, 'stderr', 60_000)
    const live = async () => {
      const nodes = []
      for (let cursor = ''; cursor !== null;) {
        const page = await list(`nodes?state=live&protocol=MQTT-SN&limit=1000${cursor && `&cursor=${cursor}`}`)
        nodes.push(...page.items)
        cursor = page.next
      }
      return nodes
    }
    await until('a value of each', async () => (await live()).filter((node) => node.resources.temperature).length === NODES, 60_000)
    assert.equal(new Set((await live()).map((node) => node.uid)).size, NODES)
    // At its end it says what was acknowledged: at most what is under way at that moment is missing.
    const { code, stderr } = await simulation.exited
    assert.equal(code, 0)
    const [, posts, acknowledged, unanswered] = stderr.match(/posts (\d+) \(acknowledged (\d+), .*unanswered (\d+)/)
    assert.ok(Number(posts) >= NODES)
    assert.equal(Number(unanswered), 0)
    assert.ok(Number(posts) - Number(acknowledged) < NODES / 10, `${posts} sent, ${acknowledged} acknowledged`)
  })
})
