// The .deb: built from this build's files, accepted by lintian, and lived with in a clean root (lifecycle.sh).
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { before, describe, it } from 'node:test'
import { scratch } from '../support/process.mjs'
import { CleanRoot, built, must, obstacle } from './clean_root.mjs'

const source = process.env.AIOT_SOURCE_DIR
const field = (deb, name) => must('dpkg-deb', ['--field', deb, name]).trim()
/** The same package with a version before it. */
function older(deb, folder) {
  const tree = join(folder, 'older')
  must('dpkg-deb', ['--raw-extract', deb, tree])
  must('sed', ['-i', 's/^Version: .*/Version: 0.0.1-1/', join(tree, 'DEBIAN/control')])
  must('dpkg-deb', ['--root-owner-group', '-Znone', '--build', tree, `${tree}.deb`])
  must('rm', ['-r', tree])
  return `${tree}.deb`
}
const files = (deb) => must('dpkg-deb', ['--contents', deb]).trim().split('\n').map((line) => line.split(/\s+/))

describe('the package', { skip: obstacle() }, () => {
  let deb
  before(() => {
    deb = built()
  })

  it('says what it needs', () => {
    assert.equal(field(deb, 'Package'), 'aiot')
    for (const library of ['libcoap3', 'libmosquitto1', 'libwebsockets17', 'libwebsockets-evlib-uv', 'libsqlite3-0', 'libssl3']) {
      assert.match(field(deb, 'Depends'), new RegExp(`(^|, )${library}\\b`))
    }
  })

  it('has its files where Debian wants them, all of root and closed to others’ writing', () => {
    const list = files(deb)
    const names = list.map((line) => line[5])
    for (const name of ['./etc/aiot/aiot.toml', './var/lib/aiot/', './usr/bin/aiot', './usr/share/man/man5/aiot.toml.5.gz',
      './usr/share/man/man8/aiot-serve-gateway.8.gz', './usr/share/doc/aiot/copyright', './usr/lib/sysusers.d/aiot.conf']) {
      assert.ok(names.includes(name), name)
    }
    for (const [mode, owner, , , , name] of list) {
      assert.equal(owner, 'root/root', name)
      if (mode[0] !== 'l') assert.ok(mode[5] === '-' && mode[8] === '-', `${mode} ${name}`)
    }
    assert.ok(!names.some((name) => name.startsWith('./usr/local')))
  })

  it('is accepted by lintian', () => {
    // A build with sanitizers is not hardened as a package is, and knows its own build's libraries.
    const suppressed = process.env.AIOT_SANITIZED ? ['--suppress-tags', 'hardening-no-fortify-functions,hardening-no-bindnow,embedded-library'] : []
    const said = must('lintian', ['--fail-on', 'error,warning', '--allow-root', ...suppressed, deb])
    assert.equal(said, '')
  })

  it('lives in a clean root', { timeout: 1_500_000 }, async (test) => {
    const depends = field(deb, 'Depends').split(/\s*,\s*/).map((one) => one.split(/[\s|:(]/)[0])
    const root = new CleanRoot(scratch(), [...new Set([...depends, 'systemd-sysv', 'dbus'])])
    root.add(deb, 'aiot.deb')
    root.add(older(deb, scratch()), 'older.deb')
    const log = await root.boot(join(source, 'tests/package/lifecycle.sh'), 600_000)
    for (const line of log.split('\n')) {
      const step = line.match(/^(ok|FAIL) ([^:]*)(.*)$/)
      if (step) await test.test(step[2], () => assert.equal(step[1], 'ok', step[3].replaceAll('~', '\n')))
    }
    assert.match(log, /^end$/m, log)
  })
})
