// docs/operations.md, followed word by word in a clean root below a real systemd, with Debian's nginx and mosquitto.
import assert from 'node:assert/strict'
import { readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'
import { blocks } from '../support/guide.mjs'
import { scratch } from '../support/process.mjs'
import { CleanRoot, built, must, obstacle } from './clean_root.mjs'

const page = blocks('operations.md')
const kBegin = '@@ begin', kEnd = '@@ end'

// What has to be the case before a block, and what shows, after one, that it did what the page says.
const aiot = 'aiot --broker aiot://127.0.0.1 --token-file /etc/aiot/reader.token'
const before = {
  doctor: ['soon connected'],
  backup: ['aiot simulate coap --gateway 127.0.0.1:5683 --nodes 1 --interval 1s --resources temperature --for 5s >/dev/null 2>&1',
    `soon ${aiot} get --stale sim-0/temperature`],
}
const after = {
  credential: ['soon mqtt && echo "@@ mqtt"'],
  restore: [`echo "@@ kept $(${aiot} get --stale sim-0/temperature)"`],
  revoke: ['soon connected && echo "@@ connected"'],
}

/** All blocks, one after the other, in a shell each; waits for what a person would have waited for. */
function script() {
  const lines = ['#!/bin/bash', 'export LC_ALL=C HOME=/root DEBIAN_FRONTEND=noninteractive', 'cd /root', 'mv /test/aiot.deb /root/aiot_0_test.deb',
    'echo "127.0.0.1 localhost iot.example" >>/etc/hosts',
    `connected() { ${aiot} doctor broker.gateways | grep -q 'paris is connected'; }`,
    'mqtt() { grep -q "u.gateway." /var/log/mosquitto/mosquitto.log; }',
    'soon() { for _ in $(seq 150); do "$@" >/dev/null 2>&1 && return; sleep 0.2; done; "$@"; }']
  // The broker without a proxy is another way of doing what was done, so it comes last.
  const order = [...page.filter(({ name }) => !['tls', 'remove'].includes(name)), ...page.filter(({ name }) => name === 'tls'), ...page.filter(({ name }) => name === 'remove')]
  for (const { name, script } of order) {
    writeFileSync(join(folder, `block-${name}`), script)
    lines.push(...(before[name] ?? []), `echo '${kBegin} ${name}'`, `bash -e /test/block-${name} 2>/test/errors`,
      `echo "${kEnd} ${name} $?"; tail -c 2000 /test/errors; echo @@`, ...(after[name] ?? []))
  }
  return lines.join('\n') + '\necho @@ done\n'
}

const folder = scratch()

describe('docs/operations.md', { skip: obstacle() }, () => {
  it('works word by word', { timeout: 1_700_000 }, async (test) => {
    const deb = built()
    const depends = must('dpkg-deb', ['--field', deb, 'Depends']).split(/\s*,\s*/).map((one) => one.split(/[\s|:(]/)[0].trim())
    const root = new CleanRoot(folder, [...new Set([...depends, 'systemd-sysv', 'dbus', 'nginx-light', 'mosquitto', 'mosquitto-clients', 'curl', 'openssl', 'ca-certificates', 'sqlite3'])])
    root.add(deb, 'aiot.deb')
    writeFileSync(join(folder, 'script'), script())
    for (const name of readdirSync(folder).filter((name) => name.startsWith('block-'))) root.add(join(folder, name), name)
    const log = await root.boot(join(folder, 'script'), 900_000)
    for (const { name, output, script } of page) {
      const said = log.match(new RegExp(`^${kBegin} ${name}\\n([\\s\\S]*?)^${kEnd} ${name} (\\d+)\\n([\\s\\S]*?)^@@`, 'm'))
      await test.test(name, () => {
        assert.ok(said, log)
        assert.equal(said[2], '0', said[1] + said[3])
        // What apt-get tells before is another release's own.
        if (output !== undefined) assert.equal(/apt-get/.test(script) ? said[1].split('\n').slice(-output.split('\n').length).join('\n') : said[1], output)
      })
    }
    await test.test('what was kept and what connected', () => {
      assert.match(log, /^@@ kept \S+/m)
      assert.match(log, /^@@ connected$/m)
      assert.match(log, /^@@ mqtt$/m)
      assert.match(log, /^@@ done$/m)
    })
  })
})
