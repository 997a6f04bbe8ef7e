// The service worker: the studio opens without a server too, with what this device kept of the projects that were open.
// The build puts FILES and VERSION before this text: what the studio is made of, and a hash of it.
//
// The page is asked of the server first, always: an answer carries a nonce of its own. Files with a hash in their name never
// change. Of the interface it keeps what a page needs to open a project, and gives it only to pages that were themselves
// opened without a server: for all others no answer is better than an old one. Never kept: whether a document begins a new
// history, since an old one must not flow into it.

const SHELL = 'coterie-shell'
const DATA = 'coterie-data'
/** What the version before was made of, which pages that are still open may ask for. */
const BEFORE = '/offline-files'
const PAGE = '/'
const MOST_ANSWERS = 300

const STUDIO = /^\/($|me$|p\/|join\/)/
const ANSWERS = [
  /^\/api\/(me|auth|templates|models)$/,
  /^\/api\/projects$/,
  /^\/api\/projects\/[^/]+$/,
  /^\/api\/projects\/[^/]+\/(documents|feed|conversations|messages|proposals|personas|members)$/,
]

/** Pages that were opened without a server: kept too, since a worker with nothing to do is ended and begun anew. */
const ALONE = '/offline-alone'
const MOST_ALONE = 50
/** Rises when all that was kept of somebody is forgotten: what was asked for before is not kept any more. */
let era = 0

self.addEventListener('install', (event) => event.waitUntil(install()))
self.addEventListener('activate', (event) => event.waitUntil(activate()))
self.addEventListener('fetch', (event) => {
  const { request } = event
  const url = new URL(request.url)
  if (request.method !== 'GET' || url.origin !== location.origin) return
  if (request.mode === 'navigate') {
    if (STUDIO.test(url.pathname)) event.respondWith(open(request, event.resultingClientId))
  } else if (FILES.includes(url.pathname) || url.pathname.startsWith('/assets/')) {
    event.respondWith(file(request))
  } else if (ANSWERS.some((one) => one.test(url.pathname)) && request.headers.get('accept') !== 'text/event-stream') {
    event.respondWith(answer(request, url, event.clientId))
  }
})
// What a page asked for before it was looked after; and that somebody signs out.
self.addEventListener('message', (event) => {
  if (event.data?.forget) event.waitUntil(forget().finally(() => event.ports[0]?.postMessage('forgotten')))
  for (const address of event.data?.asked ?? []) {
    const url = new URL(address)
    if (url.origin === location.origin && ANSWERS.some((one) => one.test(url.pathname))) event.waitUntil(keepAsked(url))
  }
})

async function install() {
  const shell = await caches.open(SHELL)
  const there = new Set((await shell.keys()).map(({ url }) => new URL(url).pathname))
  await shell.addAll(FILES.filter((path) => !path.startsWith('/assets/') || !there.has(path)))
  await keepPage(await fetch(PAGE, { headers: { accept: 'text/html' } })) // nothing else is given the page
  await self.skipWaiting()
}

async function activate() {
  const shell = await caches.open(SHELL)
  const before = await shell.match(BEFORE)
  const kept = new Set([...FILES, ...(before ? await before.json() : []), PAGE, BEFORE, ALONE])
  for (const request of await shell.keys()) {
    if (!kept.has(new URL(request.url).pathname)) await shell.delete(request)
  }
  await shell.put(BEFORE, Response.json(FILES))
  await self.clients.claim()
}

async function keepPage(response) {
  // An error page of a proxy is not the studio.
  if (!response.ok || !response.headers.get('content-security-policy')?.includes('nonce-')) return
  const shell = await caches.open(SHELL)
  await shell.put(PAGE, response)
}

async function open(request, page) {
  try {
    const response = await fetch(request)
    await keepPage(response.clone()).catch(() => undefined)
    return response
  } catch (error) {
    const kept = await caches.match(PAGE, { cacheName: SHELL })
    if (!kept) throw error
    await noteAlone(page, true)
    return kept
  }
}

async function file(request) {
  const shell = await caches.open(SHELL)
  const isFixed = new URL(request.url).pathname.startsWith('/assets/')
  const kept = await shell.match(request)
  if (kept && isFixed) return kept
  try {
    const response = await fetch(request)
    if (response.ok) await shell.put(request, response.clone()).catch(() => undefined)
    return response
  } catch (error) {
    if (kept) return kept
    throw error
  }
}

let alone
/** The pages that were opened without a server, as this worker and those before it noted. */
const readAlone = () => (alone ??= caches.match(ALONE, { cacheName: SHELL }).then((kept) => kept?.json() ?? []).then((pages) => new Set(pages)))

async function noteAlone(page, is) {
  const pages = await readAlone()
  if (pages.has(page) === is) return
  if (is) pages.add(page)
  else pages.delete(page)
  const shell = await caches.open(SHELL)
  await shell.put(ALONE, Response.json([...pages].slice(-MOST_ALONE))).catch(() => undefined)
}

async function answer(request, url, page) {
  const asked = era
  let response
  try {
    response = await fetch(request)
  } catch (error) {
    const kept = (await readAlone()).has(page) ? await caches.match(request, { cacheName: DATA, ignoreVary: true }) : undefined
    if (!kept) throw error
    return kept
  }
  await noteAlone(page, false)
  await keepAnswer(request, url, response, asked).catch(() => undefined)
  return response
}

function forget() {
  era += 1
  return caches.delete(DATA)
}

async function keepAnswer(request, url, response, asked) {
  if (url.pathname === '/api/me' && (response.status === 401 || (response.ok && (await isOther(response))))) {
    await forget()
    asked = era // this one is the other's
  }
  if (!response.ok) return
  const data = await caches.open(DATA)
  // Nothing comes between this and the writing: a store that is deleted from now on takes it along.
  if (asked !== era) return
  await data.put(request, response.clone())
  const keys = await data.keys()
  for (const old of keys.slice(0, Math.max(0, keys.length - MOST_ANSWERS))) await data.delete(old)
}

async function keepAsked(url) {
  const asked = era
  try {
    const request = new Request(url)
    await keepAnswer(request, url, await fetch(request), asked)
  } catch {
    // Without a server there is nothing to keep.
  }
}

/** Whether somebody else is signed in than before. */
async function isOther(response) {
  const before = await caches.match('/api/me', { cacheName: DATA, ignoreVary: true })
  return before !== undefined && (await before.json()).id !== (await response.clone().json()).id
}
