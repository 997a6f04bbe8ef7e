// How the studio reads a chat.

import type { Message, Persona } from 'coterie'
import { expect, it } from 'vitest'
import { accountOf, beginsDay, completions, dayWords, goesOn, mentionAt, readWords, sentence, workWords } from '../app/chat/words.ts'

const message = (more: Partial<Message>): Message => ({
  id: 'm', seq: 1, conversation: 'c', author: { id: 'ann', name: 'Ann', kind: 'human' }, body: '', state: 'done', attachments: [], mentions: [],
  created_at: '2026-03-04T12:00:00Z', ...more,
})

it('puts messages of one author together that are close to each other', () => {
  const first = message({})
  expect(goesOn(message({ created_at: '2026-03-04T12:04:00Z' }), first)).toBe(true)
  expect(goesOn(message({ created_at: '2026-03-04T12:06:00Z' }), first)).toBe(false)
  expect(goesOn(message({ author: { id: 'bob', name: 'Bob', kind: 'human' } }), first)).toBe(false)
  expect(goesOn(message({ persona: 'Coder' }), message({ persona: 'Debugger' }))).toBe(false)
  expect(goesOn(message({ reply_to: 'x' }), first)).toBe(false)
  expect(goesOn(first, undefined)).toBe(false)
})

it('begins a day with its name', () => {
  const now = new Date(2026, 2, 4, 9)
  const at = (...parts: [number, number, number, number]) => new Date(...parts).toISOString()
  expect(dayWords(at(2026, 2, 4, 1), now)).toBe('Today')
  expect(dayWords(at(2026, 2, 3, 23), now)).toBe('Yesterday')
  expect(dayWords(at(2026, 2, 1, 23), now)).toMatch(/1/)
  expect(beginsDay(message({ created_at: at(2026, 2, 4, 1) }), message({ created_at: at(2026, 2, 3, 23) }))).toBe(true)
})

it('finds the mention that the caret is in, but none in an address of mail', () => {
  expect(mentionAt('ask @co', 7)).toEqual({ from: 4, typed: 'co' })
  expect(mentionAt('@', 1)).toEqual({ from: 0, typed: '' })
  expect(mentionAt('(@src/ma', 8)).toEqual({ from: 1, typed: 'src/ma' })
  expect(mentionAt('ann@example', 11)).toBeNull()
  expect(mentionAt('@ann and', 8)).toBeNull()
})

it('offers who and what begins with what is typed before what only has it in it', () => {
  const personas: Persona[] = [{ id: 'wcag-auditor', name: 'WCAG Auditor', about: 'Checks pages', file: null, model: null, words: [] }]
  const words = (typed: string) => completions(typed, ['Ann Lee', 'Bob'], personas, ['src/main.rs', 'notes/assist.md']).map(({ word }) => word)
  expect(words('')).toEqual(['assistant', 'Ann Lee', 'Bob', 'wcag-auditor', 'src/main.rs', 'notes/assist.md'])
  expect(words('as')).toEqual(['assistant', 'notes/assist.md'])
  expect(words('lee')).toEqual(['Ann Lee'])
  expect(words('aud')).toEqual(['wcag-auditor'])
  expect(words('main')).toEqual(['src/main.rs'])
  expect(words('zz')).toEqual([])
})

it('says what an answer took and read', () => {
  const usage = { prompt_tokens: 1000, completion_tokens: 200, total_tokens: 1200 }
  const context = { model: 'small', persona: { id: 'coder', name: 'Coder', reason: 'asked', file: null }, read: [], window: 8192 }
  expect(accountOf(message({ usage, cost: 0.0017, context }))).toBe('small · 1,200 tokens · $0.0017')
  expect(accountOf(message({ usage: { ...usage, estimated: true }, cost: null }))).toBe('about 1,200 tokens · cost unknown')
  expect(accountOf(message({}))).toBe('')
  expect(readWords({ kind: 'file', path: 'a.rs', range: [1, 40], tokens: 12, cut: true })).toBe('a.rs, lines 1–40: 12 tokens, not all of it')
  expect(readWords({ kind: 'tree', tokens: 7 })).toBe('the list of files: 7 tokens')
  expect(workWords(message({ state: 'queued' }), null)).toBe('waits for its turn')
  expect(workWords(message({ state: 'streaming' }), 'reading src/a.rs')).toBe('reading src/a.rs')
  expect(sentence('the key is wrong')).toBe('The key is wrong.')
})
