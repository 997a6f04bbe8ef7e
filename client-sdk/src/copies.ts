// Edits that the server refused, kept as texts until somebody decides about them. Clocks have no gaps, so what
// was refused can never be sent again; but it is somebody's work, and it does not vanish by itself.

import { createStore, type Store } from './store.ts'
import type { Refusal } from './save.ts'

/** Edits that the server refused, as the text with them. */
export interface KeptCopy {
  id: string
  projectId: string
  documentId: string
  /** Where the file was. */
  path: string
  /** Why the server refused. */
  reason: Refusal
  /** When, in milliseconds since 1970. */
  at: number
  /** The text as it was here, with the refused edits. */
  mine: string
  /** The text as the server had it then; null when it could not be asked. */
  saved: string | null
  /** Where text is not all that the document holds: all of it as it was here, as an update of Yjs. */
  state: Uint8Array | null
}

/** The copies of one person on this device. */
export interface CopyShelf {
  readonly list: Store<readonly KeptCopy[]>
  /** Resolves when it is written down, as far as this device writes anything down. */
  add(copy: KeptCopy): Promise<void>
  remove(id: string): Promise<void>
  close(): void
}

const STORE = 'copies'

export function openShelf(userId: string, persist: boolean): CopyShelf {
  const list = createStore<readonly KeptCopy[]>([])
  const removed = new Set<string>()
  // Named like all else that is kept for this person, so that signing out forgets it too.
  const database: Promise<IDBDatabase | null> = persist ? openDatabase(`coterie/${userId}/copies`) : Promise.resolve(null)

  async function stored<T>(mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T | undefined> {
    const open = await database
    if (!open) return undefined
    try {
      return await answerOf(act(open.transaction(STORE, mode).objectStore(STORE)))
    } catch {
      return undefined // kept in this page at least
    }
  }

  void stored('readonly', (store) => store.getAll() as IDBRequest<KeptCopy[]>).then((kept) => {
    const known = new Set(list.get().map(({ id }) => id))
    const older = (kept ?? []).filter(({ id }) => !known.has(id) && !removed.has(id))
    if (older.length > 0) list.set([...older, ...list.get()].sort((a, b) => a.at - b.at))
  })

  return {
    list,
    async add(copy) {
      list.set([...list.get(), copy])
      await stored('readwrite', (store) => store.put(copy))
    },
    async remove(id) {
      removed.add(id)
      list.set(list.get().filter((copy) => copy.id !== id))
      await stored('readwrite', (store) => store.delete(id))
    },
    close: () => void database.then((open) => open?.close()),
  }
}

function openDatabase(name: string): Promise<IDBDatabase | null> {
  return new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, 1)
      request.onupgradeneeded = () => void request.result.createObjectStore(STORE, { keyPath: 'id' })
      request.onsuccess = () => {
        // Signed out in another tab: what is kept is to be gone here too.
        request.result.onversionchange = () => request.result.close()
        resolve(request.result)
      }
      request.onerror = request.onblocked = () => resolve(null)
    } catch {
      resolve(null)
    }
  })
}

function answerOf<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error ?? new Error('the browser does not store'))
  })
}

/** Copies of a project, and what can be done with them. */
export interface Copies {
  readonly list: Store<readonly KeptCopy[]>
  /** Makes a file of it, beside the one it was an edit of, and answers its path. */
  keep(id: string): Promise<string>
  discard(id: string): Promise<void>
}

/** `docs/plan.md` becomes `docs/plan (copy).md`, or `(copy 2)` where that is taken. */
export function copyPath(path: string, taken: (path: string) => boolean): string {
  const slash = path.lastIndexOf('/') + 1
  const dot = path.lastIndexOf('.')
  const end = dot > slash ? dot : path.length
  for (let number = 1; ; number += 1) {
    const wanted = `${path.slice(0, end)} (copy${number === 1 ? '' : ` ${number}`})${path.slice(end)}`
    if (!taken(wanted)) return wanted
  }
}
