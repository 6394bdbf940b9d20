// The units, as an installation makes them.
import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { run, scratch } from '../support/process.mjs'

const source = process.env.AIOT_SOURCE_DIR
const execute = (command, ...args) => run(args, { command })

describe('an installation', async () => {
  const root = scratch()
  const installed = await execute('cmake', '--install', process.env.AIOT_BUILD_DIR, '--prefix', root)
  const path = (name) => join(root, 'lib/systemd/system', `${name}.service`)

  for (const name of ['aiot-serve-broker', 'aiot-serve-gateway']) {
    const settings = (key) => readFileSync(path(name), 'utf8').split('\n').filter((line) => line.startsWith(`${key}=`)).map((line) => line.slice(key.length + 1))

    it(`${name}: systemd understands it, and starts what was installed`, async () => {
      assert.equal(installed.code, 0, installed.stderr)
      assert.deepEqual(settings('ExecStart').map((line) => line.split(' ').slice(0, 2)), [[join(root, 'bin/aiot'), name.slice('aiot-'.length)]])
      const { code, stdout, stderr } = await execute('systemd-analyze', 'verify', '--man=no', '--recursive-errors=no', path(name))
      assert.equal(code, 0, stderr)
      assert.ok(!(stdout + stderr).includes(name), stdout + stderr)
    })

    it(`${name}: is exposed to at most 2.0`, async () => {
      const { stdout, stderr } = await execute('systemd-analyze', 'security', '--no-pager', '--offline=yes', path(name))
      const exposure = stdout.match(/Overall exposure level for \S+: ([0-9.]+)/)
      assert.ok(exposure, stdout + stderr)
      assert.ok(Number(exposure[1]) <= 2.0, exposure[0])
    })

    it(`${name}: is watched, restarted but not over bad options, and gets its secrets from systemd alone`, () => {
      assert.deepEqual([settings('Type'), settings('User'), settings('RestartPreventExitStatus')], [['notify'], ['aiot'], ['2']])
      assert.match(settings('WatchdogSec')[0], /^\d+$/)
      assert.deepEqual(settings('StateDirectory'), [`aiot/${name.slice('aiot-serve-'.length)}`])
      assert.ok(settings('LoadCredential').includes('keys:/etc/aiot/keys'))
      assert.ok(!/key-file|token-file/.test(settings('ExecStart')[0]))
    })
  }

  it('has the user that the units run as', async () => {
    const { stdout, stderr } = await execute('systemd-sysusers', '--dry-run', `--root=${root}`, join(root, 'lib/sysusers.d/aiot.conf'))
    assert.match(stdout + stderr, /Creating user 'aiot'/)
  })
})

describe('the package’s own files', () => {
  it('maintainer scripts are well-formed', async () => {
    for (const script of ['postinst', 'prerm', 'postrm']) {
      const { code, stderr } = await execute('sh', '-n', join(source, 'packaging/debian', script))
      assert.equal(code, 0, stderr)
    }
  })

  it('the version is the program’s', async () => {
    const { stdout } = await run(['--version'])
    const entry = readFileSync(join(source, 'packaging/debian/changelog'), 'utf8').split('\n')[0]
    assert.equal(entry.match(/\((\S+)-\d+\)/)[1], stdout.trim().split(' ')[1])
  })

  it('the copyright file has every library that dashboard and program hold', () => {
    const text = readFileSync(join(source, 'packaging/debian/copyright'), 'utf8')
    const { dependencies } = JSON.parse(readFileSync(join(source, 'web/package.json'), 'utf8'))
    for (const name of Object.keys(dependencies)) {
      const [folder] = name.split('/')
      assert.ok(text.includes(`web/node_modules/${folder}/*`), name)
    }
    for (const headers of ['CLI', 'toml++', 'nlohmann']) assert.ok(text.includes(`/usr/include/${headers}/*`), headers)
  })

  it('the configuration that is installed is good, also with its examples switched on', async () => {
    const file = join(source, 'packaging/aiot.toml')
    const examples = join(scratch(), 'aiot.toml')
    const text = readFileSync(file, 'utf8')
    writeFileSync(examples, text.replace(/^#(?=\[|\w)/gm, ''))
    assert.notEqual(readFileSync(examples, 'utf8'), text)
    for (const one of [file, examples]) {
      const { code, stderr } = await run(['config', 'check', '--config', one])
      assert.equal(code, 0, stderr)
    }
  })
})
