// Ten addresses, the History API, nothing else.

import { createStore, type Store } from 'coterie'

export type Route =
  | { screen: 'projects' }
  | { screen: 'account' }
  | { screen: 'project'; project: string }
  | { screen: 'settings'; project: string }
  | { screen: 'file'; project: string; file: string }
  | { screen: 'review'; project: string; proposal: string }
  | { screen: 'message'; project: string; message: string }
  /** A picture or attachment, by what is in it. */
  | { screen: 'picture'; project: string; hash: string }
  /** `file` comes from the fragment: an invite made in a file leads into that file. */
  | { screen: 'join'; token: string; file: string | null }
  | { screen: 'lost' }

export function parseRoute(pathname: string, hash = ''): Route {
  let parts: string[]
  try {
    parts = pathname.split('/').filter(Boolean).map(decodeURIComponent)
  } catch {
    return { screen: 'lost' } // a stray %
  }
  const [first, second, third, fourth, ...more] = parts
  if (more.length > 0) return { screen: 'lost' }
  if (first === undefined) return { screen: 'projects' }
  if (first === 'me' && second === undefined) return { screen: 'account' }
  if (first === 'p' && second !== undefined && third === 'settings' && fourth === undefined) return { screen: 'settings', project: second }
  if (first === 'p' && second !== undefined && third === undefined) return { screen: 'project', project: second }
  if (first === 'p' && second !== undefined && third === 'f' && fourth !== undefined) {
    return { screen: 'file', project: second, file: fourth }
  }
  if (first === 'p' && second !== undefined && third === 'r' && fourth !== undefined) {
    return { screen: 'review', project: second, proposal: fourth }
  }
  if (first === 'p' && second !== undefined && third === 'm' && fourth !== undefined) {
    return { screen: 'message', project: second, message: fourth }
  }
  if (first === 'p' && second !== undefined && third === 'b' && fourth !== undefined) {
    return { screen: 'picture', project: second, hash: fourth }
  }
  if (first === 'join' && second !== undefined && third === undefined) {
    return { screen: 'join', token: second, file: hash.replace(/^#/, '') || null }
  }
  return { screen: 'lost' }
}

export const toProjects = '/'
export const toAccount = '/me'
export const toProject = (project: string) => `/p/${encodeURIComponent(project)}`
export const toSettings = (project: string) => `${toProject(project)}/settings`
export const toFile = (project: string, file: string) => `${toProject(project)}/f/${encodeURIComponent(file)}`
export const toMessage = (project: string, message: string) => `${toProject(project)}/m/${encodeURIComponent(message)}`
export const toPicture = (project: string, hash: string) => `${toProject(project)}/b/${encodeURIComponent(hash)}`
export const toReview = (project: string, proposal: string) => `${toProject(project)}/r/${encodeURIComponent(proposal)}`

const here = createStore<Route>(read())
export const route: Store<Route> = here

function read(): Route {
  return typeof location === 'undefined' ? { screen: 'projects' } : parseRoute(location.pathname, location.hash)
}

export function navigate(path: string, how: { replace?: boolean } = {}): void {
  if (how.replace) history.replaceState(null, '', path)
  else history.pushState(null, '', path)
  here.set(read())
}

/** Makes back, forward and plain links work without loading the page anew. */
export function startRouter(): void {
  addEventListener('popstate', () => here.set(read()))
  document.addEventListener('click', (event) => {
    // Everything but a plain click (new tab, download…) is the browser's.
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return
    if (link.hash && link.pathname === location.pathname) return // a skip link
    if (/^\/(api|assets|auth)\//.test(link.pathname)) return
    event.preventDefault()
    navigate(link.pathname + link.search + link.hash)
  })
}
