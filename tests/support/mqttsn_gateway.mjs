// The MQTT-SN gateway for tests (tests/integration/mqttsn_test_gateway.cpp), and what it heard.
import { Process, until } from './process.mjs'

/** Started and ready: `port`, `messages` as { client, topic, payload, qos, retain }. */
export async function mqttsnGateway(where) {
  const process_ = new Process(process.env.AIOT_MQTTSN_GATEWAY, [where])
  const { port } = JSON.parse(await process_.line(/"event":"ready"/, 'stdout'))
  const objects = () => process_.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line))
  return {
    port,
    get messages() {
      return objects().filter((object) => object.topic !== undefined)
    },
    last() {
      const { client, ...message } = this.messages.at(-1)
      return message
    },
    publish(topic, payload, qos) {
      process_.child.stdin.write(`${topic}\t${payload}\t${qos}\n`)
    },
    /** Resolves with the first message for which `wanted` holds. */
    message(wanted, ms) {
      return until('a message at the gateway', () => this.messages.find(wanted), ms)
    },
    async end() {
      await process_.end()
      return objects().find((object) => object.event === 'counters')
    },
  }
}
