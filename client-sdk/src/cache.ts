// The copy of a file kept on this device (IndexedDB), and the note of what in it is not saved yet
// (localStorage, readable at once and from every tab). Both are named by user, file and epoch, so
// neither another user of this browser nor another epoch of the file ever meets them.

import { IndexeddbPersistence, storeState } from 'y-indexeddb'
import type * as Y from 'yjs'

const PREFIX = 'coterie/'
/** A cache that does not open in this time (a blocked upgrade, a sick disk) must not keep the file shut. */
const OPEN_TIMEOUT_MS = 2_000

export function cacheName(userId: string, documentId: string, epoch: number): string {
  return `${PREFIX}${userId}/${documentId}/${epoch}`
}

export interface Cache {
  /** Resolves once all that is in the file by now is written. */
  written(): Promise<void>
  /** Stops writing; what was written stays. */
  close(): Promise<void>
  /** Stops writing and forgets everything. What another tab has of the same file it keeps anew. */
  discard(): Promise<void>
}

/** Where y-indexeddb keeps updates. */
const UPDATES = 'updates'
const DISCARDED = 'discarded'

/**
 * Loads what is kept into `doc` and keeps following it. Null when the browser will not store anything. All tabs of one user write
 * into one copy: `onDiscarded` is called where another one threw it away and what is in `doc` is being written again.
 */
export async function openCache(name: string, doc: Y.Doc, onDiscarded: () => void = () => {}): Promise<Cache | null> {
  if (!(await canStore())) return null
  const persistence = new IndexeddbPersistence(name, doc)
  const tabs = typeof BroadcastChannel === 'undefined' ? null : new BroadcastChannel(name)
  let stopped = false
  const stop = async () => {
    if (stopped) return
    stopped = true
    tabs?.close()
    await persistence.destroy()
  }
  if (tabs) {
    tabs.onmessage = ({ data }: MessageEvent<unknown>) => {
      if (data !== DISCARDED || stopped || !persistence.synced) return
      onDiscarded()
      void storeState(persistence).catch(() => undefined) // by then it is closed here too
    }
  }
  const late = new Promise<null>((resolve) => setTimeout(resolve, OPEN_TIMEOUT_MS, null))
  await Promise.race([persistence.whenSynced, late])
  // Signed out in another tab: what is kept is to be gone here too, and nothing more is to be written.
  if (persistence.db) persistence.db.onversionchange = () => void stop()
  return {
    async written() {
      await persistence.whenSynced
      if (stopped || !persistence.db) return
      // Transactions that write to one store are done in the order in which they were begun.
      const last = persistence.db.transaction(UPDATES, 'readwrite')
      await new Promise<void>((resolve) => (last.oncomplete = last.onabort = () => resolve()))
    },
    close: stop,
    async discard() {
      if (stopped) return
      stopped = true
      await persistence.destroy()
      await clear(name)
      tabs?.postMessage(DISCARDED)
      tabs?.close()
    },
  }
}

/** Empties a copy. Not the database as a whole, to which other tabs hold on. */
function clear(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.open(name)
    request.onupgradeneeded = () => request.transaction?.abort() // there is none, and none is to be made
    request.onerror = request.onblocked = () => resolve()
    request.onsuccess = () => {
      const database = request.result
      const end = () => {
        database.close()
        resolve()
      }
      if (!database.objectStoreNames.contains(UPDATES)) return end()
      const writing = database.transaction(UPDATES, 'readwrite')
      writing.objectStore(UPDATES).clear()
      writing.oncomplete = writing.onerror = writing.onabort = end
    }
  })
}

let storable: Promise<boolean> | undefined

/** Private windows may offer IndexedDB and then refuse it; y-indexeddb would fail unheard. */
function canStore(): Promise<boolean> {
  storable ??= new Promise((resolve) => {
    try {
      const request = indexedDB.open(`${PREFIX}probe`)
      request.onsuccess = () => {
        request.result.close()
        resolve(true)
      }
      request.onerror = () => resolve(false)
    } catch {
      resolve(false)
    }
  })
  return storable
}

export interface UnsavedNote {
  projectId: string
  documentId: string
  epoch: number
  changes: number
}

/** Notes how many changes of a file only this device has; 0 removes the note. */
export function noteUnsaved(userId: string, note: UnsavedNote): void {
  const key = cacheName(userId, note.documentId, note.epoch)
  try {
    if (note.changes > 0) localStorage.setItem(key, JSON.stringify({ project: note.projectId, changes: note.changes }))
    else localStorage.removeItem(key)
  } catch {
    // No storage: the note is a convenience, the truth is in the document.
  }
}

export function unsavedNotes(userId: string): UnsavedNote[] {
  const notes: UnsavedNote[] = []
  for (const key of storageKeys()) {
    const [user, documentId, epoch] = key.slice(PREFIX.length).split('/')
    if (!key.startsWith(PREFIX) || user !== userId || !documentId || !epoch) continue
    const note = readNote(key)
    if (note) notes.push({ ...note, documentId, epoch: Number(epoch) })
  }
  return notes
}

/** Forgets everything this user left on this device. */
export async function forgetUser(userId: string): Promise<void> {
  const own = `${PREFIX}${userId}/`
  for (const key of storageKeys()) if (key.startsWith(own)) localStorage.removeItem(key)
  try {
    const names = (await indexedDB.databases()).map(({ name }) => name ?? '').filter((name) => name.startsWith(own))
    await Promise.all(names.map(deleteDatabase))
  } catch {
    // No IndexedDB, nothing kept.
  }
}

/** Resolves when it is gone, or will be as soon as another tab lets go of it. */
function deleteDatabase(name: string): Promise<void> {
  return new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = request.onerror = request.onblocked = () => resolve()
  })
}

function storageKeys(): string[] {
  try {
    return Object.keys(localStorage)
  } catch {
    return []
  }
}

function readNote(key: string): { projectId: string; changes: number } | null {
  try {
    const value: unknown = JSON.parse(localStorage.getItem(key) ?? 'null')
    if (typeof value !== 'object' || value === null) return null
    const { project, changes } = value as { project?: unknown; changes?: unknown }
    return typeof project === 'string' && typeof changes === 'number' ? { projectId: project, changes } : null
  } catch {
    return null
  }
}
