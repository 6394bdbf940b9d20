/** The broker's own pages, where a person gets a session and ends it. They stand beside this one. */

const login = () => new URL('login', document.baseURI)

/** To where one logs in, and back to what is shown now. */
function loginUrl(): string {
  const url = login()
  const { pathname, search, hash } = location
  if (pathname + search + hash !== '/') url.searchParams.set('next', pathname + search + hash)
  return url.href
}

let leaving = false
/** Once: what else fails meanwhile has the same reason. */
export function goToLogin(): void {
  if (leaving) return
  leaving = true
  location.assign(loginUrl())
}

/** True once the session is over; the page that comes then is the broker's. */
export async function logOut(): Promise<boolean> {
  leaving = true
  const answer = await fetch(new URL('logout', document.baseURI), { method: 'POST' }).catch(() => null)
  leaving = answer?.ok === true
  if (leaving) location.assign(login())
  return leaving
}
