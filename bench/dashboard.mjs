// The dashboard under load, seen through the browser's own tracing: bench/run dashboard. Prints Markdown.
// NODES, RATE (updates a second), SECONDS of each measurement, MINUTES for memory.
import { until } from '../tests/support/process.mjs'
import { launch, Stage } from '../tests/browser/stage.mjs'

const number = (name, otherwise) => Number(process.env[name] ?? otherwise)
const kNodes = number('NODES', 10_000)
const kRate = number('RATE', 2_000)
const kSeconds = number('SECONDS', 20)
const kMinutes = number('MINUTES', 10)
const kViews = 5
const say = (text) => process.stderr.write(`${text}\n`)
const pause = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000))

/** What the page's main thread did: share of the time, by the clock and by the processor, and its longest tasks. */
function analyse(trace) {
  const events = JSON.parse(trace.toString()).traceEvents
  const mains = new Map()
  for (const event of events) {
    if (event.name === 'thread_name' && event.args.name === 'CrRendererMain') mains.set(`${event.pid}/${event.tid}`, [])
  }
  for (const event of events) {
    if (event.ph === 'X' && event.name.endsWith('RunTask')) mains.get(`${event.pid}/${event.tid}`)?.push(event)
  }
  const tasks = [...mains.values()].sort((a, b) => b.length - a.length)[0] ?? []
  if (tasks.length === 0) throw new Error('the trace has no task of a page')
  // Of tasks within tasks only the outer ones count.
  tasks.sort((a, b) => a.ts - b.ts || b.dur - a.dur)
  let end = 0, wall = 0, cpu = 0, longest = 0, long = 0
  for (const task of tasks) {
    if (task.ts < end) continue
    end = task.ts + (task.dur ?? 0)
    wall += task.dur ?? 0
    cpu += task.tdur ?? task.dur ?? 0
    longest = Math.max(longest, task.dur ?? 0)
    if (task.dur > 100_000) long += 1
  }
  const span = tasks[tasks.length - 1].ts - tasks[0].ts
  return { wall: wall / span, cpu: cpu / span, longest: longest / 1000, long }
}

async function traced(browser, page, action) {
  await browser.startTracing(page, { categories: ['toplevel', 'devtools.timeline', 'disabled-by-default-devtools.timeline', '__metadata'] })
  await action()
  return analyse(await browser.stopTracing())
}

async function metric(session, wanted) {
  const { metrics } = await session.send('Performance.getMetrics')
  return metrics.find(({ name }) => name === wanted).value
}

async function heap(session) {
  await session.send('HeapProfiler.collectGarbage')
  return (await metric(session, 'JSHeapUsedSize')) / 1e6
}

/** Frames a second while a person turns the wheel. */
async function scroll(page) {
  await page.mouse.move(640, 500)
  await page.evaluate(() => {
    window.frames_ = 0
    const count = () => {
      window.frames_ += 1
      window.counting = requestAnimationFrame(count)
    }
    count()
  })
  const end = Date.now() + kSeconds * 1000
  const begin = Date.now()
  for (let i = 0; Date.now() < end; i += 1) await page.mouse.wheel(0, i % 40 < 30 ? 700 : -900)
  return page.evaluate((ms) => (cancelAnimationFrame(window.counting), (window.frames_ * 1000) / ms), Date.now() - begin)
}

