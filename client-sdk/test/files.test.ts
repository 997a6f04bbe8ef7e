import { beforeEach, expect, it } from 'vitest'
import { loadFiles, type Files } from '../src/files.ts'
import { ApiError, type Http } from '../src/http.ts'
import type { DocumentInfo } from '../src/types.ts'

/** What was asked of the server, in order; its answers are a map. */
let asked: string[] = []
let stored: DocumentInfo[] = []
let texts: Record<string, string> = {}
let files: Files

const info = (path: string): DocumentInfo => ({ id: `id-${path}`, project_id: 'p', path, head: 0, epoch: 1, created_at: '' })

const http: Http = {
  get: async <T>(path: string) => {
    asked.push(`GET ${path}`)
    return { items: stored.map((file) => ({ ...file })), next: null } as T
  },
  put: async () => {
    throw new Error('nothing is put here')
  },
  post: async <T>(path: string, body?: unknown) => {
    asked.push(`POST ${path} ${JSON.stringify(body)}`)
    const { operations } = body as { operations?: { op: string; document?: string; path?: string }[] }
    if (!operations) return info((body as { path: string }).path) as T
    return {
      documents: operations.map(({ op, document, path: to }) => (op === 'delete' ? null : { ...info(to ?? ''), id: document ?? `id-${to}` })),
    } as T
  },
  patch: async <T>(path: string, body: unknown) => {
    asked.push(`PATCH ${path}`)
    return { ...info((body as { path: string }).path), id: decodeURIComponent(path.split('/').at(-1) ?? '') } as T
  },
  delete: async (path) => void asked.push(`DELETE ${path}`),
  text: async (path) => {
    const text = texts[decodeURIComponent(path.split('/').at(-2) ?? '')]
    if (text === undefined) throw new ApiError('unavailable', 'Not now.', 503)
    return text
  },
}

beforeEach(async () => {
  stored = ['docs/a.md', 'docs/b/c.md', 'docs2/d.md', 'e.md'].map(info)
  texts = Object.fromEntries(stored.map((file) => [file.id, `text of ${file.path}`]))
  files = await loadFiles({ http, base: '/x', open: () => { throw new Error('not here') } })
  asked = []
})
const paths = () => files.list.get().map((file) => file.path)

it('renames a file by itself and a folder in one change', async () => {
  await files.move('e.md', 'docs/e.md')
  expect(asked).toEqual(['PATCH /x/documents/id-e.md'])
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

it('says beforehand what could not come back', async () => {
  delete texts['id-e.md']
  const removal = await files.removal('e.md')
  expect(removal.undoable).toBe(false)
  await removal.commit()
  expect(asked).toEqual(['DELETE /x/documents/id-e.md'])
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
  stored = [...stored, info('late.md')]
  await files.refresh()
  expect(calls).toBe(2)
})

it('does not move what is gone', async () => {
  await expect(files.move('nothing', 'x')).rejects.toMatchObject({ code: 'not_found' })
})
