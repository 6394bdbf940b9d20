// What a page of docs/ tells its readers to type, and a shell to type it into.
import { mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { bin, Process, scratch } from './process.mjs'

/** Blocks below `<!-- run: NAME -->`, with the output that follows them, and below `<!-- start: NAME -->`, in their order. */
export function blocks(page) {
  const text = readFileSync(join(process.env.AIOT_SOURCE_DIR, 'docs', page), 'utf8')
  const form = /^<!-- (run|start): (\S+) -->\n```sh\n([\s\S]*?)^```\n(?:\n```text\n([\s\S]*?)^```\n)?/gm
  const found = [...text.matchAll(form)].map(([, kind, name, script, output]) => ({ kind, name, script, output }))
  const marks = text.match(/^<!-- (run|start): /gm) ?? []
  if (found.length !== marks.length) throw new Error(`${page}: of ${marks.length} marks only ${found.length} have a block`)
  return found
}

/** Starts scripts that find `aiot` and its peers by name. */
export class Shells {
  constructor(environment = {}) {
    this.folder = scratch()
    this.started = []
    mkdirSync(join(this.folder, 'bin'))
    symlinkSync(bin, join(this.folder, 'bin', 'aiot'))
    this.environment = { ...process.env, PATH: `${join(this.folder, 'bin')}:${process.env.PATH}:/usr/sbin:/sbin`,
      HOME: this.folder, AIOT_KEY_FILE: join(this.folder, 'keys'), ...environment }
  }

  /** A script in a process group of its own; `state` names the folder where its daemon keeps state. */
  start(script, state = 'run') {
    const env = { ...this.environment, AIOT_STATE_DIR: join(this.folder, state) }
    const shell = new Process('/bin/sh', ['-c', script], { env, detached: true })
    shell.end = (signal = 'SIGTERM') => {
      try {
        process.kill(-shell.child.pid, signal)
      } catch {} // all of it has ended
      return shell.exited
    }
    this.started.push(shell)
    return shell
  }

  run(script) {
    const shell = this.start(script)
    shell.child.stdin.end()
    return shell.exited
  }

  async end() {
    for (const shell of this.started.reverse()) await shell.end()
  }
}
