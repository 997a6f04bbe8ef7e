// One open file: its text, who else is in it, and what is true about its edits.
// Everything particular to the Hocuspocus provider stays in here and in socket.ts.

import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { cacheName, noteUnsaved, openCache, unsavedNotes, type Cache } from './cache.ts'
import type { Credential } from './credential.ts'
import { ApiError } from './http.ts'
import { followPeople, readPeople, type Person } from './people.ts'
import { CheckedProvider } from './provider.ts'
import { createSaveTracker, type Refusal, type SaveState } from './save.ts'
import type { Socket } from './socket.ts'
import { createStore, type Store } from './store.ts'
import type { DocumentInfo, User } from './types.ts'
import { AS_WE_ASKED, CLOSE, readRefusal, readTrouble, readWhy, SYNC_STATUS, type Frame } from './wire.ts'

/** The root text that makes a document a file. */
const CONTENT = 'content'

/** Where an open file stands. */
export type FilePhase =
  | { kind: 'loading' }
  | { kind: 'open' }
  /** The server ended it. `why` is for deciding, `reason` is its own word. */
  | { kind: 'gone'; why: GoneWhy; reason: string }

/**
 * `refused`: the server took an edit as little as it will take what follows it. What was here is kept as a copy
 * (`project.copies`); open the file again to go on from the saved text.
 */
export type GoneWhy = 'deleted' | 'not-found' | 'signed-out' | 'replaced' | 'refused' | 'closed'

/** One open file. */
export interface FileHandle {
  readonly id: string
  readonly projectId: string
  readonly doc: Y.Doc
  readonly text: Y.Text
  readonly awareness: Awareness
  /** Undoes own edits only; it belongs to the file, so it outlives a view. */
  readonly undo: Y.UndoManager
  readonly phase: Store<FilePhase>
  /** May this user type here now? */
  readonly editable: Store<boolean>
  readonly save: Store<SaveState>
  /** Changes that only this device has. */
  readonly pending: Store<number>
  readonly people: Store<Person[]>
  /** Colours of those who are in the project's room, by their id; who is not has that of their login. */
  readonly colors: Store<ReadonlyMap<string, string>>
  /** Resolves when the server's text has arrived; rejects when it never will. */
  whenSynced(signal?: AbortSignal): Promise<void>
  /**
   * Am I looking at it? A file open in the background tells nobody that I am there. Since the whole page shares the
   * handle, whoever shows it last says so.
   */
  setHere(here: boolean): void
  /** Asks again after `gone`. */
  retry(): void
  /** Leaves. Edits not yet saved go on being sent in the background until they are. */
  close(): void
  /** Leaves and forgets this device's copy, refused edits included. */
  discard(): Promise<void>
}

/** What the client, which owns the files of a page, may do besides. */
export interface OwnedFile extends FileHandle {
  /** Somebody opened it again while it was still sending after `close`. */
  rejoin(): void
  /** Stops at once; edits not yet sent stay in the copy on this device. */
  end(): void
}

export interface FileOptions {
  socket: Socket
  credential: Credential
  user: User
  info: DocumentInfo
  persist: boolean
  /** What the role says, until the server has said it for this connection. */
  mayEdit: boolean
  colors: Store<ReadonlyMap<string, string>>
  /** What the server says of the document now; asked at every connection. */
  current(): Promise<DocumentInfo>
  /** The server refused edits: what is here is to be kept as a copy. Resolves when it is. */
  onRefused(refusal: Refusal, mine: { text: string; state: Uint8Array | null }): Promise<void>
  /** Called once, when nothing of it is running any more. */
  onEnded(): void
}

/** `name` on the wire; an id, not a path, so that renaming leaves the document alone. */
export function documentName(info: { project_id: string; id: string }): string {
  return `${info.project_id}/${info.id}`
}

