// What is kept on this device: on the real server, with a database of a browser.

import 'fake-indexeddb/auto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest'
import { IndexeddbPersistence } from 'y-indexeddb'
import * as Y from 'yjs'
import type { Client, FileHandle, Project } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Line, type Server } from './server.ts'

let server: Server
let ann: Guest
let ben: Guest
let id: string
let file: string
const open: Client[] = []

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
  ben = await guest(server, 'Ben')
}, 60_000)
afterAll(() => server?.remove())

beforeEach(async () => {
  vi.stubGlobal('localStorage', Object.create({
    getItem(key: string) { return Object.hasOwn(this, key) ? (this as Record<string, string>)[key] : null },
    setItem(key: string, value: string) { (this as Record<string, string>)[key] = value },
    removeItem(key: string) { delete (this as Record<string, string>)[key] },
  }))
  id = (await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Kept' })).id
  file = (await ann.ask<{ id: string }>('POST', `/api/projects/${id}/documents`, { path: 'plan.md', content: 'one\n' })).id
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  await ben.ask('POST', `/api/invites/${token}/accept`)
})
afterEach(() => open.splice(0).forEach((client) => client.close()))

const stored = () => ben.text(`/api/projects/${id}/documents/${file}/text`)
const databases = async () => (await indexedDB.databases()).map(({ name }) => name ?? '').filter((name) => name.includes('/') && name !== 'coterie/probe')

async function enter(who: Guest, line: Line = openLine()): Promise<{ client: Client; project: Project; file: FileHandle; line: Line }> {
  const client = await who.program(id, line)
  open.push(client)
  const project = await client.open(id)
  const opened = await project.files.open('plan.md')
  await opened.whenSynced()
  await until(opened.save, ({ kind }) => kind === 'saved')
  return { client, project, file: opened, line }
}

/** As when somebody reloads the page while there is no network: edits stay behind. */
async function leaveOffline(who: Guest): Promise<void> {
  const { client, file: left, line } = await enter(who)
  line.cut()
  await until(left.save, ({ kind }) => kind === 'offline')
  left.text.insert(0, 'offline. ')
  expect(client.unsavedOnDevice()).toBe(1)
  await new Promise((written) => setTimeout(written, 50))
  client.close()
}

it('keeps what was typed offline over a reload, and sends it when the file is opened again', async () => {
  await leaveOffline(ann)
  expect(await stored()).toBe('one\n')
  const { client, file: again } = await enter(ann)
  expect(again.text.toString()).toBe('offline. one\n')
  expect(await stored()).toBe('offline. one\n')
  expect(client.unsavedOnDevice()).toBe(0)
})

it('sends it also without the file being opened', async () => {
  await leaveOffline(ann)
  const client = await ann.program(id)
  open.push(client)
  expect(client.unsavedOnDevice()).toBe(1)
  await client.sendKept()
  await until(client.unsaved, (count) => count === 0)
  await vi.waitUntil(async () => (await stored()) === 'offline. one\n', { timeout: 10_000 })
  await vi.waitUntil(() => client.unsavedOnDevice() === 0, { timeout: 10_000 })
})

it('never shows to one person what another left', async () => {
  await leaveOffline(ann)
  const { client, file: theirs } = await enter(ben)
  expect(client.unsavedOnDevice()).toBe(0)
  await client.sendKept()
  expect(theirs.text.toString()).toBe('one\n')
  expect(await stored()).toBe('one\n')
})

it('forgets with the sign-out what one person left, and not what others did', async () => {
  await leaveOffline(ben)
  const client = await ann.browser()
  open.push(client)
  await (await (await client.open(id)).files.open('plan.md')).whenSynced()
  expect((await databases()).some((name) => name.startsWith(`coterie/${ann.id}/`))).toBe(true)
  await client.signOut()
  expect((await databases()).filter((name) => name.startsWith(`coterie/${ann.id}/`))).toEqual([])
  expect(Object.keys(localStorage).filter((key) => key.includes(ann.id))).toEqual([])
  expect((await databases()).some((name) => name.startsWith(`coterie/${ben.id}/`))).toBe(true)
  expect(Object.keys(localStorage).some((key) => key.includes(ben.id))).toBe(true)
  ann = await guest(server, 'Ann')
})

it('does not let a copy of an earlier history flow into a restored one', async () => {
  await leaveOffline(ann)
  await server.stop()
  expect(await server.command('new-epoch')).toBe(0)
  await server.start()
  const { file: restored } = await enter(ann)
  expect(restored.text.toString()).toBe('one\n')
  expect(await stored()).toBe('one\n')
}, 60_000)

it('keeps refused edits of a document that is more than text, and makes a document of them', async () => {
  const line = openLine()
  const { project, file: rich } = await enter(ben, line)
  const paragraphs = rich.doc.getXmlFragment('prosemirror')
  paragraphs.insert(0, [new Y.XmlText('saved')])
  await until(rich.save, ({ kind }) => kind === 'saved')
  line.cut()
  await until(rich.save, ({ kind }) => kind === 'offline')
  paragraphs.insert(1, [new Y.XmlText('refused')])
  const role = (wanted: string) => ann.ask('PATCH', `/api/projects/${id}/members/${ben.id}`, { role: wanted })
  await role('viewer')
  line.mend()
  const [copy] = await until(project.copies.list, (copies) => copies.length === 1)
  expect(copy?.reason.code).toBe('read_only')
  rich.close()

  await role('editor')
  const path = await project.copies.keep(copy?.id ?? '')
  const kept = await project.files.open(path)
  await kept.whenSynced()
  expect(kept.doc.getXmlFragment('prosemirror').toString()).toBe('savedrefused')
  expect(kept.text.toString()).toBe('one\n')
  kept.doc.getXmlFragment('prosemirror').insert(2, [new Y.XmlText(' and more')])
  await until(kept.save, ({ kind }) => kind === 'saved')
}, 60_000)

it('has one tab throw its copy away without taking that of another', async () => {
  const first = await enter(ben)
  const second = await enter(ben)
  second.line.cut()
  await until(second.file.save, ({ kind }) => kind === 'offline')
  second.file.text.insert(0, 'typed in the other tab. ')
  expect(second.client.unsavedOnDevice()).toBe(1)
  await first.file.discard()
  // The other tab writes its own anew, and goes on writing.
  second.file.text.insert(0, 'And more, ')
  const kept = async () => {
    const doc = new Y.Doc()
    const persistence = new IndexeddbPersistence(`coterie/${ben.id}/${file}/${epoch}`, doc)
    await persistence.whenSynced
    await persistence.destroy()
    return doc.getText('content').toString()
  }
  const { epoch } = first.project.files.find('plan.md')!
  await expect.poll(kept, { timeout: 5_000 }).toBe('And more, typed in the other tab. one\n')
  expect(second.client.unsavedOnDevice()).toBe(2)
  second.client.close()
  const { file: again } = await enter(ben)
  await vi.waitUntil(async () => (await stored()) === 'And more, typed in the other tab. one\n', { timeout: 10_000 })
  expect(again.text.toString()).toBe('And more, typed in the other tab. one\n')
})
