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
  /** Whether some of them are not written to this device yet. */
  keeping: boolean
  /** Why the server will not take the edits. */
  refusal: Refusal | null
  /** What the server says is wrong with its database; edits wait there, and nothing need be done here. */
  trouble: string | null
  /** What the server says is wrong with what it stored of this file, so that nobody can edit it. */
  damage: string | null
}

/** Why the server will not take edits. */
export interface Refusal {
  code: string
  message: string
}

/** The truth about the edits of a file. */
export type SaveState =
  | { kind: 'saved' }
  /** `why` is there when it takes longer than usual. */
  | { kind: 'saving'; pending: number; why?: string }
  /** `keeping` while some of them are not written to this device yet. */
  | { kind: 'offline'; pending: number; keeping: boolean }
  /** `why` is there when it is not the role that allows no edits. */
  | { kind: 'read-only'; why?: string }
  | { kind: 'refused'; code: string; message: string }

/** The one state that follows from what is known. */
export function deriveSaveState(facts: SaveFacts): SaveState {
  // A refusal stays true while offline: coming back would not help.
  if (facts.refusal) return { kind: 'refused', ...facts.refusal }
  if (facts.socket === 'lost') return { kind: 'offline', pending: facts.pending, keeping: facts.keeping }
  if (facts.scope === 'readonly') return facts.damage === null ? { kind: 'read-only' } : { kind: 'read-only', why: facts.damage }
  if (facts.socket === 'connecting' || facts.scope === null || facts.unsynced > 0 || facts.pending > 0) {
    return facts.trouble === null ? { kind: 'saving', pending: facts.pending } : { kind: 'saving', pending: facts.pending, why: facts.trouble }
  }
  return { kind: 'saved' }
}

/** One word for several files: the worst of theirs. Without any file, nothing is unsaved. */
export function combineSaves(states: readonly SaveState[]): SaveState {
  const refused = states.find((state) => state.kind === 'refused')
  if (refused) return refused
  const pending = states.reduce((sum, state) => sum + ('pending' in state ? state.pending : 0), 0)
  const offline = states.filter((state) => state.kind === 'offline')
  if (offline.length > 0) return { kind: 'offline', pending, keeping: offline.some((state) => state.keeping) }
  const saving = states.filter((state) => state.kind === 'saving')
  const troubled = saving.find((state) => state.why !== undefined)
  if (troubled) return { ...troubled, pending }
  if (saving.length > 0) return { kind: 'saving', pending }
  const damaged = states.find((state) => state.kind === 'read-only' && state.why !== undefined)
  if (damaged) return damaged
  return states.length > 0 && states.every((state) => state.kind === 'read-only') ? { kind: 'read-only' } : { kind: 'saved' }
}

/** The words people see. Tests and screens rely on them, so they are made in this one place. */
export function describeSave(state: SaveState): string {
  switch (state.kind) {
    case 'saved':
      return 'Saved'
    case 'saving':
      return state.why === undefined ? 'Saving…' : `Not saved yet: ${state.why}`
    case 'offline': {
      const changes = `${state.pending} ${state.pending === 1 ? 'change' : 'changes'}`
      return state.keeping ? `Offline – keeping ${changes} here…` : `Offline – ${changes} kept here`
    }
    case 'read-only':
      return state.why === undefined ? 'Read-only' : `Damaged, read-only: ${state.why}`
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
  const facts: SaveFacts = { socket: 'connecting', scope: null, unsynced: 0, pending: 0, keeping: false, refusal: null, trouble: null, damage: null, ...initial }
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
