import { expect, it } from 'vitest'
import { filterNodes, foldersAbove, step, typeAhead, visibleRows } from '../app/treeview.ts'
import { buildTree } from '../src/tree.ts'
import { documentAt } from './answers.ts'

const nodes = buildTree(['a/one.md', 'a/b/two.md', 'c/three.md', 'four.md', 'five.md'].map((path) => documentAt(path, path)))
const none = new Set<string>()
const rows = visibleRows(nodes, none)
const at = (path: string, list = rows) => list.findIndex(({ node }) => node.path === path)

it('lists what is not below a closed folder, with level and place', () => {
  expect(rows.map(({ node }) => node.path)).toEqual(['a', 'a/b', 'a/b/two.md', 'a/one.md', 'c', 'c/three.md', 'five.md', 'four.md'])
  expect(visibleRows(nodes, new Set(['a', 'c'])).map(({ node }) => node.path)).toEqual(['a', 'c', 'five.md', 'four.md'])
  expect(rows[at('a/one.md')]).toMatchObject({ level: 2, position: 2, siblings: 2 })
})

it.each([
  ['ArrowDown', 'a', 'a/b'],
  ['ArrowUp', 'a/b', 'a'],
  ['ArrowRight', 'a', 'a/b'],
  ['ArrowLeft', 'a/one.md', 'a'],
  ['Home', 'four.md', 'a'],
  ['End', 'a', 'four.md'],
])('%s on %s goes to %s', (key, from, to) => {
  expect(step(rows, at(from), key, none)).toEqual({ kind: 'go', to: at(to) })
})

it.each([['ArrowUp', 'a'], ['ArrowDown', 'four.md'], ['ArrowLeft', 'four.md'], ['ArrowRight', 'four.md'], ['Tab', 'a']])(
  '%s on %s does nothing', (key, from) => expect(step(rows, at(from), key, none)).toBeNull())

it('opens and closes folders', () => {
  const closed = new Set(['a'])
  const fewer = visibleRows(nodes, closed)
  expect(step(fewer, at('a', fewer), 'ArrowRight', closed)).toEqual({ kind: 'open', paths: ['a'] })
  expect(step(rows, at('a'), 'ArrowLeft', none)).toEqual({ kind: 'close', path: 'a' })
  expect(step(fewer, at('five.md', fewer), '*', closed)).toEqual({ kind: 'open', paths: ['a', 'c'] })
})

it('finds by what is typed, round the end', () => {
  expect(typeAhead(rows, at('a'), 'f')).toBe(at('five.md'))
  expect(typeAhead(rows, at('five.md'), 'f')).toBe(at('four.md'))
  expect(typeAhead(rows, at('four.md'), 'f')).toBe(at('five.md'))
  expect(typeAhead(rows, at('five.md'), 'fi')).toBe(at('five.md'))
  expect(typeAhead(rows, 0, 'zz')).toBe(-1)
})

it('knows the folders above', () => {
  expect(foldersAbove('a/b/two.md')).toEqual(['a', 'a/b'])
  expect(foldersAbove('four.md')).toEqual([])
})

it('keeps only files whose path has the words, with their folders', () => {
  const left = (words: string) => visibleRows(filterNodes(nodes, words), none).map(({ node }) => node.path)
  expect(left(' TWO ')).toEqual(['a', 'a/b', 'a/b/two.md'])
  expect(left('a/ md')).toEqual(['a', 'a/b', 'a/b/two.md', 'a/one.md'])
  expect(left('f')).toEqual(['five.md', 'four.md'])
  expect(left('nothing')).toEqual([])
  expect(left('  ')).toEqual(rows.map(({ node }) => node.path))
})
