// What people are told while the server's database does not take their edits: on the real server, whose database
// somebody else has locked.

import { spawn } from 'node:child_process'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client } from '../src/index.ts'
import { describeSave } from '../src/index.ts'
import { guest, startServer, until, type Server } from './server.ts'

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
