// A root with nothing but Debian's own packages, and a real systemd that runs one script in it.
import { spawnSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Process, scratch } from '../support/process.mjs'

/** Runs a program to its end and gives its standard output; throws with all that it said when it fails. */
export function must(command, args, options = {}) {
  const ended = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28, ...options })
  if (ended.status === 0) return ended.stdout
  throw new Error(`${command} ${args.join(' ')}: ${ended.error ?? ended.status ?? ended.signal}\n${ended.stdout}${ended.stderr}`)
}

/** Why clean roots cannot be made here; undefined when they can. */
export function obstacle() {
  if (process.getuid() !== 0) return 'making a root needs root'
  for (const [program, of] of [['mmdebstrap', 'mmdebstrap'], ['systemd-nspawn', 'systemd-container'], ['lintian', 'lintian']]) {
    if (spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0) return `Debian's package ${of} is not installed`
  }
}

/** The .deb of this build, or the one that AIOT_DEB names. */
export function built() {
  if (process.env.AIOT_DEB) return process.env.AIOT_DEB
  const folder = scratch()
  must('cpack', ['-G', 'DEB', '--config', join(process.env.AIOT_BUILD_DIR, 'CPackConfig.cmake'), '-B', folder])
  return join(folder, readdirSync(folder).find((name) => name.endsWith('.deb')))
}

// Where no systemd gives each machine a control group of its own, it makes one for itself, and nothing of it stays.
const kGroups = '/sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified'
const kOwnGroup = `[ -d /run/systemd/system ] || for tree in ${kGroups}; do
  [ -e $tree/cgroup.procs ] && mkdir $tree/aiot-test-$$ && echo $$ >$tree/aiot-test-$$/cgroup.procs
done
exec "$@"`
const kGroupGone = `for tree in ${kGroups}; do find $tree/aiot-test-$1 -depth -type d -exec rmdir {} ';'; done`

export class CleanRoot {
  /** Debian 12 with `packages`, from wherever this machine's apt has its own. */
  constructor(folder, packages) {
    this.path = join(folder, 'root')
    must('mmdebstrap', ['--quiet', '--mode=root', '--variant=minbase', `--include=${packages.join(',')}`, 'bookworm', this.path])
    mkdirSync(join(this.path, 'test'))
  }

  /** Puts a file of this machine into the root's /test. */
  add(file, name) {
    cpSync(file, join(this.path, 'test', name))
  }

  /** Boots, runs `script` (a file of this machine) as root, powers off; gives what it printed. */
  async boot(script, ms) {
    this.add(script, 'script')
    chmodSync(join(this.path, 'test/script'), 0o755)
    const system = join(this.path, 'etc/systemd/system')
    writeFileSync(join(system, 'test.service'), `[Service]
Type=oneshot
ExecStart=/test/script
StandardOutput=append:/test/log
StandardError=inherit
ExecStopPost=/bin/systemctl --no-block --force poweroff
`)
    mkdirSync(join(system, 'multi-user.target.wants'), { recursive: true })
    must('ln', ['-sf', '/etc/systemd/system/test.service', join(system, 'multi-user.target.wants/test.service')])
    // What AddressSanitizer does at the end needs more than a sandbox grants.
    mkdirSync(join(this.path, 'etc/systemd/system.conf.d'), { recursive: true })
    writeFileSync(join(this.path, 'etc/systemd/system.conf.d/test.conf'), '[Manager]\nDefaultEnvironment=ASAN_OPTIONS=detect_leaks=0\n')
    const machine = new Process('sh', ['-c', kOwnGroup, 'sh', 'systemd-nspawn', '--quiet', '--directory', this.path, '--register=no',
      '--private-network', '--console=pipe', '--boot', ...(existsSync('/run/systemd/system') ? [] : ['--keep-unit'])])
    // The first of these signals asks the root to shut down, another ends it.
    const late = setTimeout(() => {
      machine.child.kill('SIGTERM')
      setTimeout(() => machine.child.kill('SIGTERM'), 10_000).unref()
    }, ms)
    await machine.exited
    clearTimeout(late)
    spawnSync('sh', ['-c', kGroupGone, 'sh', String(machine.child.pid)])
    try {
      return readFileSync(join(this.path, 'test/log'), 'utf8')
    } catch {
      throw new Error(`the clean root did not come up: ${machine.stdout.slice(-4000)}${machine.stderr.slice(-2000)}`)
    }
  }
}
