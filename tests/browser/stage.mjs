// The real broker, gateway and simulated nodes of all four protocols, and a headless Chromium that looks at them.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Mosquitto } from '../support/mosquitto.mjs'
import { bin, daemon, Process, scratch } from '../support/process.mjs'

const require = createRequire(import.meta.url.replace('/browser/', '/'))
export const { chromium } = require('playwright-core')

const kChromium = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync)
const kResources = 'name,os,board,vendor,version,temperature,humidity,pressure,led,battery'

export const launch = (options = {}) =>
  chromium.launch({
    executablePath: kChromium,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
      '--disable-component-update', '--disable-sync', ...(options.args ?? [])],
  })

/** What a browser logs of requests that a broker's end interrupts, or that come before it is back. */
const kBrokerAway = /ERR_CONNECTION_(REFUSED|RESET|CLOSED)|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY_RESPONSE/

/** Everything between a node and a page. `end()` in `after`. */
export class Stage {
  constructor() {
    this.state = scratch()
    this.processes = []
    /** Whether the broker was ended at some time; before that no request may fail. */
    this.ended = false
    /** What a page must never do: log errors, break its policy, ask other hosts. */
    this.problems = []
  }

  /** Again, after an end, as before. */
  async serveBroker(...args) {
    this.brokerArguments ??= args
    const at = this.broker ? `127.0.0.1:${this.broker.listeners.http.port}` : '127.0.0.1:0'
    this.broker = await daemon(['serve-broker', '--listen', at, '--key-file', join(this.state, 'keys'),
      '--state-dir', join(this.state, 'b'), ...this.brokerArguments])
    const { broker } = this
    const end = broker.end.bind(broker)
    broker.end = (signal) => {
      this.ended = true
      return end(signal)
    }
    this.url = `http://${at.endsWith(':0') ? `127.0.0.1:${this.broker.listeners.http.port}` : at}/`
    return this.broker
  }

  async serveGateway(name, ...args) {
    const gateway = await daemon(['serve-gateway', '--broker', this.url.replace('http', 'ws'), '--name', name,
      '--key-file', join(this.state, 'keys'), '--state-dir', join(this.state, name), ...args])
    this.processes.push(gateway)
    return gateway
  }

  /** paris with CoAP and WebSocket nodes, lyon with MQTT and MQTT-SN ones. */
  async serveGateways({ maxTime = '30s' } = {}) {
    this.mosquitto = await new Mosquitto().start()
    this.paris = await this.serveGateway('paris', '--coap', '127.0.0.1:5683', '--ws', '127.0.0.1:8001', '--max-time', maxTime)
    this.lyon = await this.serveGateway('lyon', '--mqtt', this.mosquitto.url, '--mqttsn', '127.0.0.1:1885', '--max-time', maxTime)
  }

  simulate(protocol, ...args) {
    const where = {
      coap: ['--gateway', '127.0.0.1:5683'],
      ws: ['--gateway', '127.0.0.1:8001'],
      mqttsn: ['--gateway', '127.0.0.1:1885'],
      mqtt: ['--broker-url', this.mosquitto?.url],
    }[protocol]
    const given = (flag) => args.includes(flag)
    const nodes = new Process(bin, ['simulate', protocol, ...where,
      ...(given('--interval') ? [] : ['--interval', '1s']),
      ...(given('--resources') ? [] : ['--resources', kResources]), ...args])
    this.processes.push(nodes)
    return nodes
  }

  /** A page that is watched for what must not happen. */
  async open(browser, options = {}) {
    const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })
    const page = await context.newPage()
    page.on('console', (message) => {
      if (message.type() === 'error' && !(this.ended && kBrokerAway.test(message.text()))) this.problems.push(`${message.text()} ${message.location().url}`)
    })
    page.on('pageerror', (error) => this.problems.push(String(error)))
    page.on('request', (request) => {
      const own = [this.url, this.url.replace('http', 'ws'), 'data:', 'blob:']
      if (!own.some((start) => request.url().startsWith(start))) this.problems.push(`request to another host: ${request.url()}`)
    })
    return page
  }

  async live(page) {
    await page.getByTestId('connection').getByText('Live').waitFor()
  }

  async end() {
    for (const process of this.processes.reverse()) if (process.child.exitCode === null) await process.end('SIGKILL')
    await this.broker?.end()
    await this.mosquitto?.end()
  }
}
