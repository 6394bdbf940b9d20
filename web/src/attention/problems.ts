/** What is wrong now, by gateway: pure, from the table of nodes, the gateways, the ledger and what happened. */
import type { BrokerEvent } from '../live/events'
import { isFailedWrite } from '../live/events'
import type { Gateway, Ledger } from '../live/operations'
import type { Node } from '../nodes'

export const kinds = [
  'gateway_down', 'ledger', 'conflict', 'gap', 'store', 'stale', 'out', 'silent', 'resetting', 'refused_write',
] as const
export type ProblemKind = (typeof kinds)[number]
export type Severity = 'bad' | 'warn'

/** Of one kind at one gateway. */
export interface Problem {
  kind: ProblemKind
  severity: Severity
  /** Empty for the broker's own. */
  gateway: string
  /** Nodes, or events where it is about these. */
  count: number
  /** The latest that happened; 0 where that is not known. */
  since: number
  /** The first of them, the most urgent first. */
  nodes: readonly { uid: string; name: string; since: number; note: string }[]
  messages: readonly { id: number; time: number; text: string; node: string }[]
}

export interface GatewayProblems {
  gateway: string
  connected: boolean | null
  live: number
  stale: number
  out: number
  problems: Problem[]
}

export interface Summary {
  live: number
  stale: number
  out: number
  silent: number
}

/** Silent is a live node that has said nothing for several of its usual intervals, and for a while. */
const kSilentIntervals = 4
const kSilentLeastMs = 60_000
/** Nodes that restarted so often within an hour are resetting. */
const kResets = 3
const kHourMs = 3_600_000
const kDayMs = 24 * kHourMs
const kShown = 5

const severities: Record<ProblemKind, Severity> = {
  gateway_down: 'bad', ledger: 'bad', conflict: 'bad', gap: 'warn', store: 'bad', stale: 'warn', out: 'bad',
  silent: 'warn', resetting: 'warn', refused_write: 'warn',
}

const kindOfEvent: Record<string, ProblemKind> = {
  gap: 'gap', stream_replaced: 'gap', journal_overflow: 'gap', journal_damaged: 'gap',
  uid_conflict: 'conflict', name_conflict: 'conflict', node_refused: 'conflict',
  disk_full: 'store', store_damaged: 'store', store_failed: 'store', refused_input: 'refused_write',
}

export function silentFor(node: Node, now: number): number {
  if (node.state !== 'live' || node.interval <= 0 || node.heard === 0) return 0
  const silence = now - node.heard
  return silence > Math.max(kSilentLeastMs, kSilentIntervals * node.interval) ? silence : 0
}

/** Nodes that restarted at least kResets times within the hour, and how often. */
export function resetting(events: readonly BrokerEvent[], now: number): Map<string, { count: number; last: number }> {
  const all = new Map<string, { count: number; last: number }>()
  for (const event of events) {
    if (event.type !== 'reset' || event.node === '' || event.time < now - kHourMs) continue
    const at = all.get(event.node)
    all.set(event.node, { count: (at?.count ?? 0) + 1, last: Math.max(at?.last ?? 0, event.time) })
  }
  for (const [uid, { count }] of all) if (count < kResets) all.delete(uid)
  return all
}

export interface Sources {
  nodes: Iterable<Node>
  name: (node: Node) => string
  events: readonly BrokerEvent[]
  gateways: readonly Gateway[] | null
  ledger: Ledger | null
  now: number
  /** Events up to that number were seen by the operator. */
  seen: number
  resetNote: (count: number) => string
}

class Collector {
  private readonly groups = new Map<string, GatewayProblems>()
  private readonly byKind = new Map<string, Problem & { nodes: Problem['nodes'][number][]; messages: Problem['messages'][number][] }>()

  group(gateway: string): GatewayProblems {
    let group = this.groups.get(gateway)
    if (!group) this.groups.set(gateway, (group = { gateway, connected: null, live: 0, stale: 0, out: 0, problems: [] }))
    return group
  }

  problem(kind: ProblemKind, gateway: string) {
    const key = `${kind}\n${gateway}`
    let problem = this.byKind.get(key)
    if (!problem) {
      problem = { kind, severity: severities[kind], gateway, count: 0, since: 0, nodes: [], messages: [] }
      this.byKind.set(key, problem)
      this.group(gateway).problems.push(problem)
    }
    return problem
  }

  /** Keeps the newest few of them. */
  node(kind: ProblemKind, node: Node, since: number, note = ''): void {
    const problem = this.problem(kind, node.gateway)
    problem.count += 1
    problem.since = Math.max(problem.since, since)
    const last = problem.nodes[kShown - 1]
    if (last && last.since >= since) return
    problem.nodes.push({ uid: node.uid, name: '', since, note })
    problem.nodes.sort((a, b) => b.since - a.since)
    problem.nodes.length = Math.min(problem.nodes.length, kShown)
  }

  event(kind: ProblemKind, event: BrokerEvent): void {
    const problem = this.problem(kind, event.gateway)
    problem.count += 1
    problem.since = Math.max(problem.since, event.time)
    problem.messages.unshift({ id: event.id, time: event.time, text: event.message, node: event.node })
    problem.messages.length = Math.min(problem.messages.length, kShown)
  }

  finish(): GatewayProblems[] {
    for (const group of this.groups.values()) {
      group.problems.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind))
    }
    const weight = (group: GatewayProblems) =>
      group.problems.reduce((sum, problem) => sum + (problem.severity === 'bad' ? 1000 : 1), 0)
    return [...this.groups.values()].sort((a, b) => weight(b) - weight(a) || (a.gateway < b.gateway ? -1 : 1))
  }
}

export function findProblems(sources: Sources): { summary: Summary; groups: GatewayProblems[] } {
  const { now, seen } = sources
  const found = new Collector()
  const summary: Summary = { live: 0, stale: 0, out: 0, silent: 0 }
  const restless = resetting(sources.events, now)
  const byUid = new Map<string, Node>()
  for (const node of sources.nodes) {
    summary[node.state] += 1
    found.group(node.gateway)[node.state] += 1
    if (node.state !== 'live') {
      found.node(node.state, node, node.heard)
    } else if (silentFor(node, now) > 0) {
      summary.silent += 1
      found.node('silent', node, node.heard)
    }
    const resets = restless.get(node.uid)
    if (resets) found.node('resetting', node, resets.last, sources.resetNote(resets.count))
    byUid.set(node.uid, node)
  }
  for (const event of sources.events) {
    if (event.id <= seen || event.time < now - kDayMs) continue
    const kind = isFailedWrite(event) ? 'refused_write' : kindOfEvent[event.type]
    if (kind) found.event(kind, event)
  }
  for (const gateway of sources.gateways ?? []) {
    found.group(gateway.name).connected = gateway.connected
    if (!gateway.connected) found.problem('gateway_down', gateway.name).since = gateway.seen
  }
  for (const text of sources.ledger?.problems ?? []) {
    const problem = found.problem('ledger', '')
    problem.count += 1
    problem.messages.push({ id: 0, time: now, text, node: '' })
  }
  const groups = found.finish()
  for (const { problems } of groups) {
    for (const problem of problems) {
      for (const shown of problem.nodes) {
        const node = byUid.get(shown.uid)
        if (node) shown.name = sources.name(node)
      }
    }
  }
  return { summary, groups }
}
