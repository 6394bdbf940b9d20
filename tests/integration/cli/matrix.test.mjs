// Contracts, section 1, the table of URIs: every verb with every scheme works or is refused with exit 2, naming both.
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { after, before, test } from 'node:test'

import { CoapNode } from '../../support/coap_node.mjs'
import { Mosquitto } from '../../support/mosquitto.mjs'
import { daemon, scratch, until } from '../../support/process.mjs'
import { aiot } from './support.mjs'

/** What a cell is expected to do. */
const works = 'works', refused = 'refused'
const verbs = ['get', 'put', 'post', 'delete', 'observe', 'publish', 'discover']
const all = (what, but = {}) => Object.fromEntries(verbs.map((verb) => [verb, but[verb] ?? what]))
const table = {
  coap: all(works),
  'coap+tcp': all(works),
  coaps: all(works),
  'coaps+tcp': all(works),
  mqtt: all(works, { post: refused }),
  mqtts: all(works, { post: refused }),
  mqttsn: all(works, { post: refused }),
  aiot: all(works, { publish: refused }),
  aiots: all(works, { publish: refused }),
}
/** Schemes whose cells that work need a peer this test does not start: their refusals are walked all the same. */
const withoutPeer = new Set(['aiots'])

let node, plain, secure, gateway, keys
before(async () => {
  node = await new CoapNode('127.0.0.2', { temperature: '23', led: '0' }).start()
  plain = await new Mosquitto().start()
  const folder = scratch()
  execFileSync('sh', ['-c', `cd ${folder} && exec 2>/dev/null
    openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -subj /CN=ca -days 2 -out ca.pem
    openssl req -newkey rsa:2048 -nodes -keyout server.key -subj /CN=server -out server.csr
    printf 'subjectAltName=DNS:localhost' >ext
    openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out server.pem`])
  secure = await new Mosquitto({
    listener: `cafile ${folder}/ca.pem\ncertfile ${folder}/server.pem\nkeyfile ${folder}/server.key`,
  }).start()
  secure.ca = join(folder, 'ca.pem')
  keys = join(folder, 'node-keys')
  writeFileSync(keys, 'me:"a key"\n', { mode: 0o600 })
  gateway = await daemon(['serve-gateway', '--standalone', '--listen', '127.0.0.1:0', '--coap', '127.0.0.1:5683',
    '--coaps', '127.0.0.1:5684', '--coaps-psk-file', keys, '--mqttsn', '127.0.0.1:0', '--key-file', join(folder, 'keys'), '--state-dir', join(folder, 'state')])
  await node.post({ address: '127.0.0.1', port: 5683 }, '/alive', 'alive:n1')
  const broker = `http://127.0.0.1:${gateway.listeners.http.port}/api/v1/nodes/n1`
  await until('the node at the broker', async () => (await (await fetch(broker)).json()).resources?.led)
})
after(async () => {
  node.stop()
  await gateway.end()
  await plain.end()
  await secure.end()
})

const base = (scheme) =>
  ({ coap: 'coap://127.0.0.2', 'coap+tcp': 'coap+tcp://127.0.0.1', mqtt: plain.url, mqtts: `mqtts://localhost:${secure.port}`,
    coaps: 'coaps://127.0.0.1', 'coaps+tcp': 'coaps+tcp://127.0.0.1',
    mqttsn: `mqttsn://127.0.0.1:${gateway.listeners.mqttsn.port}`, aiot: `aiot://127.0.0.1:${gateway.listeners.http.port}` })[scheme] ?? `${scheme}://127.0.0.1:9`
const resource = (scheme) => ({ aiot: 'n1/led', aiots: 'n1/led', 'coap+tcp': '.well-known/core', coaps: '.well-known/core',
  'coaps+tcp': '.well-known/core' })[scheme] ?? 'led'

function command(verb, scheme) {
  const uri = verb === 'discover' ? base(scheme) : `${base(scheme)}/${resource(scheme)}`
  const args = [verb, '--timeout', '5s', ...(scheme === 'mqtts' ? ['--ca', secure.ca] : []),
    ...(scheme.startsWith('coaps') ? ['--psk-file', keys] : []), uri]
  if (['put', 'post', 'publish'].includes(verb)) args.push('1')
  if (verb === 'observe') args.splice(1, 0, '--count', '1')
  return args
}

for (const [scheme, row] of Object.entries(table)) {
  test(`every verb on ${scheme}://`, async () => {
    // put before the others read, delete last.
    for (const verb of ['put', 'get', 'observe', 'publish', 'discover', 'post', 'delete']) {
      const args = command(verb, scheme)
      const expected = row[verb]
      if (expected === works && withoutPeer.has(scheme)) continue
      const done = await aiot(args)
      const told = `aiot ${args.join(' ')}: exit ${done.code}: ${done.stderr}`
      if (expected === works) {
        // The hand-made CoAP node has no DELETE and cannot be observed, and the gateway's own list cannot be
        // written: refused by them, not by us.
        const list = ['put', 'post', 'publish', 'delete', 'observe']
        const notOurs = { coap: ['post', 'publish', 'delete', 'observe'], aiot: ['post', 'delete'],
          'coap+tcp': list, coaps: list, 'coaps+tcp': list }[scheme] ?? []
        if (notOurs.includes(verb) && [5, 6].includes(done.code)) continue
        assert.equal(done.code, 0, told)
      } else {
        assert.equal(done.code, 2, told)
        assert.match(done.stderr, new RegExp(`${scheme.replace('+', '\\+')}://`), told)
        assert.match(done.stderr, new RegExp(`${verb} is not possible on`), told)
      }
    }
  })
}

test('mqtts trusts no stranger', async () => {
  const uri = `${base('mqtts')}/led`
  const stranger = await aiot(['get', uri])
  assert.equal(stranger.code, 7)
  const misnamed = await aiot(['get', '--ca', secure.ca, uri.replace('localhost', '127.0.0.1')])
  assert.equal(misnamed.code, 7)
  assert.match(misnamed.stderr, /IP address mismatch/)
})
