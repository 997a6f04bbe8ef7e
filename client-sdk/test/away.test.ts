// Servers that go and come back, and files that go: on the real server.

import { afterAll, beforeAll, expect, it } from 'vitest'
import { createClient, describeSave, type Client, type ConnectionStatus, type FileHandle, type Project } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Server } from './server.ts'

let server: Server
let ann: Guest
let ben: Guest
const clients: Client[] = []

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
  ben = await guest(server, 'Ben')
}, 60_000)
afterAll(async () => {
  clients.forEach((client) => client.close())
  await server?.remove()
})

interface Seat {
  client: Client
  project: Project
  file: FileHandle
}

/** A project of Ann's in which she and Ben have one file open. */
async function shared(): Promise<[Seat, Seat]> {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Away' })
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'plan.md', content: 'one\n' })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  await ben.ask('POST', `/api/invites/${token}/accept`)
  const sit = async (who: Guest): Promise<Seat> => {
    const client = await who.program(id)
    clients.push(client)
    const project = await client.open(id)
    const file = await project.files.open('plan.md')
    await file.whenSynced()
    await until(file.save, ({ kind }) => kind === 'saved')
    return { client, project, file }
  }
  return [await sit(ann), await sit(ben)]
}

it('says the truth through a crash of the server, and everything typed meanwhile arrives', async () => {
  const [mine, theirs] = await shared()
  const words: string[] = []
  mine.file.save.subscribe((state) => words.push(describeSave(state)))
  const connections: ConnectionStatus[] = []
  mine.client.connection.subscribe((status) => connections.push(status))
  await server.kill()
  await until(mine.file.save, ({ kind }) => kind === 'offline')
  mine.file.text.insert(0, 'by Ann. ')
  mine.file.text.insert(0, 'also ')
  theirs.file.text.insert(theirs.file.text.length, 'by Ben\n')
  expect(describeSave(mine.project.save.get())).toBe('Offline – 2 changes kept here')
  await server.start()
  await until(mine.file.save, ({ kind }) => kind === 'saved')
  await until(theirs.file.save, ({ kind }) => kind === 'saved')
  await expect.poll(() => [mine.file.text.toString(), theirs.file.text.toString()]).toEqual(Array(2).fill('also by Ann. one\nby Ben\n'))
  expect(await ann.text(`/api/projects/${mine.project.id}/documents/${mine.file.id}/text`)).toBe('also by Ann. one\nby Ben\n')
  expect(words).toEqual(['Saved', 'Offline – 0 changes kept here', 'Offline – 1 change kept here', 'Offline – 2 changes kept here', 'Saving…', 'Saved'])
  expect(connections).toEqual(['open', 'lost', 'open'])
  await until(mine.project.presence.people, (people) => people.length === 2)
  expect(mine.client.outdated.get(), 'the same server as before').toBe(false)
}, 60_000)

it('says that a file was deleted, takes no edits into it, and keeps what is on the screen', async () => {
  const [mine, theirs] = await shared()
  const live = theirs.project.files.keepOpen('plan.md')
  await until(live.state, ({ kind }) => kind === 'open')
  await (await mine.project.files.removal('plan.md')).commit()
  const gone = await until(theirs.file.phase, ({ kind }) => kind === 'gone')
  expect(gone).toMatchObject({ why: 'deleted' })
  expect(describeSave(theirs.file.save.get())).toBe('Cannot save: this file was deleted')
  expect(theirs.file.editable.get()).toBe(false)
  expect(theirs.file.text.toString()).toBe('one\n')
  // It has nothing to go on from.
  expect(live.state.get()).toMatchObject({ kind: 'open', value: { phase: theirs.file.phase } })
  live.close()
}, 60_000)

it('follows a role while the file is open', async () => {
  const [mine, theirs] = await shared()
  const role = (wanted: string) => ann.ask('PATCH', `/api/projects/${mine.project.id}/members/${ben.id}`, { role: wanted })
  await role('viewer')
  await until(theirs.file.save, ({ kind }) => kind === 'read-only')
  expect(theirs.file.editable.get()).toBe(false)
  mine.file.text.insert(0, 'read this. ')
  await expect.poll(() => theirs.file.text.toString()).toBe('read this. one\n')
  await role('editor')
  await until(theirs.file.editable, (editable) => editable)
  theirs.file.text.insert(0, 'written: ')
  await until(theirs.file.save, ({ kind }) => kind === 'saved')
}, 60_000)

it('says when the server has become another one', async () => {
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${(await shared())[0].project.id}/tokens`, {})
  let upgraded = false
  const client = createClient({
    url: server.url,
    token,
    WebSocket: openLine().WebSocket,
    async fetch(input) {
      const answer = await fetch(input)
      const headers = new Headers(answer.headers)
      if (upgraded) headers.set('coterie-version', `${headers.get('coterie-version')}.1`)
      return new Response(answer.body, { status: answer.status, headers })
    },
  })
  clients.push(client)
  await client.me()
  await client.projects.list()
  expect(client.outdated.get()).toBe(false)
  upgraded = true
  await client.projects.list()
  expect(client.outdated.get()).toBe(true)
})
