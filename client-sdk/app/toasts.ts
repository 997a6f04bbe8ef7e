// Short news at the foot of the page: what was done, and the way back.

import { createStore, type Store } from 'coterie'

export interface Toast {
  id: number
  words: string
  bad: boolean
  /** What takes it back. */
  undo: (() => unknown) | null
}

/** Long enough to be read and reached by keyboard; the page stops the clock while somebody is at it. */
export const TOAST_MS = 10_000
const MOST = 3

const here = createStore<readonly Toast[]>([])
export const toasts: Store<readonly Toast[]> = here
let count = 0

export function tell(words: string, how: { bad?: boolean; undo?: () => unknown } = {}): void {
  count += 1
  here.set([...here.get(), { id: count, words, bad: how.bad ?? false, undo: how.undo ?? null }].slice(-MOST))
}

export function dismiss(id: number): void {
  here.set(here.get().filter((toast) => toast.id !== id))
}

/** Takes the latest thing back that can be. */
export function undoLatest(): boolean {
  const latest = here.get().findLast((toast) => toast.undo !== null)
  if (!latest) return false
  dismiss(latest.id)
  void latest.undo?.()
  return true
}
