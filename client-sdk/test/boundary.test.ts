// The page is the package's first user, so it must not reach behind the public API; and the package
// must not lean on the page's framework.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

function sources(folder: string): string[] {
  const root = fileURLToPath(new URL(folder, import.meta.url))
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.(ts|svelte)$/.test(path) && !path.startsWith('dist'))
    .map((path) => `${root}/${path}`)
}

const imports = (file: string) =>
  [...readFileSync(file, 'utf8').matchAll(/(?<![/\w])(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')

it.each(sources('../app'))('%s uses the package by its name', (file) => {
  expect(imports(file).filter((path) => path.includes('/src/'))).toEqual([])
})

/** What else an entry of its own may lean on. */
const MORE: Record<string, RegExp> = { '/src/codemirror/': /^(@codemirror\/(state|view)|y-codemirror\.next)$/, '/src/react.ts': /^react$/, '/src/node.ts': /^ws$/ }
const CORE = /^(\.|yjs$|y-protocols\/|y-indexeddb$|@hocuspocus\/provider$|openapi-fetch$)/

it.each(sources('../src'))('%s needs neither framework nor editor', (file) => {
  const more = Object.entries(MORE).find(([entry]) => file.includes(entry))?.[1]
  expect(imports(file).filter((path) => path.includes('/app/') || !(CORE.test(path) || more?.test(path)))).toEqual([])
})

it.each(['../src/index.ts', '../src/client.ts', '../src/project.ts'])('%s does not pull an entry for somebody else in', (file) => {
  expect(imports(fileURLToPath(new URL(file, import.meta.url))).filter((path) => /codemirror|react|node\.ts/.test(path))).toEqual([])
})
