// The files that a preview is made of, on the real server: what comes, goes and is replaced is told.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { watchFiles } from '../app/preview/watch.ts'
import { begin, guest, startServer, until, type Guest, type Server } from './server.ts'

let server: Server
let ann: Guest
let client: Client
let project: Project
let id: string

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
  ;({ client, project } = await begin(ann, 'Pages', { 'index.html': '<p>one' }))
  id = project.id
}, 60_000)
afterAll(async () => {
  project?.leave()
  client?.close()
  await server?.remove()
})

it('tells of typing, of files that come to be, get another path and go, and of a history that was replaced', async () => {
  let told = 0
  const next = async (act: () => Promise<unknown>) => {
    const before = told
    await act()
    await expect.poll(() => told, { timeout: 15_000 }).toBeGreaterThan(before)
  }
  const watch = watchFiles(project, () => false, () => (told += 1))
  expect(await watch.read('index.html')).toBe('<p>one')
  expect(await watch.read('site.css')).toBeNull()
  expect(told).toBe(0)

  await next(() => project.files.create('site.css', 'p { color: red }'))
  expect(await watch.read('site.css')).toBe('p { color: red }')
  const file = await project.files.open('site.css')
  await file.whenSynced()
  await next(async () => file.text.insert(0, '/* mine */ '))
  expect(await watch.read('site.css')).toBe('/* mine */ p { color: red }')
  await until(file.save, ({ kind }) => kind === 'saved')
  file.close()

  await next(() => project.files.move('site.css', 'main.css'))
  expect(await watch.read('site.css')).toBeNull()
  expect(await watch.read('main.css')).toBe('/* mine */ p { color: red }')
  await next(async () => (await project.files.removal('main.css')).commit())
  expect(await watch.read('main.css')).toBeNull()
  await next(() => project.files.create('main.css', 'again'))
  expect(await watch.read('main.css')).toBe('again')

  await server.stop()
  expect(await server.command('new-epoch')).toBe(0)
  await next(() => server.start())
  await expect.poll(() => watch.read('main.css'), { timeout: 20_000 }).toBe('again')
  watch.stop()
  const still = told
  await ann.ask('POST', `/api/projects/${id}/changes`, { operations: [{ op: 'create', path: 'site.css', content: 'x' }] })
  await project.files.refresh()
  expect(told).toBe(still)
}, 60_000)

it('says of a file that does not come in time that there is none, and tells when it comes', async () => {
  let told = 0
  const watch = watchFiles(project, () => false, () => (told += 1), 0)
  expect(await watch.read('index.html')).toBeNull()
  await expect.poll(() => told, { timeout: 15_000 }).toBe(1)
  watch.stop()
}, 30_000)
