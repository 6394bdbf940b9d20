// Starting and stopping the real binary and its peers in tests. Everything started here is ended by pid when the
// test file ends, and waiting is always for an event with a deadline, never for time to pass.
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import https from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after } from 'node:test'

export const bin = process.env.AIOT_BIN ?? 'aiot'

const children = new Set()
const directories = []
after(async () => {
  for (const child of children) child.kill('SIGKILL')
  for (const directory of directories) rmSync(directory, { recursive: true, force: true })
})

export function scratch() {
  const directory = mkdtempSync(join(tmpdir(), 'aiot-test-'))
  directories.push(directory)
  return directory
}

/** Polls `probe` until it gives something true, and returns that; fails with `what` after `ms`. */
export async function until(what, probe, ms = 15_000) {
  const end = Date.now() + ms
  for (;;) {
    const value = await probe()
    if (value) return value
    if (Date.now() > end) throw new Error(`timed out waiting for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}

/** A running process with its output so far. */
export class Process {
  constructor(command, args, options = {}) {
    this.stdout = ''
    this.stderr = ''
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options })
    children.add(this.child)
    this.child.stdout.on('data', (data) => (this.stdout += data))
    this.child.stderr.on('data', (data) => (this.stderr += data))
    this.child.stdin.on('error', () => {})
    this.exited = new Promise((resolve, reject) => {
      this.child.on('error', reject)
      this.child.on('close', (code, signal) => {
        children.delete(this.child)
        resolve({ code, signal, stdout: this.stdout, stderr: this.stderr })
      })
    })
  }

  line(pattern, stream = 'stderr', ms = 20_000) {
    return until(
      `${pattern} on ${stream} of ${this.child.spawnargs.join(' ')}; it said: ${this.stdout}${this.stderr}`,
      () => {
        if (this.child.exitCode !== null) throw new Error(`exited early with ${this.child.exitCode}: ${this.stderr}`)
        return this[stream].split('\n').find((line) => pattern.test(line))
      },
      ms,
    )
  }

  async end(signal = 'SIGTERM') {
    this.child.kill(signal)
    return this.exited
  }
}

/** Runs to the end. */
export function run(args, { input, command = bin, ...options } = {}) {
  const process = new Process(command, args, options)
  if (input !== undefined) process.child.stdin.write(input)
  process.child.stdin.end()
  return process.exited
}

/** A daemon of ours, ready; `listeners` maps each name to { address, port }. */
export async function daemon(args, options) {
  const process = new Process(bin, [...args, '--log-format', 'json'], options)
  const ready = JSON.parse(await process.line(/"event":"ready"/))
  process.listeners = Object.fromEntries(ready.listeners.map((entry) => [entry.name, entry]))
  if (args[0] === 'serve-broker') {
    const end = process.end.bind(process)
    process.end = async (signal = 'SIGTERM') => {
      // Whatever a test moved, nothing may be unaccounted for. One that is killed, or was, cannot say.
      if (signal === 'SIGTERM' && process.child.exitCode === null && !process.child.killed) await balanced(process)
      return end(signal)
    }
  }
  return process
}

/** What fetch() does, of a server whose certificate may be as bad as a test likes. */
function fetchFromAnyone(url) {
  return new Promise((resolve, reject) => {
    https.get(url, { rejectUnauthorized: false, agent: false }, async (response) => {
      let text = ''
      for await (const part of response) text += part
      resolve({ status: response.statusCode, json: async () => JSON.parse(text) })
    }).on('error', reject)
  })
}

/** Waits until the broker's ledger balances: what was received is stored or dropped, at every hop (`aiot status`). */
export async function balanced(broker) {
  const secure = broker.listeners.https !== undefined
  const { address, port } = broker.listeners.http ?? broker.listeners.https
  const url = `http${secure ? 's' : ''}://${address.includes(':') ? `[${address}]` : address}:${port}/api/v1/status`
  let status
  await until('a balanced ledger', async () => {
    const answer = secure ? await fetchFromAnyone(url) : await fetch(url)
    if (answer.status === 401) return true // what only its users may see is for their tests to ask
    status = await answer.json()
    return status.balanced
  }, 5_000).catch((error) => {
    throw new Error(`${error.message}: ${JSON.stringify(status)}`)
  })
}
