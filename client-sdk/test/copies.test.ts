import { expect, it } from 'vitest'
import { copyPath, openShelf, type KeptCopy } from '../src/copies.ts'

it.each([
  ['plan.md', [], 'plan (copy).md'],
  ['docs/plan.md', [], 'docs/plan (copy).md'],
  ['docs/plan.md', ['docs/plan (copy).md'], 'docs/plan (copy 2).md'],
  ['docs/plan.md', ['docs/plan (copy).md', 'docs/plan (copy 2).md'], 'docs/plan (copy 3).md'],
  ['Makefile', [], 'Makefile (copy)'],
  ['v1.2/notes', [], 'v1.2/notes (copy)'],
  ['.env', [], '.env (copy)'],
])('a copy of %s has a name of its own', (path, taken, wanted) => {
  expect(copyPath(path, (name) => taken.includes(name))).toBe(wanted)
})

it('keeps copies until somebody decides, also where nothing can be stored', async () => {
  const shelf = openShelf('ann', true)
  const copy = (id: string): KeptCopy => ({
    id, projectId: 'p', documentId: 'd', path: 'a.md', reason: { code: 'read_only', message: 'no' }, at: 1, mine: 'mine', saved: null, state: null,
  })
  await shelf.add(copy('1'))
  await shelf.add(copy('2'))
  await shelf.remove('1')
  expect(shelf.list.get().map(({ id }) => id)).toEqual(['2'])
  shelf.close()
})
