// The real server as a child process, people who are signed in to it, and connections that can be cut.

import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { WebSocket as NodeSocket } from 'ws'
import { createClient, type Client } from '../src/index.ts'

const BINARY = process.env['COTERIE_BIN'] ?? fileURLToPath(new URL('../../target/debug/coterie', import.meta.url))
const READY = /open (http:\/\/\S+)/

export interface Server {
  url: string
  /** The file of its database. */
  database: string
  stop(): Promise<void>
}

export async function startServer(settings: Record<string, string> = {}): Promise<Server> {
  if (!existsSync(BINARY)) throw new Error(`There is no server at ${BINARY}: run cargo build, or set COTERIE_BIN.`)
  const folder = await mkdtemp(join(tmpdir(), 'coterie-sdk-'))
  const child: ChildProcess = spawn(BINARY, [], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], COTERIE_LISTEN: '127.0.0.1:0', COTERIE_DATA_DIR: join(folder, 'data'), RUST_LOG: 'warn', ...settings },
  })
  const url = await new Promise<string>((ready, failed) => {
    let said = ''
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (data: Buffer) => {
        said += data.toString()
        const found = READY.exec(said)
        if (found?.[1]) ready(found[1])
      })
    }
    child.on('error', failed)
    child.on('exit', (code) => failed(new Error(`the server ended (${code}): ${said}`)))
  })
  return {
    url,
    database: join(folder, 'data', 'coterie.db'),
    async stop() {
      const gone = new Promise((done) => child.once('exit', done))
      child.kill('SIGKILL')
      await gone
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Somebody in a browser of their own: requests with their cookie. */
export interface Guest {
  id: string
  ask<T>(method: string, path: string, body?: unknown): Promise<T>
  /** A client of the package for a project, as a program would have it. */
  program(projectId: string, line?: Line): Promise<Client>
}

export async function guest(server: Server, name: string): Promise<Guest> {
  let cookie = ''
  async function ask<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await fetch(server.url + path, {
      method,
      headers: { origin: server.url, 'content-type': 'application/json', ...(cookie ? { cookie } : {}) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    const [set] = answer.headers.getSetCookie()
    if (set) cookie = set.split(';')[0] ?? ''
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
  const { id } = await ask<{ id: string }>('POST', '/auth/guest', { name })
  return {
    id,
    ask,
    async program(projectId, line = openLine()) {
      const { token } = await ask<{ token: string }>('POST', `/api/projects/${projectId}/tokens`, {})
      const client = createClient({ url: server.url, token, WebSocket: line.WebSocket })
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

export function openLine(): Line {
  let isCut = false
  const sockets = new Set<NodeSocket>()
  class Socket extends NodeSocket {
    constructor(url: string, protocols?: string | string[]) {
      // The discard port: nobody listens there.
      super(isCut ? 'ws://127.0.0.1:9' : url, protocols)
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
