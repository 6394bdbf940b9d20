// Certificates for tests, made by openssl(1): an authority and what it has signed, good and bad.
import { execFileSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratch } from './process.mjs'

const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'pipe', 'ignore'] })
const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']

/** An authority in a folder of its own: `ca`, and `issue(name, ...)` for PEM files with certificate and key. */
export class Authority {
  constructor(name = 'aiot test authority') {
    this.folder = scratch()
    this.ca = join(this.folder, 'ca.pem')
    this.key = join(this.folder, 'ca.key')
    openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-keyout', this.key, '-out', this.ca)
    mkdirSync(join(this.folder, 'issued'))
    writeFileSync(join(this.folder, 'index.txt'), '')
    writeFileSync(join(this.folder, 'index.txt.attr'), 'unique_subject = no\n')
    writeFileSync(join(this.folder, 'ca.conf'), `[ca]
default_ca = it
[it]
database = ${this.folder}/index.txt
new_certs_dir = ${this.folder}/issued
rand_serial = yes
default_md = sha256
policy = any
copy_extensions = copy
unique_subject = no
[any]
commonName = supplied
`)
  }

  /** A PEM file with certificate and key, for the names in `san` ("DNS:localhost,IP:127.0.0.1"). */
  issue(name, { san = 'DNS:localhost,IP:127.0.0.1,IP:::1', from = '20200101000000Z', until = '20991231000000Z' } = {}) {
    const at = (extension) => join(this.folder, `${name}.${extension}`)
    openssl('req', ...newKey, '-subj', `/CN=${name}`, '-addext', `subjectAltName=${san}`, '-keyout', at('key'), '-out', at('csr'))
    openssl('ca', '-batch', '-notext', '-config', join(this.folder, 'ca.conf'), '-cert', this.ca, '-keyfile', this.key,
      '-startdate', from, '-enddate', until, '-in', at('csr'), '-out', at('crt'))
    execFileSync('sh', ['-c', 'cat "$1" "$2" >"$3"', 'sh', at('crt'), at('key'), at('pem')])
    return { cert: at('crt'), key: at('key'), pem: at('pem') }
  }
  expired(name) {
    return this.issue(name, { from: '20200101000000Z', until: '20200201000000Z' })
  }
}

/** One that nobody has signed. */
export function selfSigned(name = 'selfsigned') {
  const folder = scratch()
  const [cert, key, pem] = ['crt', 'key', 'pem'].map((extension) => join(folder, `${name}.${extension}`))
  openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=${name}`, '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1',
    '-keyout', key, '-out', cert)
  execFileSync('sh', ['-c', 'cat "$1" "$2" >"$3"', 'sh', cert, key, pem])
  return { cert, key, pem }
}
