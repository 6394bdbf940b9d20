// coaps and coaps+tcp from the command line, against libcoap's example servers on OpenSSL and GnuTLS.
import assert from 'node:assert/strict'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'

import { Authority, selfSigned } from '../support/certificates.mjs'
import { Process, scratch, until } from '../support/process.mjs'
import { aiot, lines } from './cli/support.mjs'

const authority = new Authority()
const client = authority.issue('client', { san: 'DNS:client' })
const folder = scratch()
const hex = (text) => Buffer.from(text).toString('hex')

function secret(name, text) {
  const file = join(folder, name)
  writeFileSync(file, text, { mode: 0o600 })
  return file
}
const keys = secret('keys', `# keys of this site\nnode-7:${hex('correct horse')}\nother:"battery staple"\n`)
const one = secret('one', `node-7:"correct horse"\n`)

const servers = []

/** The example server, with its secure port at 5684; `probe` is what reaches it. */
async function server(args, probe, command = 'coap-server-openssl') {
  await Promise.all(servers.splice(0).map((old) => old.end('SIGKILL'))) // of a test that failed
  const process = new Process(command, ['-A', '127.0.0.1', ...args])
  servers.push(process)
  await until(command, async () => {
    if (process.child.exitCode !== null) throw new Error(process.stderr)
    return (await aiot(['get', '--timeout', '2s', 'coap://127.0.0.1/time', ...probe])).code === 0
  })
  return process
}

for (const command of ['coap-server-openssl', 'coap-server-gnutls']) {
  test(`a pre-shared key, with ${command}`, async () => {
    await server(['-k', 'correct horse', '-h', 'hint', '-d', '10', '-e'], [], command)
    const known = ['--psk-file', keys, '--psk-identity', 'node-7']
    for (const scheme of ['coaps', 'coaps+tcp']) {
      const read = await aiot(['get', '--json', `${scheme}://127.0.0.1/time`, ...known])
      assert.deepEqual([read.code, lines(read.stdout)[0]?.code], [0, '2.05'], read.stderr)
      const large = 'x'.repeat(5000)
      const wrote = await aiot(['put', `${scheme}://127.0.0.1/box`, large, '--psk-file', one])
      assert.equal(wrote.code, 0, wrote.stderr)
      assert.equal((await aiot(['get', `${scheme}://127.0.0.1/box`, '--psk-file', one])).stdout, `${large}\n`)
      const followed = await aiot(['observe', '--count', '2', `${scheme}://127.0.0.1/time`, ...known])
      assert.deepEqual([followed.code, followed.stdout.trim().split('\n').length], [0, 2], followed.stderr)

      const wrong = await aiot(['get', '--timeout', '3s', `${scheme}://127.0.0.1/time`, '--psk-file', keys, '--psk-identity', 'other'])
      assert.deepEqual([wrong.code, wrong.stdout], [7, ''], wrong.stderr)
      assert.doesNotMatch(wrong.stderr, /battery|staple/)
      const none = await aiot(['get', '--timeout', '3s', `${scheme}://127.0.0.1/time`])
      assert.deepEqual([none.code, none.stdout], [7, ''], none.stderr)
    }
    const found = await aiot(['discover', 'coaps://127.0.0.1', ...known])
    assert.deepEqual([found.code, /coaps:\/\/127\.0\.0\.1\/time/.test(found.stdout)], [0, true], found.stdout + found.stderr)
  })
}

test('certificates both ways', async () => {
  const good = authority.issue('good')
  await server(['-c', good.cert, '-j', good.key, '-C', authority.ca], [])
  for (const scheme of ['coaps', 'coaps+tcp']) {
    const trusting = ['--ca', authority.ca, '--timeout', '4s']
    for (const host of ['localhost', '127.0.0.1']) {
      const read = await aiot(['get', `${scheme}://${host}/time`, ...trusting, '--cert', client.cert, '--key', client.key])
      assert.equal(read.code, 0, read.stderr)
    }
    const without = await aiot(['get', `${scheme}://127.0.0.1/time`, ...trusting])
    assert.deepEqual([without.code, without.stdout], [7, ''], without.stderr)
    const stranger = await aiot(['get', `${scheme}://127.0.0.1/time`, ...trusting, '--cert', selfSigned().pem])
    assert.deepEqual([stranger.code, stranger.stdout], [7, ''], stranger.stderr)
    const distrusting = await aiot(['get', `${scheme}://127.0.0.1/time`, '--timeout', '4s', '--cert', client.pem])
    assert.deepEqual([distrusting.code, distrusting.stdout], [7, ''], distrusting.stderr)
    assert.match(distrusting.stderr, /the certificate of 127\.0\.0\.1 is refused: .*(self-signed|issuer)/)
  }
})

test('a certificate that is expired, of nobody or of another is refused with exit 7', async () => {
  const bad = [
    [authority.expired('expired'), /has expired/],
    [selfSigned(), /self-signed/],
    [authority.issue('another', { san: 'DNS:other.example,IP:192.0.2.1' }), /mismatch/],
  ]
  for (const [identity, why] of bad) {
    await server(['-c', identity.cert, '-j', identity.key, '-n'], [])
    for (const scheme of ['coaps', 'coaps+tcp']) {
      for (const host of ['localhost', '127.0.0.1']) {
        const { code, stdout, stderr } = await aiot(['get', '--json', `${scheme}://${host}/time`, '--ca', authority.ca, '--timeout', '4s'])
        assert.deepEqual([code, stdout], [7, ''], stderr)
        assert.match(lines(stderr)[0].error.message, why)
      }
    }
  }
})

test('nobody is there: unreachable, in time', async () => {
  await Promise.all(servers.splice(0).map((old) => old.end('SIGKILL')))
  for (const scheme of ['coaps', 'coaps+tcp']) {
    const { code, stderr } = await aiot(['get', `${scheme}://127.0.0.1/x`, '--psk-file', one, '--timeout', '2s'])
    assert.equal(code, 3, stderr)
  }
})

test('files and options that do not fit are named, without the key', async () => {
  const fails = async (args, pattern, status = 2) => {
    const { code, stderr } = await aiot(['get', 'coaps://127.0.0.1/x', '--timeout', '1s', ...args])
    assert.deepEqual([code, pattern.test(stderr), /secret/.test(stderr)], [status, true, false], stderr)
  }
  await fails(['--psk-identity', 'a'], /--psk-identity needs the --psk-file/)
  await fails(['--psk-file', keys], /has 2 keys: --psk-identity says which/)
  await fails(['--psk-file', keys, '--psk-identity', 'nobody'], /has no key for 'nobody'/)
  await fails(['--psk-file', '/nonexistent'], /cannot read .*\/nonexistent/, 1)
  await fails(['--psk-file', secret('odd', 'a:secret\n')], /odd:1: the key is neither hex nor text/)
  await fails(['--psk-file', secret('nocolon', '\nsecret\n')], /nocolon:2: it is not IDENTITY:KEY/)
  await fails(['--psk-file', one, '--ca', authority.ca], /not both/)
  const open = secret('open', 'a:"secret"\n')
  chmodSync(open, 0o666)
  await fails(['--psk-file', open], /can be written by others .*chmod go-w/)
  const plain = await aiot(['get', 'coap://127.0.0.1/x', '--psk-file', one])
  assert.deepEqual([plain.code, /--psk-file is for coaps/.test(plain.stderr)], [2, true], plain.stderr)
})
