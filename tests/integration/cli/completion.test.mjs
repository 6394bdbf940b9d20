// The completion scripts, run by the shells they are for (those that are installed).
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { bin, run, scratch } from '../../support/process.mjs'
import { environment } from './support.mjs'

const installed = (name) => spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
const directory = scratch()
mkdirSync(join(directory, 'bin'))
symlinkSync(bin, join(directory, 'bin', 'aiot'))
const env = { ...environment, PATH: `${join(directory, 'bin')}:${process.env.PATH}`, HOME: directory }

async function bash(...words) {
  const script = `
    source <(aiot completion bash)
    COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length - 1}
    _aiot
    printf '%s\\n' "\${COMPREPLY[@]}"`
  const done = await run(['--norc', '-c', script], { command: 'bash', env, cwd: directory })
  assert.equal(done.stderr.replace(/.*compopt.*\n/g, ''), '')
  return done.stdout.split('\n').filter(Boolean)
}

test('bash completes commands, options, choices and files', { skip: !installed('bash') }, async () => {
  assert.deepEqual(await bash('aiot', 'ob'), ['observe'])
  assert.ok((await bash('aiot', '')).includes('serve-gateway'))
  assert.deepEqual(await bash('aiot', 'observe', '--cou'), ['--count'])
  assert.deepEqual(await bash('aiot', '--timeout', '5s', 'observe', '--pol'), ['--poll'])
  assert.deepEqual(await bash('aiot', 'get', '--output', 'j'), ['json'])
  assert.deepEqual(await bash('aiot', 'get', '--output', '=', 'c'), ['csv'])
  assert.deepEqual(await bash('aiot', 'keys', 'gen'), ['generate'])
  assert.deepEqual(await bash('aiot', 'keys', 'show', '--key-file', 'bi'), ['bin'])
  assert.deepEqual(await bash('aiot', 'put', 'coap://h/x', '@bi'), ['@bin'])
  assert.deepEqual(await bash('aiot', 'get', '--timeout', ''), [])
})

test('fish completes commands, options and choices', { skip: !installed('fish') }, async () => {
  const fish = async (line) => {
    const done = await run(['--no-config', '-c', `aiot completion fish | source; complete -C '${line}'`], { command: 'fish', env, cwd: directory })
    assert.equal(done.stderr, '')
    return done.stdout.split('\n').filter(Boolean).map((entry) => entry.split('\t')[0])
  }
  assert.deepEqual(await fish('aiot ob'), ['observe'])
  assert.deepEqual(await fish('aiot observe --cou'), ['--count'])
  assert.deepEqual(await fish('aiot --timeout 5s observe --pol'), ['--poll'])
  assert.deepEqual(await fish('aiot get --output j'), ['json'])
  assert.deepEqual(await fish('aiot keys gen'), ['generate'])
  assert.ok(!(await fish('aiot get --')).includes('--count'))
})

test('zsh completes commands, options and choices', { skip: !installed('zsh') }, async () => {
  const lists = async (line, wanted) => {
    // Now and then the shell throws away what was typed while it set up its terminal, or the end of what it lists.
    for (let tries = 0; tries < 8; ++tries) if ((await attempt(line)).includes(wanted)) return true
    return false
  }
  const attempt = async (line) => {
    // A shell in a pseudo-terminal, as its user has it; what it lists stands between two marks.
    const script = `
      zmodload zsh/zpty
      zpty -b z zsh -f -i
      send() { zpty -w z "$1" }
      send 'PS1=; unsetopt zle_bracketed_paste 2>/dev/null; autoload -U compinit; compinit -u -D; source <(aiot completion zsh)'
      send "zstyle ':completion:*' list-separator '--'; comppostfuncs=()"
      send 'collect() { compadd() { local -a found; builtin compadd -A found "$@"; print -l -- MATCH:\${^found}; builtin compadd "$@" } }'
      # The prompt is shown once the line editor has the terminal: only from then on is a tab a key.
      send 'collect; bindkey "^I" complete-word; PS1=REA''DY'
      zpty -r -m z l '*READY*'
      zpty -w -n z "$1"$'\\t'
      zpty -w -n z $'\\C-u\\n'
      send 'echo DO''NE'
      zpty -r -m z out '*DONE*'
      print -r -- "$out"`
    const done = await run(['-f', '-c', script, 'zsh', line], { command: 'zsh', env: { ...env, TERM: 'dumb' }, cwd: directory })
    return [...done.stdout.matchAll(/MATCH:([^\r\n]+)/g)].map((match) => match[1])
  }
  assert.ok(await lists('aiot ob', 'observe'))
  assert.ok(await lists('aiot observe --cou', '--count'))
  assert.ok(await lists('aiot get --output j', 'json'))
  assert.ok(await lists('aiot keys gen', 'generate'))
})