const stage = new Stage()
let browser
try {
  await stage.serveBroker()
  await stage.serveGateway('paris', '--coap', '127.0.0.1:5683', '--max-time', '10m')
  stage.simulate('coap', '--nodes', String(kNodes), '--interval', `${Math.round((kNodes / kRate) * 1000)}ms`, '--resources', 'name,board,temperature,humidity,pressure,led')
  const status = async () => (await (await fetch(`${stage.url}api/v1/status`)).json())
  await until('all nodes', async () => (await status()).gateways.some((gateway) => gateway.nodes >= kNodes), 300_000)
  say(`${kNodes} nodes joined`)
  const rateNow = async () => {
    const before = (await status()).broker.received
    await pause(3)
    return ((await status()).broker.received - before) / 3
  }
  await until('the steady rate', async () => (await rateNow()) < kRate * 1.2, 120_000)

  browser = await launch()
  // Each with an empty cache.
  const views = []
  let page, session
  for (let i = 0; i < kViews; i += 1) {
    await page?.context().close()
    page = await stage.open(browser)
    session = await page.context().newCDPSession(page)
    await session.send('Network.enable')
    let bytes = 0
    session.on('Network.loadingFinished', ({ encodedDataLength }) => (bytes += encodedDataLength))
    const begin = Date.now()
    await page.goto(stage.url)
    await page.getByTestId('connection').getByText('Live').waitFor({ timeout: 60_000 })
    const painted = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0)
    views.push({ first: Date.now() - begin, downloaded: bytes / 1000, painted })
    say(`first view after ${views[i].first} ms`)
  }
  await session.send('Performance.enable')
  const { first, downloaded, painted } = views.sort((a, b) => a.first - b.first)[kViews >> 1]

  const rows = []
  const measure = async (name, hash, ready, action) => {
    await page.evaluate((to) => (location.hash = to), hash)
    await page.locator(ready).first().waitFor()
    await pause(3) // what loading a page costs is not what keeping it open costs
    let frames
    const result = await traced(browser, page, async () => (frames = action ? await action() : await pause(kSeconds)))
    rows.push([name, `${Math.round(result.cpu * 100)} %`, `${Math.round(result.wall * 100)} %`, `${Math.round(result.longest)} ms`, String(result.long), frames ? String(Math.round(frames)) : ''])
    say(rows[rows.length - 1].join(' '))
  }
  await measure('what is wrong', '#/', '[data-tile="live"]')
  await measure('list of nodes', '#/nodes', '[data-uid]')
  await measure('list, turning the wheel', '#/nodes?q=sim', '[data-uid]', () => scroll(page))
  await measure('page of a node', '#/nodes/sim-1', '[data-resource="temperature"]')
  await measure('operations', '#/operations', '[data-testid="ledger"]')

  await page.evaluate(() => (location.hash = '#/nodes'))
  await pause(3)
  const memory = [await heap(session)]
  await page.evaluate(() => {
    window.longest_ = 0
    new PerformanceObserver((list) => list.getEntries().forEach(({ duration }) => (window.longest_ = Math.max(window.longest_, duration)))).observe({ type: 'longtask' })
  })
  let busy = 0, longest = 0
  for (let i = 0; i < kMinutes; i += 1) {
    const before = await metric(session, 'TaskDuration')
    const from = Date.now()
    await pause(60)
    busy += ((await metric(session, 'TaskDuration')) - before) / ((Date.now() - from) / 1000) / kMinutes
    // Before the collection that the measurement itself asks for.
    longest = Math.max(longest, await page.evaluate(() => window.longest_))
    memory.push(await heap(session))
    await pause(0.2) // until the observer has told the collection
    await page.evaluate(() => (window.longest_ = 0))
    say(`${memory[memory.length - 1].toFixed(1)} MB, busy ${Math.round(busy * 100 * kMinutes / (i + 1))} %, longest ${Math.round(longest)} ms`)
  }
  const rate = await rateNow()

  const table = (head, body) => [head, head.map(() => '---'), ...body].map((row) => `| ${row.join(' | ')} |`).join('\n')
  console.log(`${kNodes} nodes, ${Math.round(rate)} updates a second. The first view, with the whole snapshot, stood after ${first} ms (median of ${kViews}, at most ${views[kViews - 1].first} ms; first paint ${Math.round(painted)} ms, ${Math.round(downloaded)} KB downloaded).
JavaScript's memory after a collection: ${memory[0].toFixed(1)} MB at first, ${memory[memory.length - 1].toFixed(1)} MB after ${kMinutes} minutes, between ${Math.min(...memory).toFixed(1)} and ${Math.max(...memory).toFixed(1)} MB meanwhile.
In these ${kMinutes} minutes, on the list of nodes, the main thread was busy ${Math.round(busy * 100)} % of the time, and its longest task took ${longest === 0 ? 'less than 50' : Math.round(longest)} ms.

${table(['page', 'main thread, of the processor', 'of the time', 'longest task', 'tasks over 100 ms', 'frames/s'], rows)}`)
  if (stage.problems.length > 0) say(stage.problems.join('\n'))
} finally {
  await browser?.close()
  await stage.end()
}
process.exit(0)
