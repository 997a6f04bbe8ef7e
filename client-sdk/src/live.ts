// A file that stays open. What the server refused can never be sent again from the document it is in, and a history that
// was replaced has nothing to do with the one before: then it goes on with a fresh document, which whoever shows it binds anew.

import type { FileHandle } from './file.ts'
import { createStore, type Store } from './store.ts'

/** What takes time to open. */
export type Opening<T> = { kind: 'opening' } | { kind: 'open'; value: T } | { kind: 'failed'; error: unknown }

/** A file for as long as it is wanted, whatever becomes of its handles. */
export interface LiveFile {
  /** The handle to show now; another one once that has ended and there is more to go on from. */
  readonly state: Store<Opening<FileHandle>>
  /** Opens it anew, as the server has it: what this device keeps of it is forgotten. */
  again(): Promise<void>
  close(): void
}

/** `open` gives a handle of the file as it is now. */
export function keepOpen(open: () => Promise<FileHandle>): LiveFile {
  const state = createStore<Opening<FileHandle>>({ kind: 'opening' })
  let current: FileHandle | null = null
  let unfollow = () => {}
  let closed = false

  async function begin() {
    unfollow()
    current = null
    state.set({ kind: 'opening' })
    try {
      const handle = await open()
      if (closed) return handle.close()
      current = handle
      state.set({ kind: 'open', value: handle })
      unfollow = handle.phase.subscribe((phase) => {
        // Not while it is being told: whoever follows with us is told of this one first.
        if (phase.kind === 'gone') queueMicrotask(() => void goOn(handle, phase.why))
      })
    } catch (error) {
      if (!closed) state.set({ kind: 'failed', error })
    }
  }

  async function goOn(handle: FileHandle, why: string) {
    if (closed || current !== handle) return
    if (why === 'refused') return begin()
    // Nothing here that the server does not have.
    if (why === 'replaced' && handle.pending.get() === 0) await again()
  }

  async function again() {
    const handle = current
    unfollow()
    await handle?.discard()
    if (!closed && current === handle) await begin()
  }

  void begin()
  return {
    state,
    again,
    close() {
      closed = true
      unfollow()
      current?.close()
    },
  }
}
