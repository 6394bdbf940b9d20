/** Who looks at the page, and what the broker lets him do. Until that is known everything is offered: it is the broker who refuses. */
import { computed, shallowRef } from 'vue'
import { getJson } from './api/http'
import { goToLogin } from './api/login'
import { isRecord } from './storage'

export const roles = ['none', 'viewer', 'operator', 'admin'] as const
export type Role = (typeof roles)[number]

export interface Session {
  name: string
  role: Role
  /** He logged in, so that he can log out. */
  login: boolean
}

export const session = shallowRef<Session | null>(null)

export function toSession(told: unknown): Session | null {
  if (!isRecord(told)) return null
  const role = roles.find((known) => known === told.role)
  return role ? { name: typeof told.name === 'string' ? told.name : '', role, login: told.login === true } : null
}

const atLeast = (role: Role) => computed(() => session.value === null || roles.indexOf(session.value.role) >= roles.indexOf(role))
/** Writes to nodes, and names them. */
export const mayWrite = atLeast('operator')
/** Forgets nodes. */
export const mayForget = atLeast('admin')
/** Somebody who did not log in might get more by it. */
export const mayLogIn = computed(() => session.value !== null && !session.value.login && session.value.role !== 'admin')

const kAnswerMs = 10_000

/** Whenever the connection came or went: a login may have ended meanwhile, and who may nothing goes to get one. */
export async function loadSession(): Promise<void> {
  const told = toSession(await getJson('session', {}, AbortSignal.timeout(kAnswerMs)).catch(() => null))
  if (told === null) return
  if (told.role === 'none') return goToLogin()
  session.value = told
}
