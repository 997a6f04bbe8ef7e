import { describe, expect, it } from 'vitest'
import { combineSaves, createSaveTracker, deriveSaveState, describeSave, type SaveFacts, type SaveState } from '../src/save.ts'

const settled: SaveFacts = { socket: 'open', scope: 'read-write', unsynced: 0, pending: 0, refusal: null }
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
    ['lost, though the last scope is remembered', { socket: 'lost', pending: 2 }, 'Offline – 2 changes kept here'],
    ['reader', { scope: 'readonly' }, 'Read-only'],
    ['reader during the handshake', { scope: 'readonly', unsynced: 1 }, 'Read-only'],
    ['reader, lost', { socket: 'lost', scope: 'readonly' }, 'Offline – 0 changes kept here'],
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
              if (deriveSaveState({ socket, scope, unsynced, pending, refusal: why }).kind === 'saved') saved += 1
    expect(saved).toBe(1)
  })
})

describe('one word for several files', () => {
  const saved: SaveState = { kind: 'saved' }
  const saving: SaveState = { kind: 'saving', pending: 2 }
  const offline: SaveState = { kind: 'offline', pending: 3 }
  const reading: SaveState = { kind: 'read-only' }
  const refused: SaveState = { kind: 'refused', ...refusal }
  it.each<[string, SaveState[], string]>([
    ['no file', [], 'Saved'],
    ['all saved', [saved, saved], 'Saved'],
    ['one under way', [saved, saving, reading], 'Saving…'],
    ['some offline: all that is unsaved counts', [offline, saving, saved], 'Offline – 5 changes kept here'],
    ['one refused', [offline, saving, refused], 'Cannot save: this file is full'],
    ['a reader', [reading, reading], 'Read-only'],
    ['a reader of some', [reading, saved], 'Saved'],
  ])('%s', (_name, states, words) => {
    expect(describeSave(combineSaves(states))).toBe(words)
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
