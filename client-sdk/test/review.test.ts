import { expect, it } from 'vitest'
import { around, linesOf, stepTo } from '../app/review.ts'
import type { Hunk, HunkState, Proposal } from '../src/proposals.ts'

const hunk = (before: string, after: string, more: Partial<Hunk> = {}): Hunk => ({
  id: 1, state: 'pending', stale: null, line: 4, now: null, fits: null, before, after, decided_by: null, decided_at: null, ...more,
})
const read = (one: Hunk) => linesOf(one).map(({ kind, number, parts }) => `${{ gone: '-', new: '+', same: ' ' }[kind]}${number} ${parts.join('|')}`)

it('marks what differs in a line that is in the place of a line', () => {
  expect(read(hunk('let a = 1;\n', 'let ab = 1;\n', { now: 7 }))).toEqual(['-7 let a|| = 1;', '+7 let a|b| = 1;'])
})

it('leaves lines that stay in their place, and shows the others as gone and new', () => {
  expect(read(hunk('one\ntwo\nthree\n', 'ONE\nTWO\ntwo\n'))).toEqual(['-4 |one|', '+4 |ONE|', '+5 |TWO|', ' 6 two||', '-6 |three|'])
  expect(read(hunk('', 'new\n\nlines'))).toEqual(['+4 |new|', '+5 ||', '+6 |lines|'])
  expect(read(hunk('gone\n', ''))).toEqual(['-4 |gone|'])
  expect(read(hunk('\n', ''))).toEqual(['-4 ||'])
})

it('shows what stands around it now', () => {
  const one = hunk('three\n', 'THREE\n3\n', { now: 3 })
  const text = 'one\ntwo\nthree\nfour\nfive\nsix\n'
  expect(around(one, text)).toEqual({ above: ['one', 'two'], below: ['four', 'five'] })
  expect(linesOf(one, around(one, text)).map(({ number, parts }) => `${number} ${parts.join('')}`)).toEqual([
    '1 one', '2 two', '3 three', '3 THREE', '4 3', '5 four', '6 five',
  ])
  expect(around({ ...one, now: null }, text)).toEqual({ above: [], below: [] })
})

it('never parts a character of two units', () => {
  expect(read(hunk('🌍\n', '🌎\n'))).toEqual(['-4 |🌍|', '+4 |🌎|'])
})

const proposal = (...states: HunkState[]) => ({ files: [{ hunks: states.map((state, i) => hunk('', '', { id: i + 1, state })) }] }) as unknown as Proposal

it.each([
  [['pending', 'pending', 'pending'], null, 1, 1],
  [['pending', 'pending', 'pending'], null, -1, 3],
  [['pending', 'pending', 'pending'], 3, 1, 1],
  [['pending', 'pending', 'pending'], 1, -1, 3],
  [['pending', 'accepted', 'pending'], 1, 1, 3],
  [['accepted', 'accepted', 'pending'], 3, 1, 3],
  [['accepted', 'rejected'], 1, 1, 2],
  [[], null, 1, null],
] as const)('walks through %j from %s by %s to %s', (states, from, by, to) => {
  expect(stepTo(proposal(...states), from, by)).toBe(to)
})
