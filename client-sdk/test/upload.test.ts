// Files of this device as they come into a project of the real server.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { bringIn, textOf } from '../app/upload.ts'
import { begin, guest, startServer, type Server } from './server.ts'

let server: Server
let client: Client
let project: Project

beforeAll(async () => {
  server = await startServer()
  ;({ client, project } = await begin(await guest(server, 'Ann'), 'Uploads'))
}, 60_000)
afterAll(async () => {
  project?.leave()
  client?.close()
  await server?.remove()
})

const file = (name: string, ...parts: BlobPart[]) => new File(parts, name)

it('tells text from all else', async () => {
  expect(await textOf(new Blob(['schön\r\n']))).toBe('schön\r\n')
  expect(await textOf(new Blob([new Uint8Array([0xff, 0xfe, 0x41])]))).toBeNull()
  expect(await textOf(new Blob(['a\0b']))).toBeNull()
  expect(await textOf(new Blob([]))).toBe('')
})

it('makes files of texts beside those that are there, and attachments of all else; one that fails stops nothing', async () => {
  await project.files.create('docs/plan.md', 'mine')
  const brought = await bringIn(project, 'docs', [
    { path: 'plan.md', file: file('plan.md', 'theirs') },
    { path: 'deep/er/plan', file: file('plan', 'no ending') },
    { path: 'deep/er/plan', file: file('plan', 'twice') },
    { path: 'dot.png', file: file('dot.png', new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0xff])) },
    { path: '../up.md', file: file('up.md', 'out of it') },
  ])
  expect(brought.others).toBe(1)
  expect(brought.failed.map(({ path }) => path)).toEqual(['../up.md'])
  expect(project.files.list.get().map(({ path }) => path)).toEqual(['docs/deep/er/plan', 'docs/deep/er/plan 2', 'docs/plan 2.md', 'docs/plan.md'])
  expect(await project.files.read('docs/plan 2.md')).toBe('theirs')
  expect((await project.blobs.list()).items.map(({ name }) => name)).toEqual(['dot.png'])
})
