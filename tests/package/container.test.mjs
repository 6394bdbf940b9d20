// The compose file's services, by their own command lines, in a network namespace instead of containers: they find each
// other, prove themselves with the keys that `keys` makes, and are well by the image's own check.
import assert from 'node:assert/strict'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, describe, it } from 'node:test'
import { Process, bin, run, scratch, until } from '../support/process.mjs'

const container = join(process.env.AIOT_SOURCE_DIR, 'packaging/container')
const compose = readFileSync(join(container, 'compose.yaml'), 'utf8')
const image = readFileSync(join(container, 'Dockerfile'), 'utf8')

/** The text of a service, and what it has under `key`. */
const service = (name) => compose.match(new RegExp(`^  ${name}:\n((?:    .*\n|\n)+)`, 'm'))[1]
const setting = (name, key) => service(name).match(new RegExp(`^    ${key}: (.*)$`, 'm'))?.[1]
const command = (name) => setting(name, 'command').slice(1, -1).split(/, */).map((word) => word.replace(/^"(.*)"$/, '$1'))

describe('the compose file', async () => {
  const folder = scratch()
  const here = (word) => word.replace(/\/\/(broker|mosquitto):/, '//127.0.0.1:')
  const env = (name) => {
    const state = join(folder, 'state', name)
    mkdirSync(state, { recursive: true })
    // The image has the package's configuration, which speaks of the places of a machine without containers.
    const toml = join(folder, 'aiot.toml')
    writeFileSync(toml, readFileSync(join(container, '../aiot.toml'), 'utf8').replaceAll('"/', `"${folder}/machine/`))
    const places = { '/var/lib/aiot/state': state, '/var/lib/aiot/keys': folder }
    const variables = image.match(/^ENV (AIOT_STATE_DIR.*)$/m)[1].split(' ').map((one) => one.split('='))
    const here = variables.map(([key, value]) => [key, Object.entries(places).reduce((path, [there, place]) => path.replace(there, place), value)])
    return { ...process.env, HOME: folder, XDG_CONFIG_HOME: folder, AIOT_CONFIG: toml, ...Object.fromEntries(here) }
  }
  const start = (name) => new Process(bin, command(name).map(here), { env: env(name) })
  const health = async (name) => {
    const check = setting(name, 'environment')?.match(/AIOT_HEALTH: (\S+)/)?.[1] ?? image.match(/AIOT_HEALTH:-(\S+?)\}/)[1]
    return run(['--quiet', 'doctor', check], { env: env(name) })
  }
  const running = []
  after(async () => {
    for (const one of running.reverse()) await one.end()
  })

  it('its services work with each other', async () => {
    const made = await run(command('keys'), { env: env('keys') })
    assert.equal(made.code, 0, made.stderr)
    const mosquitto = join(folder, 'mosquitto.conf')
    writeFileSync(mosquitto, readFileSync(join(container, 'mosquitto.conf'), 'utf8').replace('/mosquitto/data/', `${folder}/`) + 'user root\n')
    running.push(new Process('mosquitto', ['-c', mosquitto], { env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin` } }))
    await running[0].line(/mosquitto version .* running/)
    for (const name of ['broker', 'gateway']) {
      const daemon = start(name)
      running.push(daemon)
      await daemon.line(/ready/)
      const { code, stdout, stderr } = await until(`${name} to be well`, async () => {
        const ended = await health(name)
        return ended.code === 0 && ended
      })
      assert.deepEqual([code, stdout], [0, ''], stderr)
    }
    await running.at(-1).line(/connected to the broker/)
    const added = await run(['users', 'add', 'ada', '--role', 'admin', '--password-file', '-'], { env: env('broker'), input: 'correct-horse-battery-staple\n' })
    assert.equal(added.code, 0, added.stderr)
    const token = join(folder, 'reader.token')
    const created = await run(['tokens', 'create', '--out', token], { env: env('broker') })
    assert.equal(created.code, 0, created.stderr)
    const { code, stdout } = await run(['doctor', '--broker', 'aiot://127.0.0.1', '--token-file', token, 'broker.token'], { env: env('reader') })
    assert.equal(code, 0, stdout)
    assert.match(stdout, /the broker takes the token/)
  })

  it('shows nothing to who does not log in, from the first moment on', async () => {
    const { code } = await run(['nodes', '--broker', 'aiot://127.0.0.1:8000'], { env: env('reader') })
    assert.equal(code, 7)
  })

  it('a health check fails when its service is gone', async () => {
    const broker = running[1]
    assert.equal((await broker.end()).code, 0)
    assert.equal((await health('broker')).code, 3)
  })

  it('the image is built with all that cpack calls', async (test) => {
    const said = await run(['build', 'list'], { command: join(process.env.AIOT_SOURCE_DIR, 'scripts/setup') })
    const { code, stdout } = await run(['-s', 'install', '--no-install-recommends', '-o', 'Dir::State::status=/dev/null', ...said.stdout.trim().split(' ')], { command: 'apt-get' })
    if (code !== 0) return test.skip('apt knows no packages here')
    // Its dpkg-shlibdeps and strip, and file, which Debian's own image has not.
    for (const name of ['dpkg-dev', 'binutils', 'file', 'cmake', 'ninja-build']) assert.match(stdout, new RegExp(`^Inst ${name} `, 'm'))
  })

  it('nothing in it is root or can write but to its volumes', () => {
    assert.match(compose, /^x-aiot: &aiot\n(  .*\n)*  read_only: true\n/m)
    for (const name of ['keys', 'broker', 'gateway']) assert.match(service(name), /^ {4}<<: \*aiot$/m)
    assert.equal(setting('mosquitto', 'read_only'), 'true')
    assert.equal(image.match(/^USER (\S+)$/m)[1], 'aiot')
    assert.ok(image.indexOf('USER aiot') < image.indexOf('ENTRYPOINT'))
    const volumes = JSON.parse(image.match(/^VOLUME (.*)$/m)[1])
    assert.deepEqual(image.match(/^ENV AIOT_STATE_DIR=(\S+) AIOT_USERS_FILE=\S+ AIOT_KEY_FILE=(\S+)\/keys$/m).slice(1), volumes)
  })
})
