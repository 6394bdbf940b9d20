/** The `aiot` lines that do in a shell what the dashboard does, quoted so that no name or value is ever more than one word. */

const kPlain = /^[A-Za-z0-9_/:.,@%+=~^-]+$/
/** Controls, and what makes a terminal or an editor show another text than the one that is run. */
const kHidden = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cn}\p{Cs}]/u

const octal = (byte: number) => `\\${byte.toString(8).padStart(3, '0')}`

/** One word of a POSIX shell; with $'...' (bash, zsh, ksh, POSIX 2024) where characters would not show. */
export function quote(text: string): string {
  if (kPlain.test(text) && !text.startsWith('~') && !text.startsWith('=')) return text
  if (!kHidden.test(text)) return `'${text.replace(/'/g, `'\\''`)}'`
  const encoder = new TextEncoder()
  const escaped = Array.from(text, (character) => {
    if (character === '\n') return '\\n'
    if (character === "'" || character === '\\') return `\\${character}`
    if (!kHidden.test(character)) return character
    return Array.from(encoder.encode(character), octal).join('')
  })
  return `$'${escaped.join('')}'`
}

export const line = (...words: string[]) => ['aiot', ...words.map(quote)].join(' ')

/** The broker that this page came from. */
export function brokerUrl(): URL {
  return new URL('.', document.baseURI)
}

/** How a command names the broker: nothing extra where an aiot:// URI says it all, --broker behind a path prefix. */
export function brokerOption(): string[] {
  const { protocol, host, pathname } = brokerUrl()
  return ['--broker', `${protocol === 'https:' ? 'wss' : 'ws'}://${host}${pathname.replace(/\/$/, '')}`]
}

export function target(uid: string, resource: string): string[] {
  const { protocol, host, port, pathname } = brokerUrl()
  const path = `${encodeURIComponent(uid)}/${encodeURIComponent(resource)}`
  if (pathname !== '/') return [...brokerOption(), path]
  const at = port || protocol === 'https:' ? host : `${host}:80`
  return [`${protocol === 'https:' ? 'aiots' : 'aiot'}://${at}/${path}`]
}

export const getCommand = (uid: string, resource: string) => line('get', ...target(uid, resource))
export const observeCommand = (uid: string, resource: string) => line('observe', ...target(uid, resource))

/** A value that the command line would take for a file, standard input or an option goes in through a pipe. */
export function putCommand(uid: string, resource: string, value: string): string {
  const words = target(uid, resource)
  const isOption = value.startsWith('-') && !/^-\.?\d/.test(value)
  if (!value.startsWith('@') && !isOption) return line('put', ...words, value)
  return `printf %s ${quote(value)} | ${line('put', ...words, '-')}`
}

export interface HistoryRange {
  from: Date
  to?: Date
  /** In seconds. */
  step?: number
}

/** One line for all that a chart shows; `to` is left out at the live edge. */
export function historyCommand(series: readonly { uid: string; resource: string }[], range: HistoryRange): string {
  const times = ['--since', range.from.toISOString()]
  if (range.to) times.push('--until', range.to.toISOString())
  if (range.step) times.push('--step', `${range.step}s`)
  const targets = series.map(({ uid, resource }) => target(uid, resource))
  const broker = targets[0]?.length === 3 ? brokerOption() : []
  return line('history', ...broker, ...times, ...targets.map((words) => words[words.length - 1]!))
}

/** A write to many nodes, one after the other. */
export function groupPutCommand(uids: readonly string[], resource: string, value: string): string {
  const targets = uids.map((uid) => target(uid, resource))
  const broker = targets[0]?.length === 3 ? brokerOption() : []
  const words = targets.map((of) => quote(of[of.length - 1]!)).join(' ')
  const plain = !value.startsWith('@') && !value.startsWith('-')
  const put = `${line('put', ...broker)} "$target" ${plain ? quote(value) : '-'}`
  return `for target in ${words}; do ${plain ? put : `printf %s ${quote(value)} | ${put}`}; done`
}

/** Sets labels, or takes them away where the value is empty. */
export function labelCommand(uids: readonly string[], name: string, value: string): string {
  const change = value === '' ? `${name}-` : `${name}=${value}`
  if (uids.length === 1) return line('label', ...brokerOption(), uids[0]!, change)
  return `for uid in ${uids.map(quote).join(' ')}; do ${line('label', ...brokerOption())} "$uid" ${quote(change)}; done`
}

/** What a list of nodes shows, as far as the command line has the same filters. */
export function nodesCommand({ q, state, protocol, gateway, label }: Record<'q' | 'state' | 'protocol' | 'gateway' | 'label', string>): string {
  const options: [string, string][] = [['--state', state === 'silent' ? 'live' : state], ['--protocol', protocol], ['--gateway', gateway], ['--label', label.includes('=') ? label : ''], ['--query', q.trim()]]
  return line('nodes', ...brokerOption(), ...options.flatMap(([name, value]) => (value === '' ? [] : value.startsWith('-') ? [`${name}=${value}`] : [name, value])))
}

export const nodeCommand = (uid: string) => line('nodes', ...brokerOption(), '--json', '--query', uid)
export const eventsCommand = (uid: string) => line('events', ...brokerOption(), ...(uid === '' ? [] : ['--node', uid]))
export const statusCommand = () => line('status', ...brokerOption())
