// The copy of a file kept on this device (IndexedDB), and the note of what in it is not saved yet
// (localStorage, readable at once and from every tab). Both are named by user, file and epoch, so
// neither another user of this browser nor another epoch of the file ever meets them.

import { IndexeddbPersistence } from 'y-indexeddb'
import type * as Y from 'yjs'

const PREFIX = 'coterie/'
/** A cache that does not open in this time (a blocked upgrade, a sick disk) must not keep the file shut. */
const OPEN_TIMEOUT_MS = 2_000

export function cacheName(userId: string, documentId: string, epoch: number): string {
  return `${PREFIX}${userId}/${documentId}/${epoch}`
}

export interface Cache {
  /** Stops writing; what was written stays. */
  close(): Promise<void>
  /** Stops writing and forgets everything. */
  discard(): Promise<void>
}

/** Loads what is kept into `doc` and keeps following it. Null when the browser will not store anything. */
export async function openCache(name: string, doc: Y.Doc): Promise<Cache | null> {
  if (!(await canStore())) return null
  const persistence = new IndexeddbPersistence(name, doc)
  const late = new Promise<null>((resolve) => setTimeout(resolve, OPEN_TIMEOUT_MS, null))
  await Promise.race([persistence.whenSynced, late])
  return {
    close: () => persistence.destroy(),
    discard: () => persistence.clearData(),
  }
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
