// aiot users and aiot tokens: what they make, refuse and never show.
import assert from 'node:assert/strict'
import { chmodSync, existsSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { run, scratch } from '../../support/process.mjs'
import { aiot, lines } from './support.mjs'

const password = 'correct horse'

/** A users file of the test's own, and commands on it. */
function users() {
  const file = join(scratch(), 'state', 'users')
  const command = (...args) => aiot([...args, '--users-file', file])
  const add = (name, ...args) => aiot(['users', 'add', name, '--password-file', '-', '--users-file', file, ...args], { input: `${password}\n` })
  const good = async (...args) => {
    const { code, stdout, stderr } = await command(...args)
    assert.equal(code, 0, `${args}: ${stderr}`)
    return stdout
  }
  return { file, command, add, good, text: () => readFileSync(file, 'utf8') }
}

test('users are added, listed, changed and removed', async () => {
  const { file, add, good, text } = users()
  assert.equal((await add('ada', '--role', 'admin')).code, 0)
  assert.equal((await add('kim')).code, 0)
  assert.equal(statSync(file).mode & 0o777, 0o600)
  assert.deepEqual(lines(await good('users', 'list', '--json')).map(({ name, role }) => [name, role]), [['ada', 'admin'], ['kim', 'viewer']])
  assert.match(await good('users', 'list'), /^NAME +ROLE +CREATED *\nada +admin +\S.*\nkim +viewer/)
  await good('users', 'role', 'kim', 'operator')
  const before = text()
  assert.equal((await aiot(['users', 'passwd', 'kim', '--password-file', '-', '--users-file', file], { input: 'another one\n' })).code, 0)
  assert.notEqual(text(), before)
  await good('users', 'remove', 'ada')
  assert.deepEqual(lines(await good('users', 'list', '--json')).map(({ name, role }) => [name, role]), [['kim', 'operator']])
  assert.doesNotMatch(text(), /correct horse|another one/)
  assert.deepEqual(readdirSync(join(file, '..')), ['users'])
})

test('the state directory holds the users file unless another is named', async () => {
  const state = scratch()
  const secret = join(scratch(), 'password')
  writeFileSync(secret, `${password}\n`, { mode: 0o600 })
  const { code, stderr } = await aiot(['users', 'add', 'ada', '--password-file', secret], { env: { STATE_DIRECTORY: state, AIOT_STATE_DIR: '', AIOT_USERS_FILE: '' } })
  assert.equal(code, 0, stderr)
  assert.ok(existsSync(join(state, 'users')))
  const other = join(state, 'other')
  assert.equal((await aiot(['users', 'add', 'ada', '--password-file', secret], { env: { STATE_DIRECTORY: state, AIOT_USERS_FILE: other } })).code, 0)
  assert.ok(existsSync(other))
})

test('what cannot be is exit 2, with a sentence, and changes nothing', async () => {
  const { file, add, command, text } = users()
  await add('ada')
  const before = text()
  const refused = async (pattern, ended) => {
    const { code, stdout, stderr } = await ended
    assert.equal(code, 2, stderr)
    assert.match(stderr, pattern)
    assert.equal(stdout, '')
    assert.equal(text(), before)
  }
  await refused(/there is a user ada/, add('ada'))
  await refused(/there is no user bob/, command('users', 'remove', 'bob'))
  await refused(/there is no user bob/, command('users', 'role', 'bob', 'admin'))
  await refused(/viewer, operator or admin/, command('users', 'role', 'ada', 'none'))
  await refused(/viewer/, add('bob', '--role', 'god'))
  await refused(/printable characters/, add('b\nb'))
  await refused(/needs the user's name/, command('users', 'add'))
  await refused(/--role goes with users add/, command('users', 'remove', 'ada', '--role', 'admin'))
  await refused(/8 to 1024 bytes/, aiot(['users', 'add', 'bob', '--password-file', '-', '--users-file', file], { input: 'short\n' }))
  await refused(/--state-dir off/, aiot(['users', 'list', '--state-dir', 'off'], { env: { AIOT_USERS_FILE: '' } }))
  await refused(/there is no token 0000/, command('tokens', 'revoke', '0000'))
  await refused(/needs the id of a token, or --gateway/, command('tokens', 'revoke'))
  await refused(/over at once/, command('tokens', 'create', '--expires', '0'))
  await refused(/--gateway does not go with/, command('tokens', 'create', '--gateway', 'paris', '--role', 'admin'))
  await refused(/--node.*patterns/, command('tokens', 'create', '--node', ''))
  // As of a script's unset variable: it would be another kind of token.
  await refused(/--gateway: a name/, command('tokens', 'create', '--gateway', ''))
  await refused(/--gateway: a name/, aiot(['keys', 'token', '--gateway', '', '--key-file', file]))
  await refused(/do not go with tokens list/, command('tokens', 'list', '--role', 'admin'))
  chmodSync(file, 0o620)
  await refused(/chmod go-w/, command('users', 'list'))
  await refused(/chmod go-w/, add('bob'))
  chmodSync(file, 0o600)
})

test('a token is shown once, and is in a file that its owner alone reads', async () => {
  const { file, good, command, text } = users()
  const shown = (await command('tokens', 'create', '--name', 'grafana', '--expires', '1d', '--node', 'door-*', '--resource', 'lock'))
  assert.equal(shown.code, 0, shown.stderr)
  assert.match(shown.stdout, /^aiot_[\w-]{43}\n$/)
  assert.match(shown.stderr, /shown this once/)
  const [listed] = lines(await good('tokens', 'list', '--json'))
  assert.deepEqual({ name: listed.name, role: listed.role, nodes: listed.nodes, resources: listed.resources, expired: listed.expired }, { name: 'grafana', role: 'viewer', nodes: ['door-*'], resources: ['lock'], expired: false })
  const secret = shown.stdout.trim()
  const hash = JSON.parse(text()).tokens[0].sha256
  for (const out of [await good('tokens', 'list'), await good('tokens', 'list', '--json')]) {
    assert.ok(out.includes('grafana'))
    assert.ok(!out.includes(secret) && !out.includes(hash))
  }
  assert.ok(!text().includes(secret))

  const out = join(file, '..', 'paris.token')
  const id = (await good('tokens', 'create', '--gateway', 'paris', '--out', out)).trim()
  assert.match(id, /^[0-9a-f]{8}$/)
  assert.equal(statSync(out).mode & 0o777, 0o600)
  assert.match(readFileSync(out, 'utf8'), /^aiot_[\w-]{43}\n$/)
  const before = readFileSync(out, 'utf8')
  const again = await command('tokens', 'create', '--out', out)
  assert.equal(again.code, 2)
  assert.match(again.stderr, /exists/)
  assert.equal(readFileSync(out, 'utf8'), before)
  await good('tokens', 'revoke', id)
  assert.deepEqual(lines(await good('tokens', 'list', '--json')).map((token) => token.name), ['grafana'])
})

test('many at once lose nothing', async () => {
  const file = join(scratch(), 'users')
  const names = Array.from({ length: 12 }, (_, i) => `user-${i}`)
  const all = await Promise.all(names.map((name) => aiot(['tokens', 'create', '--name', name, '--users-file', file])))
  for (const { code, stderr } of all) assert.equal(code, 0, stderr)
  const { stdout } = await aiot(['tokens', 'list', '--json', '--users-file', file])
  assert.deepEqual(lines(stdout).map((token) => token.name).sort(), [...names].sort())
})

// The terminal's other end, in Python: forkpty gives the command a terminal of its own.
const terminal = `
import os, pty, sys
answers = sys.argv[1].split(',')
pid, fd = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
seen = b''
while True:
    try: part = os.read(fd, 1000)
    except OSError: break
    if not part: break
    seen += part
    if part.rstrip().endswith(b':') and answers: os.write(fd, answers.pop(0).encode() + b'\\n')
sys.stdout.write(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`

test('a password is asked for at the terminal, twice and unseen', async () => {
  const { file, good } = users()
  const ask = (answers) => run(['-c', terminal, answers, process.env.AIOT_BIN, 'users', 'add', 'ada', '--users-file', file], { command: '/usr/bin/python3' })
  const differ = await ask('correct horse,correct mouse')
  assert.equal(differ.code, 2, differ.stdout + differ.stderr)
  assert.match(differ.stdout, /differ/)
  const { code, stdout, stderr } = await ask('correct horse,correct horse')
  assert.equal(code, 0, stdout + stderr)
  assert.match(stdout, /Password:.*Again:/s)
  assert.doesNotMatch(stdout, /horse/)
  assert.match(await good('users', 'list'), /ada/)
})

test('without a terminal and a file there is nothing to ask', async () => {
  const { file } = users()
  const { code, stderr } = await run(['-w', process.env.AIOT_BIN, 'users', 'add', 'ada', '--users-file', file], { command: 'setsid' })
  assert.equal(code, 2, stderr)
  assert.match(stderr, /--password-file/)
  assert.ok(!existsSync(file))
})
