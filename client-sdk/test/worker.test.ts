// The service worker's text, run where the stores of a browser are played: what it keeps, for whom, and what it forgets.

import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'

const SOURCE = readFileSync(new URL('../app/offline/worker.js', import.meta.url), 'utf8')
const ORIGIN = 'https://coterie.example'

type Handler = (event: Record<string, unknown>) => void
type Answer = (path: string) => Promise<Response>

/** As browsers have them: whoever holds a store that was deleted writes into nothing. */
class Stores {
  readonly all = new Map<string, Map<string, Response>>()
  readonly #key = (request: string | { url: string }) => new URL(typeof request === 'string' ? request : request.url, ORIGIN).href

  async open(name: string) {
    const store = this.all.get(name) ?? new Map<string, Response>()
    this.all.set(name, store)
    return {
      match: async (request: string | { url: string }) => store.get(this.#key(request))?.clone(),
      put: async (request: string | { url: string }, response: Response) => void store.set(this.#key(request), response),
      keys: async () => [...store.keys()].map((url) => ({ url })),
      delete: async (request: { url: string }) => store.delete(request.url),
      addAll: async () => undefined,
    }
  }
  async match(request: string | { url: string }, { cacheName }: { cacheName: string }) {
    return this.all.get(cacheName)?.get(this.#key(request))?.clone()
  }
  delete = async (name: string) => this.all.delete(name)
  kept = (name: string) => [...(this.all.get(name)?.keys() ?? [])].map((url) => new URL(url).pathname)
}

/** A worker as it is begun: anew after each rest, with the same stores. */
function begin(caches: Stores, server: Answer) {
  const handlers = new Map<string, Handler>()
  const self = { addEventListener: (name: string, handler: Handler) => handlers.set(name, handler), skipWaiting: async () => undefined, clients: { claim: async () => undefined } }
  const fetch = (request: string | { url: string }) => server(new URL(typeof request === 'string' ? request : request.url, ORIGIN).pathname)
  new Function('self', 'caches', 'fetch', 'location', 'FILES', 'VERSION', SOURCE)(self, caches, fetch, { origin: ORIGIN }, [], 'test')
  return {
    ask(path: string, page: string, mode = 'cors'): Promise<Response> {
      return new Promise((resolve, reject) => handlers.get('fetch')?.({
        request: { method: 'GET', url: ORIGIN + path, mode, headers: new Headers() }, clientId: page, resultingClientId: page,
        respondWith: (answer: Promise<Response>) => void answer.then(resolve, reject),
      }))
    },
    tell(data: unknown): Promise<void> {
      return new Promise((resolve) => handlers.get('message')?.({
        data, ports: [{ postMessage: () => resolve() }], waitUntil: () => undefined,
      }))
    },
  }
}

const page = () => new Response('<!doctype html>', { headers: { 'content-security-policy': "script-src 'nonce-x'" } })
const online: Answer = async (path) => (path.startsWith('/api/') ? Response.json({ id: path }) : page())
const offline: Answer = async () => {
  throw new TypeError('there is no network')
}

it('gives what it kept to a page that was opened offline, also after it was begun anew', async () => {
  const caches = new Stores()
  const first = begin(caches, online)
  await first.ask('/', 'p1', 'navigate')
  await first.ask('/api/projects', 'p1')
  const away = begin(caches, offline)
  await expect(away.ask('/api/projects', 'p1')).rejects.toThrow() // no answer is better than an old one
  await away.ask('/p/1', 'p2', 'navigate')
  expect(await (await away.ask('/api/projects', 'p2')).json()).toEqual({ id: '/api/projects' })
  const rested = begin(caches, offline)
  expect(await (await rested.ask('/api/projects', 'p2')).json()).toEqual({ id: '/api/projects' })
  // The server is back: from then on its answers count.
  await begin(caches, online).ask('/api/projects', 'p2')
  await expect(begin(caches, offline).ask('/api/projects', 'p2')).rejects.toThrow()
})

it('keeps nothing that was asked for before somebody signed out and is answered after it', async () => {
  const caches = new Stores()
  let answer = (_: Response) => {}
  const worker = begin(caches, (path) => (path === '/api/projects' ? new Promise((resolve) => (answer = resolve)) : online(path)))
  await worker.ask('/api/templates', 'p1')
  expect(caches.kept('coterie-data')).toEqual(['/api/templates'])
  const late = worker.ask('/api/projects', 'p1')
  await worker.tell({ forget: true })
  expect(caches.kept('coterie-data')).toEqual([])
  answer(Response.json({ items: ['secret'] }))
  await late
  expect(caches.kept('coterie-data')).toEqual([])
  // Whoever signs in next is kept for.
  await worker.ask('/api/templates', 'p1')
  expect(caches.kept('coterie-data')).toEqual(['/api/templates'])
})

it('forgets what it kept of one person when another is signed in', async () => {
  const caches = new Stores()
  let me = 'ann'
  const worker = begin(caches, async (path) => (path === '/api/me' ? Response.json({ id: me }) : online(path)))
  await worker.ask('/api/me', 'p1')
  await worker.ask('/api/projects', 'p1')
  me = 'ben'
  await worker.ask('/api/me', 'p1')
  expect(caches.kept('coterie-data')).toEqual(['/api/me'])
})
