// Several models: an answer is given again by another one, and one of them makes pictures.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { startModel, type Model } from './model.mjs'
import { begin, guest, startServer, until, type Server } from './server.ts'

vi.setConfig({ testTimeout: 30_000 })

const DOT = 'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=='

let model: Model
let server: Server
let folder: string
let client: Client
let project: Project

beforeAll(async () => {
  model = await startModel()
  folder = await mkdtemp(join(tmpdir(), 'coterie-models-'))
  const all = [{ name: 'quick' }, { name: 'careful' }, { name: 'painter', images: true }].map((one) => ({ ...one, model: one.name, base_url: model.url }))
  await writeFile(join(folder, 'models.json'), JSON.stringify(all))
  server = await startServer({ AI_MODELS: join(folder, 'models.json'), AI_MODEL: 'quick', AI_RUNS_PER_MINUTE: '1000' })
  ;({ client, project } = await begin(await guest(server, 'Ann'), 'Models'))
}, 60_000)
afterAll(async () => {
  project?.leave()
  client?.close()
  await server?.remove()
  await model?.stop()
  await rm(folder, { recursive: true })
})

it('gives an answer that failed again by another model', async () => {
  expect((await project.chat.models()).map(({ name }) => name)).toEqual(['quick', 'careful'])
  const thread = project.chat.thread()
  model.refuse(401, { message: 'Incorrect API key' })
  await thread.send('@assistant hello')
  const failed = (await until(thread.messages, (all) => all.some(({ state }) => state === 'failed'))).find(({ state }) => state === 'failed')!
  model.answer('Hello again.')
  await thread.retry(failed.id, { model: 'careful' })
  const answered = (await until(thread.messages, (all) => all.some(({ id, state }) => id === failed.id && state === 'done'))).find(({ id }) => id === failed.id)!
  expect([answered.body, answered.context?.model, model.asked.at(-1)?.['model']]).toEqual(['Hello again.', 'careful', 'careful'])
})

it('makes a picture, which the project keeps', async () => {
  model.reply({ created: 1, data: [{ b64_json: DOT }] })
  const { blob, model: by } = await project.assistant.picture({ prompt: 'a red dot' })
  expect([by, blob.media_type]).toEqual(['painter', 'image/png'])
  expect((await project.blobs.list()).items.map(({ hash }) => hash)).toEqual([blob.hash])
  expect(new Uint8Array(await (await project.blobs.read(blob.hash)).arrayBuffer()).slice(1, 4)).toEqual(new Uint8Array([0x50, 0x4e, 0x47]))
})
