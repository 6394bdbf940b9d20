// What the command line's tests share.
import { Process, run, until } from '../../support/process.mjs'

export const environment = { ...process.env, AIOT_OUTPUT: '', AIOT_BROKER: '', XDG_CONFIG_HOME: '/dev/null/none' }

/** Runs aiot to its end. */
export function aiot(args, options = {}) {
  return run(args, { ...options, env: { ...environment, ...options.env } })
}

/** The objects of a text of JSON lines; fails on a line that is none. */
export function lines(text) {
  return text.split('\n').filter(Boolean).map((line) => JSON.parse(line))
}

/** Debian's example server, answering. */
export async function libcoapServer(args = []) {
  const server = new Process('coap-server-notls', ['-A', '127.0.0.1', ...args])
  await until('coap-server-notls', async () => {
    if (server.child.exitCode !== null) throw new Error(server.stderr)
    return (await aiot(['get', '--timeout', '500ms', 'coap://127.0.0.1/time'])).code === 0
  })
  return server
}
