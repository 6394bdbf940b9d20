// docs/dashboard.md names a test for every item of pyaiot's dashboard and of this one; each of them exists.
import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, it } from 'node:test'

const source = process.env.AIOT_SOURCE_DIR ?? join(import.meta.dirname ?? '.', '../..')
const page = readFileSync(join(source, 'docs/dashboard.md'), 'utf8')

const plain = (text) => text.replace(/\$\{[^}]*\}/g, '…').replace(/[’']/g, "'")
/** Names of the tests of a file, and of the groups they are in. */
function testsOf(file) {
  const path = join(source, `tests/browser/${file}.test.mjs`)
  if (!existsSync(path)) return null
  return [...readFileSync(path, 'utf8').matchAll(/\b(?:it|describe)\((['`"])(.*?)\1, /g)].map((match) => plain(match[2]))
}
/** A name may leave out its middle or its end with "...". */
const isNamed = (wanted, name) => {
  const parts = plain(wanted).split('...')
  return name.startsWith(parts[0]) && parts.slice(1).every((part) => name.includes(part.trim())) && (parts.length > 1 || name === parts[0])
}

describe('the checklist', () => {
  const rows = page.split('\n').filter((line) => line.startsWith('|') && !/^\|[\s|-]*$/.test(line))
  const cells = rows.map((row) => row.split('|').slice(1, -1).map((cell) => cell.trim()))
  const items = cells.filter((row) => /^[a-z_]+: /.test(row[row.length - 1]) || /`bench|^unit/.test(row[row.length - 1]))

  it('names tests that exist', () => {
    assert.ok(items.length >= 30, `${items.length} items`)
    for (const row of items) {
      let named = 0
      for (const [, file, names] of row[row.length - 1].matchAll(/(?:^|; )([a-z_]+): ((?:"[^"]*"(?:, )?)+)/g)) {
        if (file === 'unit') {
          named += 1
          const all = readdirSync(join(source, 'tests/unit'), { recursive: true }).filter((path) => path.endsWith('.cpp')).map((path) => readFileSync(join(source, 'tests/unit', path), 'utf8'))
          for (const [, name] of names.matchAll(/"([^"]*)"/g)) assert.ok(all.some((text) => text.includes(`"${name}`)), `no unit test "${name}"`)
          continue
        }
        const tests = testsOf(file)
        assert.ok(tests, `no ${file}.test.mjs for "${row[0]}"`)
        for (const [, name] of names.matchAll(/"([^"]*)"/g)) {
          named += 1
          assert.ok(tests.some((test) => isNamed(name, test)), `${file} has no test "${name}", of "${row[0]}"`)
        }
      }
      assert.ok(named > 0 || row[row.length - 1].includes('bench/run'), `no test is named for "${row[0]}"`)
    }
  })

  it('leaves no browser test out of the build', () => {
    const built = readFileSync(join(source, 'tests/browser/CMakeLists.txt'), 'utf8')
    for (const file of readdirSync(join(source, 'tests/browser'))) if (file.endsWith('.test.mjs')) assert.ok(built.includes(`FILE ${file} `), `${file} is not run`)
  })
})
