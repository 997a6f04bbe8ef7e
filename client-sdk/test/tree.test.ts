import { describe, expect, it } from 'vitest'
import { buildTree, folderOf, isWithin, joinPath, nameOf, type TreeNode } from '../src/tree.ts'
import { documentAt } from './answers.ts'

const info = (path: string) => documentAt(path, `id of ${path}`)
const outline = (nodes: readonly TreeNode[]): unknown[] =>
  nodes.map((node) => (node.kind === 'file' ? node.name : [node.name, ...outline(node.children)]))

describe('the tree', () => {
  it('makes folders from paths, folders first, numbers by value', () => {
    expect(outline(buildTree(['b.md', 'a10.md', 'a2.md', 'docs/x/deep.md', 'docs/plan.md', 'Art/z.svg'].map(info))))
      .toEqual([['Art', 'z.svg'], ['docs', ['x', 'deep.md'], 'plan.md'], 'a2.md', 'a10.md', 'b.md'])
  })

  it('knows each node by its whole path', () => {
    const [docs] = buildTree([info('docs/x/deep.md')])
    expect(docs).toMatchObject({ path: 'docs', children: [{ path: 'docs/x', children: [{ path: 'docs/x/deep.md', id: 'id of docs/x/deep.md' }] }] })
  })

  it('survives a file and a folder of one name, and names of one letter case apart', () => {
    expect(outline(buildTree(['a', 'a/b', 'A'].map(info)))).toEqual([['a', 'b'], 'A', 'a'])
  })

  it('takes two thousand files in no time', () => {
    const files = Array.from({ length: 2_000 }, (_, i) => info(`f${i % 50}/g${i % 7}/file ${i}.md`))
    const begun = performance.now()
    buildTree(files)
    expect(performance.now() - begun).toBeLessThan(500)
  })
})

it.each([
  ['a.md', '', 'a.md'],
  ['docs/a.md', 'docs', 'a.md'],
  ['docs/x/a', 'docs/x', 'a'],
])('takes %s apart and puts it together', (path, folder, name) => {
  expect([folderOf(path), nameOf(path), joinPath(folder, name)]).toEqual([folder, name, path])
})

it('does not take a like name for a folder above', () => {
  expect(isWithin('docs/a', 'docs')).toBe(true)
  expect(isWithin('docs', 'docs')).toBe(true)
  expect(isWithin('docs2/a', 'docs')).toBe(false)
  expect(isWithin('anything', '')).toBe(true)
})
