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

/** Pages that were opened without a server. */
const alone = new Set()

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
// What a page asked for before it was looked after.
self.addEventListener('message', (event) => {
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
  const kept = new Set([...FILES, ...(before ? await before.json() : []), PAGE, BEFORE])
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
    alone.add(page)
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

async function answer(request, url, page) {
  let response
  try {
    response = await fetch(request)
  } catch (error) {
    const kept = alone.has(page) ? await caches.match(request, { cacheName: DATA, ignoreVary: true }) : undefined
    if (!kept) throw error
    return kept
  }
  alone.delete(page)
  await keepAnswer(request, url, response).catch(() => undefined)
  return response
}

async function keepAnswer(request, url, response) {
  if (url.pathname === '/api/me' && (response.status === 401 || (response.ok && (await isOther(response))))) await caches.delete(DATA)
  if (!response.ok) return
  const data = await caches.open(DATA)
  await data.put(request, response.clone())
  const keys = await data.keys()
  for (const old of keys.slice(0, Math.max(0, keys.length - MOST_ANSWERS))) await data.delete(old)
}

async function keepAsked(url) {
  try {
    const request = new Request(url)
    await keepAnswer(request, url, await fetch(request))
  } catch {
    // Without a server there is nothing to keep.
  }
}

/** Whether somebody else is signed in than before. */
async function isOther(response) {
  const before = await caches.match('/api/me', { cacheName: DATA, ignoreVary: true })
  return before !== undefined && (await before.json()).id !== (await response.clone().json()).id
}
