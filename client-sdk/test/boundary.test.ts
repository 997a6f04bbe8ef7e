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
  [...readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)].map((match) => match[1] ?? '')

it.each(sources('../app'))('%s uses the package by its name', (file) => {
  expect(imports(file).filter((path) => path.includes('/src/'))).toEqual([])
})

it.each(sources('../src'))('%s needs neither framework nor editor', (file) => {
  expect(imports(file).filter((path) => /^(svelte|@codemirror|@lucide|coterie)/.test(path) || path.includes('/app/'))).toEqual([])
})
