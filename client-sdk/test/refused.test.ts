// What becomes of edits that the server refuses: on the real server, over a line that is cut.

import { webcrypto } from 'node:crypto'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Client, FileHandle, Opening } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Server } from './server.ts'

let server: Server
let ann: Guest
let ben: Guest
const clients: Client[] = []

beforeAll(async () => {
  // As on a page that is not served by HTTPS, such as one of a machine in the office.
  vi.stubGlobal('crypto', { getRandomValues: (bytes: Uint8Array) => webcrypto.getRandomValues(bytes), subtle: webcrypto.subtle })
  server = await startServer()
  ann = await guest(server, 'Ann')
  ben = await guest(server, 'Ben')
}, 60_000)
afterAll(async () => {
  clients.forEach((client) => client.close())
  await server?.remove()
})

async function shared(text: string) {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Kept' })
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'docs/plan.md', content: text })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  await ben.ask('POST', `/api/invites/${token}/accept`)
  const line = openLine()
  const client = await ben.program(id, line)
  clients.push(client)
  const project = await client.open(id)
  const roleOfBen = (role: string) => ann.ask('PATCH', `/api/projects/${id}/members/${ben.id}`, { role })
  return { id, line, project, roleOfBen }
}

it('keeps what was refused as a copy, and goes on from the saved text', async () => {
  const { line, project, roleOfBen } = await shared('one\n')
  const file = await project.files.open('docs/plan.md')
  await file.whenSynced()
  file.text.insert(0, 'saved. ')
  await until(file.save, ({ kind }) => kind === 'saved')

  line.cut()
  await until(file.save, ({ kind }) => kind === 'offline')
  file.text.insert(0, 'offline. ')
  await until(project.save, (state) => state.kind === 'offline' && state.pending === 1)
  await roleOfBen('viewer')
  line.mend()

  const [copy] = await until(project.copies.list, ({ length }) => length === 1)
  expect(copy).toMatchObject({ mine: 'offline. saved. one\n', saved: 'saved. one\n', path: 'docs/plan.md', reason: { code: 'read_only' } })
  await until(file.phase, (phase) => phase.kind === 'gone' && phase.why === 'refused')
  await until(project.save, ({ kind }) => kind === 'saved')
  file.close()

  // A fresh document of the same file: a reader reads, and once an editor again, writes.
  const fresh = await project.files.open('docs/plan.md')
  await fresh.whenSynced()
  expect(fresh.text.toString()).toBe('saved. one\n')
  await until(fresh.save, ({ kind }) => kind === 'read-only')
  await roleOfBen('editor')
  await until(fresh.editable, (editable) => editable)
  fresh.text.insert(0, 'again. ')
  await until(fresh.save, ({ kind }) => kind === 'saved')

  expect(await project.copies.keep(copy?.id ?? '')).toBe('docs/plan (copy).md')
  expect(project.copies.list.get()).toEqual([])
  expect(await project.files.read('docs/plan (copy).md')).toBe('offline. saved. one\n')
  expect(await project.files.read('docs/plan.md')).toBe('again. saved. one\n')
}, 60_000)

it('stays open over a refusal, with a fresh document', async () => {
  const { line, project, roleOfBen } = await shared('one\n')
  const live = project.files.keepOpen('docs/plan.md')
  const handles: FileHandle[] = []
  live.state.subscribe((state) => state.kind === 'open' && handles.push(state.value))
  const isOpen = (state: Opening<FileHandle>) => state.kind === 'open'
  await until(live.state, isOpen)
  await handles[0]?.whenSynced()
  line.cut()
  await until(project.save, ({ kind }) => kind === 'offline')
  handles[0]?.text.insert(0, 'refused. ')
  await roleOfBen('viewer')
  line.mend()
  await until(project.copies.list, ({ length }) => length === 1)
  await until(live.state, (state) => isOpen(state) && handles.length === 2)
  await handles[1]?.whenSynced()
  expect(handles[1]?.doc).not.toBe(handles[0]?.doc)
  expect(handles[1]?.text.toString()).toBe('one\n')
  await roleOfBen('editor')
  await until(handles[1]!.editable, (editable) => editable)
  handles[1]?.text.insert(0, 'more. ')
  await until(project.save, ({ kind }) => kind === 'saved')
  live.close()
  expect(await project.files.read('docs/plan.md')).toBe('more. one\n')
}, 60_000)

it('is silent about a refusal that cost nothing, and forgets what is discarded', async () => {
  const { line, project, roleOfBen } = await shared('one\n')
  const file = await project.files.open('docs/plan.md')
  await file.whenSynced()
  line.cut()
  await until(file.save, ({ kind }) => kind === 'offline')
  file.text.insert(0, 'x')
  file.text.delete(0, 1)
  await roleOfBen('viewer')
  line.mend()
  await until(file.phase, (phase) => phase.kind === 'gone' && phase.why === 'refused')
  expect(project.copies.list.get()).toEqual([])

  await roleOfBen('editor')
  const fresh = await project.files.open('docs/plan.md')
  await fresh.whenSynced()
  line.cut()
  await until(fresh.save, ({ kind }) => kind === 'offline')
  fresh.text.insert(4, 'lost')
  await roleOfBen('viewer')
  line.mend()
  const [copy] = await until(project.copies.list, ({ length }) => length === 1)
  await project.copies.discard(copy?.id ?? '')
  expect(project.copies.list.get()).toEqual([])
}, 60_000)
