// One word for the truth about a file's edits. "Saved" is said only after the server's database
// has committed everything typed here; whatever is less certain gets a lesser word.

import { createStore, type Store } from './store.ts'

/** What is known; each field is set by the party that knows it. */
export interface SaveFacts {
  /** `connecting` only until the first attempt succeeds or fails: from then on it is `open` or `lost`. */
  socket: 'connecting' | 'open' | 'lost'
  /** What the server let us do on this connection; null until it has answered. */
  scope: 'read-write' | 'readonly' | null
  /** Frames of this file not yet acknowledged as committed, the opening handshake among them. */
  unsynced: number
  /** Changes made on this device that are not acknowledged. */
  pending: number
  /** Why the server will not take the edits. */
  refusal: Refusal | null
}

export interface Refusal {
  code: string
  message: string
}

export type SaveState =
  | { kind: 'saved' }
  | { kind: 'saving'; pending: number }
  | { kind: 'offline'; pending: number }
  | { kind: 'read-only' }
  | { kind: 'refused'; code: string; message: string }

export function deriveSaveState(facts: SaveFacts): SaveState {
  // A refusal stays true while offline: coming back would not help.
  if (facts.refusal) return { kind: 'refused', ...facts.refusal }
  if (facts.socket === 'lost') return { kind: 'offline', pending: facts.pending }
  if (facts.scope === 'readonly') return { kind: 'read-only' }
  if (facts.socket === 'connecting' || facts.scope === null || facts.unsynced > 0 || facts.pending > 0) {
    return { kind: 'saving', pending: facts.pending }
  }
  return { kind: 'saved' }
}

/** One word for several files: the worst of theirs. Without any file, nothing is unsaved. */
export function combineSaves(states: readonly SaveState[]): SaveState {
  const refused = states.find((state) => state.kind === 'refused')
  if (refused) return refused
  const pending = states.reduce((sum, state) => sum + ('pending' in state ? state.pending : 0), 0)
  if (states.some((state) => state.kind === 'offline')) return { kind: 'offline', pending }
  if (states.some((state) => state.kind === 'saving')) return { kind: 'saving', pending }
  return states.length > 0 && states.every((state) => state.kind === 'read-only') ? { kind: 'read-only' } : { kind: 'saved' }
}

/** The words people see. Tests and screens rely on them, so they are made in this one place. */
export function describeSave(state: SaveState): string {
  switch (state.kind) {
    case 'saved':
      return 'Saved'
    case 'saving':
      return 'Saving…'
    case 'offline':
      return `Offline – ${state.pending} ${state.pending === 1 ? 'change' : 'changes'} kept here`
    case 'read-only':
      return 'Read-only'
    case 'refused':
      return `Cannot save: ${state.message}`
  }
}

export interface SaveTracker {
  readonly facts: SaveFacts
  readonly state: Store<SaveState>
  update(change: Partial<SaveFacts>): void
}

export function createSaveTracker(initial: Partial<SaveFacts> = {}): SaveTracker {
  const facts: SaveFacts = { socket: 'connecting', scope: null, unsynced: 0, pending: 0, refusal: null, ...initial }
  const state = createStore(deriveSaveState(facts), sameState)
  return {
    facts,
    state,
    update(change) {
      Object.assign(facts, change)
      state.set(deriveSaveState(facts))
    },
  }
}

export function sameState(a: SaveState, b: SaveState): boolean {
  return a.kind === b.kind && describeSave(a) === describeSave(b)
}
