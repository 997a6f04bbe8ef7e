import { expect, it } from 'vitest'
import { best, score } from '../app/match.ts'

const FILES = ['src/main.rs', 'src/domain/name.ts', 'README.md', 'docs/plan.md', 'docs/plain-text.md', 'tests/it/main.rs', 'app/QuickOpen.svelte']
const find = (wanted: string) => best(FILES, (path) => path, wanted, 3)

it.each([
  ['main', 'src/main.rs'],
  ['readme', 'README.md'],
  ['plan', 'docs/plan.md'],
  ['qo', 'app/QuickOpen.svelte'],
  ['main it', 'tests/it/main.rs'],
  ['dpt', 'docs/plain-text.md'],
])('%s means %s', (wanted, path) => {
  expect(find(wanted)[0]).toBe(path)
})

it('finds nothing where a letter is missing, and everything for no letters', () => {
  expect(score('README.md', 'readmex')).toBeNull()
  expect(find('  ')).toEqual(FILES.slice(0, 3))
  expect(find('zzz')).toEqual([])
})
