// A server that is there and not well: what people are told while its database, which somebody else has locked, does not take
// their edits, and what becomes of other files while it does not answer of one.

import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client } from '../src/index.ts'
import { createClient, describeSave } from '../src/index.ts'
import { guest, openLine, startServer, until, type Server } from './server.ts'

const LOCK = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
connection.execute("begin immediate")
print("locked", flush=True)
sys.stdin.read()
connection.execute("rollback")
`

let server: Server
let client: Client | undefined

beforeAll(async () => {
  server = await startServer()
}, 60_000)
afterAll(async () => {
  client?.close()
  await server?.remove()
})

it('says why an edit is not saved yet, and that it is once the database takes it', async () => {
  const ann = await guest(server, 'Ann')
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Slow' })
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'plan.md', content: 'one\n' })
  client = await ann.program(id)
  const project = await client.open(id)
  const file = await project.files.open('plan.md')
  await file.whenSynced()
  await until(file.save, ({ kind }) => kind === 'saved')

  const lock = spawn('python3', ['-c', LOCK, server.database], { stdio: ['pipe', 'pipe', 'inherit'] })
  try {
    await new Promise((locked) => lock.stdout.once('data', locked))
    file.text.insert(0, 'typed. ')
    const state = await until(file.save, (state) => state.kind === 'saving' && state.why !== undefined)
    expect(describeSave(state)).toBe('Not saved yet: the database is slow; changes wait until it takes them')
    expect(describeSave(project.save.get())).toBe(describeSave(state))
  } finally {
    lock.stdin.end()
  }
  await until(file.save, ({ kind }) => kind === 'saved')
  file.text.insert(0, 'more. ')
  const next = await until(file.save, ({ kind }) => kind !== 'saved')
  expect(describeSave(next)).toBe('Saving…')
  await until(file.save, ({ kind }) => kind === 'saved')
  expect(await project.files.read('plan.md')).toBe('more. typed. one\n')
}, 60_000)

it('asks again about the one file that the server does not answer of, and leaves the others alone', async () => {
  const ann = await guest(server, 'Ann')
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Busy' })
  const slow = await ann.ask<{ id: string }>('POST', `/api/projects/${id}/documents`, { path: 'slow.md', content: 'slow\n' })
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'well.md', content: 'well\n' })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/tokens`, {})
  const line = openLine()
  const answers = [{ status: 503 }, { status: 500 }, { status: 429, headers: { 'retry-after': '1' } }]
  let refused: number[] | null = null
  const busy = createClient({ url: server.url, token, WebSocket: line.WebSocket, fetch: async (input) => {
    if (!refused || !(input as Request).url.endsWith(`/documents/${slow.id}`)) return fetch(input)
    const answer = answers[refused.length]
    if (!answer) return fetch(input)
    refused.push(Date.now())
    return new Response('', answer)
  } })
  try {
    await busy.me()
    const project = await busy.open(id)
    const [one, other] = [await project.files.open('slow.md'), await project.files.open('well.md')]
    await Promise.all([one, other].map((file) => until(file.save, ({ kind }) => kind === 'saved')))
    line.cut()
    await Promise.all([one, other].map((file) => until(file.save, ({ kind }) => kind === 'offline')))
    one.text.insert(0, 'typed. ')
    refused = []
    line.mend()
    await until(busy.connection, (status) => status === 'open')
    const seen: string[] = []
    const stop = busy.connection.subscribe((status) => seen.push(status))
    await until(other.save, ({ kind }) => kind === 'saved')
    other.text.insert(0, 'typed. ')
    await until(other.save, ({ kind }) => kind === 'saved')
    expect(one.save.get().kind).not.toBe('saved')
    await until(one.save, ({ kind }) => kind === 'saved')
    const [, , last = 0] = refused
    expect(refused).toHaveLength(3)
    expect(Date.now() - last).toBeGreaterThanOrEqual(1_000)
    stop()
    expect(seen).toEqual(['open'])
    expect(await project.files.read('slow.md')).toBe('typed. slow\n')
    expect(await project.files.read('well.md')).toBe('typed. well\n')
  } finally {
    busy.close()
  }
}, 60_000)
