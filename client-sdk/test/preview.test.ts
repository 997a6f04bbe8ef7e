import { describe, expect, it } from 'vitest'
import { findImports } from '../app/preview/imports.ts'
import { isFromFrame, Lines } from '../app/preview/messages.ts'
import { linked, pageFor } from '../app/preview/target.ts'

describe('the page that is shown for a file', () => {
  const paths = ['index.html', 'about.html', 'css/site.css', 'blog/index.html', 'blog/2026/post.js', 'notes.md', 'main.py']
  it('is the file itself where it is a page', () => {
    for (const path of ['about.html', 'notes.md', 'DOT.SVG']) expect(pageFor(path, paths, 'index.html')).toBe(path)
  })
  it('is the page that was shown before, for a part of one', () => {
    expect(pageFor('css/site.css', paths, 'about.html')).toBe('about.html')
    expect(pageFor('css/site.css', paths, 'notes.md')).toBe('index.html')
    expect(pageFor('css/site.css', paths, 'gone.html')).toBe('index.html')
  })
  it('is the nearest index above, or the only page', () => {
    expect(pageFor('blog/2026/post.js', paths, null)).toBe('blog/index.html')
    expect(pageFor('a.css', ['a.css', 'b.html'], null)).toBe('b.html')
    expect(pageFor('a.css', ['a.css', 'b.html', 'c.html'], null)).toBeNull()
  })
  it('is none for what no page is made of', () => expect(pageFor('main.py', paths, 'index.html')).toBeNull())
})

it('links lead to files of the project, and nowhere else', () => {
  expect(linked('../b%20c.md#x', 'docs/a.md')).toBe('b c.md')
  expect(linked('/x.html', 'docs/a.md')).toBe('x.html')
  expect(linked('../../../x.html', 'docs/a.md')).toBe('x.html')
  for (const away of ['https://example.org', '//example.org', 'javascript:alert(1)', 'data:text/html,x', '%E0%A4%A']) expect(linked(away, 'a.md')).toBeNull()
})

it('imports are found where they are imports', async () => {
  const text = [
    "import a, { b as c } from './a.js'", 'import "./b.js"', 'export * from "../c.js"', "export { d } from './d.js'",
    "const e = await import('./e.js')", 'const text = "import \'./no.js\'" // from "./no.js"', "f('./no.js')", 'export default "./no.js"',
  ].join('\n')
  const found = await findImports(text)
  expect(found.map(({ address }) => address)).toEqual(['./a.js', './b.js', '../c.js', './d.js', './e.js'])
  for (const { start, end, address } of found) expect(text.slice(start + 1, end - 1)).toBe(address)
  expect(await findImports('import { from "')).toEqual([])
})

describe('what a frame says', () => {
  it('is heard only as it should be', () => {
    for (const good of [
      { kind: 'ready' }, { kind: 'want', path: 'a.css' }, { kind: 'console', level: 'warn', text: '' }, { kind: 'scroll', at: 3 }, { kind: 'go', address: 'x' },
    ]) expect(isFromFrame(good)).toBe(true)
    for (const bad of [
      null, 'ready', {}, { kind: 'want', path: 3 }, { kind: 'want', path: 'x'.repeat(256) }, { kind: 'console', level: 'shout', text: '' },
      { kind: 'console', level: 'log', text: 'x'.repeat(2_001) }, { kind: 'scroll', at: NaN }, { kind: 'go' },
    ]) expect(isFromFrame(bad)).toBe(false)
  })
  it('is bounded, in number and in time', () => {
    const lines = new Lines()
    for (let second = 0; second < 5; second += 1) for (let i = 0; i < 90; i += 1) lines.add('log', `${second} ${i}`, second * 1_000)
    expect(lines.list.get()).toHaveLength(200)
    lines.clear()
    for (let i = 0; i < 1_000; i += 1) lines.add('log', String(i), 9_000)
    expect(lines.list.get()).toHaveLength(100)
    expect(lines.list.get().at(-1)?.text).toMatch(/too much/)
    lines.clear()
    for (let i = 0; i < 3; i += 1) lines.add('log', 'again', 20_000)
    expect(lines.list.get().map(({ times }) => times)).toEqual([3])
  })
})