/** The server's word for a document that was deleted or replaced; it says so of the document too. */
const GONE = 'gone'
/** The word for a refusal without a reason, which is waited for this long. */
const UNSAID = 'refused'
const REASON_MS = 1_000
/** A new token that is refused no later than this after the last one ends it. */
const RENEW_AGAIN_MS = 1_000
/** Between attempts to learn how the document is, where the server does not say how long to wait. */
const FIRST_PAUSE_MS = 500
const LONGEST_PAUSE_MS = 20_000

export function openFile(options: FileOptions): OwnedFile {
  const { socket, user, info } = options
  const note = { projectId: info.project_id, documentId: info.id, epoch: info.epoch }
  const doc = new Y.Doc()
  const text = doc.getText(CONTENT)
  const awareness = new Awareness(doc)
  const kept = unsavedNotes(user.id).find((n) => n.documentId === info.id && n.epoch === info.epoch)?.changes ?? 0
  const tracker = createSaveTracker({ pending: kept, socket: socket.status.get() })
  const phase = createStore<FilePhase>({ kind: 'loading' })
  const editable = createStore(false)
  const pending = createStore(kept)
  const { people, look, stop: stopPeople } = followPeople(awareness, () => readPeople(awareness, user, options.colors.get()))
  const unfollowColors = options.colors.subscribe(look)
  const undo = new Y.UndoManager(text)
  let resolveSynced = () => {}
  let rejectSynced = (_reason: Error) => {}
  const synced = new Promise<void>((resolve, reject) => ([resolveSynced, rejectSynced] = [resolve, reject]))
  synced.catch(() => undefined) // nobody may be waiting
  let scope: 'read-write' | 'readonly' = options.mayEdit ? 'read-write' : 'readonly'
  let cache: Cache | null = null
  let typed = 0 // changes made here
  let shown = false // once the text was on screen it stays there, whatever happens
  let leaving = false
  let ended = false
  let shownToken = ''
  let renewedAt = 0
  let refusals = 0 // of the server to say how the document is, one after another
  let asking: ReturnType<typeof setTimeout> | undefined

  const provider = new CheckedProvider({
    websocketProvider: socket.provider,
    name: documentName(info),
    document: doc,
    awareness,
    token,
  })

  /**
   * Asked for before anything is exchanged, at every connection; and so the moment to make sure that the text here and the text there are one history. A server
   * restored from a backup has begun a new epoch, and merging the old one in would undo the restore.
   */
  async function token(): Promise<string> {
    try {
      const { epoch } = await options.current()
      refusals = 0
      if (epoch !== info.epoch) {
        leave('replaced', 'the history was replaced')
      }
    } catch (error) {
      if (error instanceof ApiError && error.isNotFound) leave('not-found', error.message)
      else if (error instanceof ApiError && error.isUnauthorized) leave('signed-out', error.message)
      // Not reachable after all: the next connection asks again.
      else if (!(error instanceof ApiError) || error.isOffline) socket.provider.webSocket?.close()
      else askLater(error.retryAfter)
    }
    return (shownToken = await options.credential.get())
  }

  /** A server that is there but does not answer of this file now: the others on the same connection go on without it. */
  function askLater(seconds: number | null) {
    if (ended) return
    provider.detach() // what would be sent next goes nowhere
    const pause = seconds === null ? Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** refusals) : seconds * 1_000
    refusals += 1
    clearTimeout(asking)
    asking = setTimeout(() => phase.get().kind !== 'gone' && provider.attach(), pause + Math.random() * Math.max(FIRST_PAUSE_MS, pause / 2))
  }

  /** What a token has ended goes on with another one, where there is one, as if nothing had been. */
  async function renew(reason: string) {
    tracker.update({ scope: null })
    provider.detach() // what is sent now would be answered after the exchange of the next time, and confuse its count
    const again = Date.now() - renewedAt < RENEW_AGAIN_MS
    const renewed = !again && (await options.credential.renew(shownToken).catch(() => false))
    if (ended) return
    if (!renewed) return setGone('signed-out', reason)
    renewedAt = Date.now()
    provider.attach()
  }

  /** The server let go of the document, or did not let us in. */
  function putOut(reason: string) {
    const why = readWhy(reason)
    if (why === 'signed-out') void renew(reason)
    else setGone(why, reason)
  }

  function leave(why: GoneWhy, reason: string) {
    provider.detach() // what would be sent next goes nowhere
    setGone(why, reason)
  }

  function show() {
    if (phase.get().kind === 'open') shown = true
    editable.set(phase.get().kind === 'open' && scope === 'read-write' && tracker.facts.refusal === null)
  }
  function setPending(changes: number) {
    if (changes === pending.get()) return
    pending.set(changes)
    tracker.update({ pending: changes })
    if (options.persist) noteUnsaved(user.id, { ...note, changes })
  }
  /** So that what is said to be kept here is: it is asked for once what came before is written, and again for what came meanwhile. */
  async function keep() {
    if (cache === null || tracker.facts.keeping) return
    tracker.update({ keeping: true })
    let before: number
    do {
      before = typed
      await cache?.written().catch(() => undefined) // it was closed
    } while (before !== typed && cache !== null)
    tracker.update({ keeping: false })
  }
  function refuse(code: string, message: string) {
    tracker.update({ refusal: { code, message } })
    show()
    // Of a document that is gone the copy here is all there is; else a fresh one can go on.
    if (phase.get().kind === 'gone' || code === GONE) {
      if (leaving) end() // waiting longer saves nothing
    } else {
      clearTimeout(movingOn)
      movingOn = setTimeout(() => void moveOn({ code, message }), code === UNSAID ? REASON_MS : 0)
    }
  }
  function setGone(why: GoneWhy, reason: string) {
    phase.set({ kind: 'gone', why, reason })
    refuse(why, GONE_WORDS[why] ?? reason)
    rejectSynced(new Error(reason))
  }
  let movingOn: ReturnType<typeof setTimeout> | undefined
  async function moveOn(refusal: Refusal) {
    if (ended) return
    provider.detach()
    await options.onRefused(refusal, { text: text.toString(), state: isPlain(doc) ? null : Y.encodeStateAsUpdate(doc) })
    await discard()
    phase.set({ kind: 'gone', why: 'refused', reason: refusal.message })
  }
  let here = true
  function appear() {
    awareness.setLocalState({ user: { name: user.name, color: user.color, colorLight: user.color_light } })
  }

  // --- what the document says -------------------------------------------------------------------
  doc.on('update', (_update: Uint8Array, _origin: unknown, _doc: Y.Doc, transaction: Y.Transaction) => {
    if (!transaction.local) return
    typed += 1
    setPending(pending.get() + 1)
    void keep()
  })

  // --- what the connection says -----------------------------------------------------------------
  const unfollowSocket = socket.status.subscribe((status) => {
    // What is wrong is said anew to everyone who comes.
    tracker.update(status === 'open' ? { socket: status } : { socket: status, scope: null, trouble: null, damage: null })
    // Signed in again meanwhile, perhaps: a cookie counts from the next connection on.
    const { kind, why } = { why: null, ...phase.get() }
    if (status === 'open' && kind === 'gone' && why === 'signed-out') provider.attach()
  })
  provider.on('authenticated', (answer: { scope: 'read-write' | 'readonly' }) => {
    const wasRefused = tracker.facts.refusal !== null
    scope = answer.scope
    tracker.update({ scope, refusal: null })
    if (phase.get().kind === 'gone') phase.set({ kind: shown ? 'open' : 'loading' })
    // Rights given back on the same connection: offer again what was refused.
    if (wasRefused && scope === 'read-write' && provider.isSynced && provider.unsyncedChanges > 0) provider.forceSync()
    show()
  })
  provider.on('authenticationFailed', ({ reason }: { reason: string }) => putOut(reason))
  provider.on('synced', () => {
    if (phase.get().kind === 'loading') phase.set({ kind: 'open' })
    resolveSynced()
    show()
  })
  provider.on('unsyncedChanges', ({ number }: { number: number }) => {
    tracker.update({ unsynced: number })
    if (number > 0) return
    setPending(0)
    if (leaving) end()
  })
  provider.on('stateless', ({ payload }: { payload: string }) => {
    const refusal = readRefusal(payload)
    if (refusal) refuse(refusal.code, refusal.message)
    tracker.update(readTrouble(payload))
  })
  provider.on('message', ({ message }: { message: Frame }) => {
    message.readVarString() // the document's name
    const type = message.readVarUint()
    if (type === SYNC_STATUS && message.readVarUint() === 0 && !tracker.facts.refusal) {
      // The reason follows in a stateless frame, from a server that gives one.
      refuse(UNSAID, 'the server refused the last change')
    }
    if (type === CLOSE) {
      const reason = message.readVarString()
      // A late answer to our own leaving, met by the next opening of the same file.
      if (reason === AS_WE_ASKED) return
      // The provider would go on sending into the void; `retry` attaches again.
      queueMicrotask(() => {
        provider.detach()
        putOut(reason)
      })
    }
  })

  // --- who is here ------------------------------------------------------------------------------
  // Hocuspocus takes our presence away on pagehide; a page restored from the back-forward cache lives on.
  const onPageShow = (event: PageTransitionEvent) => {
    if (event.persisted && here && !leaving) appear()
  }
  if (typeof window !== 'undefined') window.addEventListener('pageshow', onPageShow)

  // --- begin and end ----------------------------------------------------------------------------
  appear()
  void begin()

  async function begin() {
    // First what is kept here, then the server: else the provider would count the cache's content as new edits.
    const noteAgain = () => noteUnsaved(user.id, { ...note, changes: pending.get() })
    cache = options.persist ? await openCache(cacheName(user.id, info.id, info.epoch), doc, noteAgain) : null
    if (ended) return void cache?.close()
    if (phase.get().kind === 'loading' && doc.store.clients.size > 0) phase.set({ kind: 'open' })
    show()
    provider.attach() // a provider on a shared socket does not attach itself
  }

  function end() {
    if (ended) return
    ended = true
    clearTimeout(movingOn)
    clearTimeout(asking)
    stopPeople()
    unfollowColors()
    unfollowSocket()
    if (typeof window !== 'undefined') window.removeEventListener('pageshow', onPageShow)
    rejectSynced(new Error('the file was closed'))
    undo.destroy()
    provider.destroy()
    void cache?.close()
    doc.destroy()
    options.onEnded()
  }

  async function discard() {
    leaving = true
    setPending(0)
    const kept = cache
    cache = null
    end()
    await kept?.discard()
  }

  return {
    id: info.id,
    projectId: info.project_id,
    doc, text, awareness, undo, phase, editable, pending, people,
    colors: options.colors,
    save: tracker.state,
    whenSynced(signal) {
      if (!signal) return synced
      signal.throwIfAborted()
      const aborted = new Promise<never>((_, reject) =>
        signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }))
      return Promise.race([synced, aborted])
    },
    setHere(now) {
      if (now === here || leaving) return
      here = now
      if (here) appear()
      else awareness.setLocalState(null)
    },
    retry() {
      clearTimeout(asking)
      tracker.update({ refusal: null })
      phase.set({ kind: shown ? 'open' : 'loading' })
      provider.detach()
      provider.attach()
    },
    close() {
      if (leaving) return
      leaving = true
      awareness.setLocalState(null)
      if (pending.get() === 0 || phase.get().kind === 'gone') end()
    },
    discard,
    rejoin() {
      leaving = false
      here = true
      appear()
    },
    end,
  }
}

/** Whether its text is all that a document holds, and nothing but characters. */
function isPlain(doc: Y.Doc): boolean {
  const parts: { insert?: unknown; attributes?: unknown }[] = doc.getText(CONTENT).toDelta()
  return [...doc.share.keys()].every((root) => root === CONTENT)
    && parts.every(({ insert, attributes }) => typeof insert === 'string' && attributes === undefined)
}

const GONE_WORDS: Partial<Record<GoneWhy, string>> = {
  deleted: 'this file was deleted',
  'not-found': 'this file is not here, or you may not see it',
  'signed-out': 'you are signed out',
  replaced: "this file's history was replaced",
}
