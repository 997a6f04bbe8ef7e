import { describe, expect, it } from 'vitest'
import { readTrouble } from '../src/wire.ts'
import { combineSaves, createSaveTracker, deriveSaveState, describeSave, type SaveFacts, type SaveState } from '../src/save.ts'

const settled: SaveFacts = { socket: 'open', scope: 'read-write', unsynced: 0, pending: 0, keeping: false, refusal: null, trouble: null, damage: null }
const refusal = { code: 'too_large', message: 'this file is full' }

describe('the word for the truth', () => {
  it.each<[string, Partial<SaveFacts>, string]>([
    ['all acknowledged', {}, 'Saved'],
    ['first connection under way', { socket: 'connecting', scope: null }, 'Saving…'],
    ['connected, not yet let in', { scope: null }, 'Saving…'],
    ['handshake not acknowledged', { unsynced: 1 }, 'Saving…'],
    ['an edit not acknowledged', { unsynced: 1, pending: 1 }, 'Saving…'],
    ['kept edits not yet sent', { pending: 3 }, 'Saving…'],
    ['lost, nothing to send', { socket: 'lost', scope: null }, 'Offline – 0 changes kept here'],
    ['lost with one edit', { socket: 'lost', scope: null, pending: 1 }, 'Offline – 1 change kept here'],
    ['lost with edits', { socket: 'lost', scope: null, unsynced: 9, pending: 14 }, 'Offline – 14 changes kept here'],
    ['lost, and not written here yet', { socket: 'lost', scope: null, pending: 2, keeping: true }, 'Offline – keeping 2 changes here…'],
    ['not written here yet, but on its way', { unsynced: 1, pending: 1, keeping: true }, 'Saving…'],
    ['lost, though the last scope is remembered', { socket: 'lost', pending: 2 }, 'Offline – 2 changes kept here'],
    ['reader', { scope: 'readonly' }, 'Read-only'],
    ['reader during the handshake', { scope: 'readonly', unsynced: 1 }, 'Read-only'],
    ['reader, lost', { socket: 'lost', scope: 'readonly' }, 'Offline – 0 changes kept here'],
    ['an edit that the database does not take', { unsynced: 1, pending: 1, trouble: 'the database is away' }, 'Not saved yet: the database is away'],
    ['nothing to save while the database is away', { trouble: 'the database is away' }, 'Saved'],
    ['lost while the database is away', { socket: 'lost', scope: null, pending: 1, trouble: 'the database is away' }, 'Offline – 1 change kept here'],
    ['damaged', { scope: 'readonly', damage: 'row 3 is missing' }, 'Damaged, read-only: row 3 is missing'],
    ['refused', { refusal }, 'Cannot save: this file is full'],
    ['refused and counting', { refusal, unsynced: 4, pending: 4 }, 'Cannot save: this file is full'],
    ['refused, then lost', { refusal, socket: 'lost', scope: null, pending: 4 }, 'Cannot save: this file is full'],
    ['refused reader', { refusal, scope: 'readonly' }, 'Cannot save: this file is full'],
  ])('%s', (_name, change, words) => {
    expect(describeSave(deriveSaveState({ ...settled, ...change }))).toBe(words)
  })

  it('says Saved in exactly one case', () => {
    let saved = 0
    for (const socket of ['connecting', 'open', 'lost'] as const)
      for (const scope of ['read-write', 'readonly', null] as const)
        for (const unsynced of [0, 1])
          for (const pending of [0, 1])
            for (const why of [null, refusal])
              if (deriveSaveState({ ...settled, socket, scope, unsynced, pending, refusal: why }).kind === 'saved') saved += 1
    expect(saved).toBe(1)
  })
})

describe('one word for several files', () => {
  const saved: SaveState = { kind: 'saved' }
  const saving: SaveState = { kind: 'saving', pending: 2 }
  const offline: SaveState = { kind: 'offline', pending: 3, keeping: false }
  const reading: SaveState = { kind: 'read-only' }
  const refused: SaveState = { kind: 'refused', ...refusal }
  it.each<[string, SaveState[], string]>([
    ['no file', [], 'Saved'],
    ['all saved', [saved, saved], 'Saved'],
    ['one under way', [saved, saving, reading], 'Saving…'],
    ['some offline: all that is unsaved counts', [offline, saving, saved], 'Offline – 5 changes kept here'],
    ['some offline, one of them not written yet', [offline, { ...offline, keeping: true }], 'Offline – keeping 6 changes here…'],
    ['one refused', [offline, saving, refused], 'Cannot save: this file is full'],
    ['one that the database does not take', [saving, { ...saving, why: 'it is full' }], 'Not saved yet: it is full'],
    ['one damaged', [saved, { kind: 'read-only', why: 'a row is missing' }], 'Damaged, read-only: a row is missing'],
    ['a reader', [reading, reading], 'Read-only'],
    ['a reader of some', [reading, saved], 'Saved'],
  ])('%s', (_name, states, words) => {
    expect(describeSave(combineSaves(states))).toBe(words)
  })
})

describe('what the server says of itself', () => {
  it.each<[string, Partial<SaveFacts>]>([
    ['{"event":"saving","state":"database_away","message":"the database is away"}', { trouble: 'the database is away' }],
    ['{"event":"saving","state":"database_full"}', { trouble: 'the server cannot save at present' }],
    ['{"event":"saving","state":"ok","message":"changes are saved again"}', { trouble: null }],
    ['{"event":"damaged","message":"row 3 is missing"}', { damage: 'row 3 is missing' }],
    ['{"event":"refused","code":"read_only","message":"no"}', {}],
    ['[]', {}],
    ['{', {}],
  ])('%s', (payload, change) => {
    expect(readTrouble(payload)).toEqual(change)
  })
})

describe('the tracker', () => {
  it('follows one edit from key to commit', () => {
    const tracker = createSaveTracker()
    const words: string[] = []
    tracker.state.subscribe((state) => words.push(describeSave(state)))
    tracker.update({ socket: 'open' })
    tracker.update({ unsynced: 1 })
    tracker.update({ scope: 'read-write' })
    tracker.update({ unsynced: 0 })
    tracker.update({ pending: 1 })
    tracker.update({ unsynced: 1 })
    tracker.update({ unsynced: 0, pending: 0 })
    expect(words).toEqual(['Saving…', 'Saved', 'Saving…', 'Saved'])
  })

  it('counts offline edits one by one and comes back', () => {
    const tracker = createSaveTracker({ ...settled })
    const words: string[] = []
    tracker.state.subscribe((state) => words.push(describeSave(state)))
    tracker.update({ socket: 'lost', scope: null })
    tracker.update({ pending: 1 })
    tracker.update({ pending: 2 })
    tracker.update({ socket: 'open', unsynced: 1 })
    tracker.update({ scope: 'read-write' })
    tracker.update({ unsynced: 0, pending: 0 })
    expect(words).toEqual([
      'Saved', 'Offline – 0 changes kept here', 'Offline – 1 change kept here', 'Offline – 2 changes kept here', 'Saving…', 'Saved',
    ])
  })
})
