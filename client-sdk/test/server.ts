// The real server as a child process, people who are signed in to it, and connections that can be cut.

import { join } from 'node:path'
import { WebSocket as NodeSocket } from 'ws'
import { startProcess, type ServerProcess } from '../../tests/server.mjs'
import { createClient, type Client, type Project } from '../src/index.ts'

export interface Server extends ServerProcess {
  /** The file of its database. */
  database: string
}

export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  const running = await startProcess(settings)
  return { ...running, database: join(running.dataDir, 'coterie.db') }
}

/** Somebody in a browser of their own: requests with their cookie. */
export interface Guest {
  id: string
  ask<T>(method: string, path: string, body?: unknown): Promise<T>
  text(path: string): Promise<string>
  /** A client of the package for a project, as a program would have it. */
  program(projectId: string, line?: Line): Promise<Client>
  /** A client of the package in their browser, known by its cookie. */
  browser(): Promise<Client>
}

/** A project of somebody's with these texts in it, as a program of theirs has it open. */
export async function begin(owner: Guest, name: string, files: Record<string, string> = {}): Promise<{ client: Client; project: Project }> {
  const { id } = await owner.ask<{ id: string }>('POST', '/api/projects', { name })
  for (const [path, content] of Object.entries(files)) await owner.ask('POST', `/api/projects/${id}/documents`, { path, content })
  const client = await owner.program(id)
  return { client, project: await client.open(id) }
}

export async function guest(server: Server, name: string): Promise<Guest> {
  let cookie = ''
  async function send(method: string, path: string, body?: unknown): Promise<Response> {
    const answer = await fetch(server.url + path, {
      method,
      headers: { origin: server.url, 'content-type': 'application/json', ...(cookie ? { cookie } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer
  }
  async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await send(method, path, body)
    const [set] = answer.headers.getSetCookie()
    if (set) cookie = set.split(';')[0] ?? ''
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
  const { id } = await ask<{ id: string }>('POST', '/auth/guest', { name })
  return {
    id,
    ask,
    text: async (path) => (await send('GET', path)).text(),
    async program(projectId, line = openLine()) {
      const { token } = await ask<{ token: string }>('POST', `/api/projects/${projectId}/tokens`, {})
      const client = createClient({ url: server.url, token, WebSocket: line.WebSocket })
      await client.me()
      return client
    },
    async browser() {
      const known = { cookie, origin: server.url }
      const client = createClient({
        url: server.url,
        WebSocket: openLine(known).WebSocket,
        fetch: (input) => {
          for (const [name, value] of Object.entries(known)) (input as Request).headers.set(name, value)
          return fetch(input)
        },
      })
      await client.me()
      return client
    },
  }
}

/** A network that can be cut. */
export interface Line {
  WebSocket: typeof WebSocket
  cut(): void
  mend(): void
}

export function openLine(headers: Record<string, string> = {}): Line {
  let isCut = false
  const sockets = new Set<NodeSocket>()
  class Socket extends NodeSocket {
    constructor(url: string, protocols?: string | string[]) {
      // The discard port: nobody listens there.
      super(isCut ? 'ws://127.0.0.1:9' : url, protocols, { headers })
      sockets.add(this)
      this.on('error', () => undefined)
      this.on('close', () => sockets.delete(this))
    }
  }
  return {
    WebSocket: Socket as unknown as typeof WebSocket,
    cut() {
      isCut = true
      for (const socket of sockets) socket.terminate()
    },
    mend: () => void (isCut = false),
  }
}

/** The first value of a store that is wanted. */
export function until<T>(store: { subscribe(follower: (value: T) => void): () => void }, wanted: (value: T) => boolean): Promise<T> {
  return new Promise((resolve, reject) => {
    let last: T
    const timer = setTimeout(() => reject(new Error(`in vain; last seen: ${JSON.stringify(last)}`)), 20_000)
    let stop = () => {}
    stop = store.subscribe((value) => {
      last = value
      if (!wanted(value)) return
      clearTimeout(timer)
      resolve(value)
      queueMicrotask(() => stop())
    })
  })
}
