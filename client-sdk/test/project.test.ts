// What a project has besides files, chat and proposals: on the real server.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { startModel, type Model } from './model.mjs'
import { guest, startServer, until, type Guest, type Server } from './server.ts'

let server: Server
let model: Model
let ann: Guest
const clients: Client[] = []

beforeAll(async () => {
  model = await startModel()
  server = await startServer({ AI_BASE_URL: model.url, AI_MODEL: 'small', AI_PRICES: '2/10' })
  ann = await guest(server, 'Ann')
}, 60_000)
afterAll(async () => {
  clients.forEach((client) => client.close())
  await server?.remove()
  await model?.stop()
})

async function begin(): Promise<Project> {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Whole' })
  const client = await ann.program(id)
  clients.push(client)
  return client.open(id)
}

it('goes out as an archive and comes in again below a folder', async () => {
  const project = await begin()
  await project.files.create('docs/plan.md', 'one\n')
  const picture = new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0, 1, 2, 3])
  const { hash, size } = await project.blobs.put('picture.png', picture)
  expect(size).toBe(picture.length)
  expect(new Uint8Array(await (await project.blobs.read(hash)).arrayBuffer())).toEqual(picture)

  const zip = await project.archive.export()
  const { documents, skipped } = await project.archive.import(zip, 'copy')
  expect(documents.map(({ path }) => path)).toEqual(['copy/docs/plan.md'])
  expect(skipped).toEqual([])
  expect(await project.files.read(documents[0]?.id ?? '')).toBe('one\n')
  await until(project.files.list, (files) => files.some(({ path }) => path === 'copy/docs/plan.md'))
  await expect(project.archive.import(new Blob(['no zip']))).rejects.toMatchObject({ status: 400 })

  await project.blobs.remove(hash)
  await expect(project.blobs.read(hash)).rejects.toMatchObject({ code: 'not_found' })
  project.leave()
})

it('tells conversations as text, and takes in what was written elsewhere', async () => {
  const project = await begin()
  await project.chat.thread().send('Good *morning*')
  expect(await (await project.chat.export('md')).text()).toContain('Good *morning*')
  const told: unknown = JSON.parse(await (await project.chat.export('json')).text())
  expect(JSON.stringify(told)).toContain('Good *morning*')

  const { id } = await project.chat.import({ title: 'From elsewhere', messages: [{ author: { name: 'Cat' }, body: 'Hello from afar' }] })
  expect(project.chat.conversations.get().map(({ title }) => title)).toContain('From elsewhere')
  const messages = await until(project.chat.thread(id).messages, (all) => all.length === 1)
  expect(messages[0]).toMatchObject({ body: '> Cat\n\nHello from afar', author: { name: 'Ann' } })
  expect(await project.chat.summary(id)).toBeNull()
  project.leave()
})

it('tells what the assistant took, how its proposals fared, and who met', async () => {
  const project = await begin()
  await project.files.create('a.md', 'one\n')
  model.call('propose_edits', { summary: 'In capitals', files: [{ op: 'edit', path: 'a.md', edits: [{ find: 'one', replace: 'ONE' }] }] })
  model.answer('I propose capitals.')
  const thread = project.chat.thread()
  await thread.send('@coder capitals, please')
  const all = await until(thread.messages, (messages) => messages.some(({ proposal, state }) => typeof proposal === 'string' && state === 'done'))
  await project.proposals.accept(all.at(-1)?.proposal ?? '')
  await expect.poll(async () => (await project.usage(1)).items.map(({ user, model: name, total_tokens, cost }) => [user.name, name, total_tokens, cost]))
    .toEqual([['Ann', 'small', 1460, 0.0034]])
  expect(await project.proposals.trust()).toMatchObject([{ persona: 'Coder', model: 'small', accepted: 1 }])
  await expect.poll(async () => (await project.sessions()).items[0]?.participants.map(({ name }) => name)).toEqual(['Ann'])
  // And what has no verb of its own.
  const page = await clients.at(-1)!.api.get('/api/projects/{p}/feed', { params: { path: { p: project.id }, query: { limit: 1, before: 1_000 } } })
  expect(page.items).toHaveLength(1)
  project.leave()
})
