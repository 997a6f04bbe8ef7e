import { beforeEach, expect, it } from 'vitest'
import { loadFiles, type Files } from '../src/files.ts'
import { ApiError } from '../src/http.ts'
import type { DocumentInfo } from '../src/types.ts'
import { answeredBy, documentAt } from './answers.ts'

/** What was asked of the server, in order; its answers are a map. */
let asked: string[] = []
let stored: DocumentInfo[] = []
let texts: Record<string, string> = {}
let files: Files
let failing = ''

const http = answeredBy(({ method, path, body }) => {
  const where = path.replace('/api/projects/p', '')
  const id = decodeURIComponent(where.split('/')[2] ?? '')
  if (where.endsWith('/text')) return texts[id] ?? new Response('', { status: 503 })
  if (failing !== '' && where.endsWith(failing)) return new Response('', { status: 503 })
  asked.push(`${method} ${where}${method === 'POST' ? ` ${JSON.stringify(body)}` : ''}`)
  if (method === 'GET') return { items: stored, next: null }
  if (method === 'DELETE') return undefined
  const { path: to = '', operations } = body as { path?: string; operations?: { op: string; document?: string; path?: string }[] }
  if (method === 'PATCH') return documentAt(to, id)
  if (!operations) return documentAt(to)
  return { documents: operations.map((one) => (one.op === 'delete' ? null : documentAt(one.path ?? '', one.document))) }
})

beforeEach(async () => {
  stored = ['docs/a.md', 'docs/b/c.md', 'docs2/d.md', 'e.md'].map((path) => documentAt(path))
  texts = Object.fromEntries(stored.map((file) => [file.id, `text of ${file.path}`]))
  files = await loadFiles({ http, projectId: 'p', open: () => { throw new Error('not here') } })
  asked = []
})
const paths = () => files.list.get().map((file) => file.path)

it('renames a file by itself and a folder in one change', async () => {
  await files.move('e.md', 'docs/e.md')
  expect(asked).toEqual(['PATCH /documents/id-e.md'])
  await files.move('docs', 'archive/docs')
  expect(asked).toHaveLength(2)
  expect(paths()).toEqual(['archive/docs/a.md', 'archive/docs/b/c.md', 'archive/docs/e.md', 'docs2/d.md'])
})

it('deletes a folder in one change and brings it back with its texts', async () => {
  const removal = await files.removal('docs')
  expect(removal.files.map((file) => file.path)).toEqual(['docs/a.md', 'docs/b/c.md'])
  expect(removal.undoable).toBe(true)
  expect(asked).toEqual([]) // looked at, not done
  await removal.commit()
  expect(paths()).toEqual(['docs2/d.md', 'e.md'])
  await removal.undo()
  expect(asked.at(-1)).toContain('{"op":"create","path":"docs/a.md","content":"text of docs/a.md"}')
  expect(paths()).toEqual(['docs/a.md', 'docs/b/c.md', 'docs2/d.md', 'e.md'])
})

it('takes an empty file away again where it could not be filled', async () => {
  failing = '/update'
  await expect(files.createFrom('board', new Uint8Array(2))).rejects.toThrow(ApiError)
  failing = ''
  expect(asked.map((one) => one.split(' ').slice(0, 2).join(' '))).toEqual(['POST /documents', 'DELETE /documents/id-board'])
  expect(paths()).not.toContain('board')
})

it('says beforehand what could not come back', async () => {
  delete texts['id-e.md']
  const removal = await files.removal('e.md')
  expect(removal.undoable).toBe(false)
  await removal.commit()
  expect(asked).toEqual(['DELETE /documents/id-e.md'])
  await expect(removal.undo()).rejects.toThrow(ApiError)
})

it('does not let a late answer bring back what changed meanwhile', async () => {
  const refreshing = files.refresh()
  await files.create('new.md')
  await refreshing
  expect(paths()).toContain('new.md')
})

it('is silent about heads, which rise with every edit', async () => {
  let calls = 0
  files.tree.subscribe(() => (calls += 1))
  stored = stored.map((file) => ({ ...file, head: 9 }))
  await files.refresh()
  expect(calls).toBe(1)
  stored = [...stored, documentAt('late.md')]
  await files.refresh()
  expect(calls).toBe(2)
})

it('does not move what is gone', async () => {
  await expect(files.move('nothing', 'x')).rejects.toMatchObject({ code: 'not_found' })
})
