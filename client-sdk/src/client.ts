// Where everything starts: who is signed in, their projects, the one socket, the files open in this page.

import { openShelf, type CopyShelf } from './copies.ts'
import { forgetUser, unsavedNotes } from './cache.ts'
import { credentialOf, type TokenSource } from './credential.ts'
import { openFile, type FileHandle, type OwnedFile } from './file.ts'
import { ApiError, createHttp, pageAfter, type Http, type Schema } from './http.ts'
import { newKey } from './key.ts'
import { accountOf, managementOf, type Account, type Management } from './manage.ts'
import { loadProject, type Project, type ProjectParts } from './project.ts'
import type { Actor } from './proposals.ts'
import { joinRoom } from './room.ts'
import { combineSaves, sameState, type SaveState } from './save.ts'
import { openSocket, type ConnectionStatus, type Socket } from './socket.ts'
import { createStore, type Store, type Writable } from './store.ts'
import { canEdit, type DocumentInfo, type Page, type ProjectInfo, type Template, type User, type WaysIn } from './types.ts'

/** How to reach a server, and as whom. */
export interface ClientOptions {
  /** Origin of the server; this page's own when omitted. */
  url?: string
  /**
   * What the server knows you by; the login cookie when omitted. A function is asked at every question and connection, and told
   * of a token that was refused, such as one that has ended: the next one goes on from there.
   */
  token?: string | TokenSource
  fetch?: typeof fetch
  /** Where there is none, as in Node before 22. */
  WebSocket?: typeof WebSocket
  /** Keep copies of files on this device, so that offline edits survive a reload. Default true. */
  persist?: boolean
}

/** A project that is to be made. */
export type NewProject = Schema<'NewProject'>

/** One person at one server: everything starts here. */
export interface Client {
  /** undefined until the server has been asked; null when nobody is signed in. */
  readonly user: Store<User | null | undefined>
  readonly connection: Store<ConnectionStatus>
  /** Changes of the files open in this page that only this device has. */
  readonly unsaved: Store<number>
  /** Whether the server has become another since this page came from it: a reload gives the page that goes with it. */
  readonly outdated: Store<boolean>
  me(): Promise<User | null>
  /** How people come in: with just a name, or with GitHub at `/auth/github?next=/…`. */
  waysIn(): Promise<WaysIn>
  signInAsGuest(name: string): Promise<User>
  /** Also forgets what this user left on this device. */
  signOut(): Promise<void>
  /** Changes of all files, open or not, and copies of refused ones, that signing out would throw away. */
  unsavedOnDevice(): number
  readonly projects: {
    /** `q` narrows it to those whose name or description holds these words. */
    list(after?: string | null, how?: { q?: string }): Promise<Page<ProjectInfo>>
    /** Who is in one now, without going in. */
    inside(projectId: string): Promise<Actor[]>
    create(project: NewProject): Promise<ProjectInfo>
    /** What a project can begin with, in the order to show it. */
    templates(): Promise<Template[]>
  }
  /** One's own logins and keys. */
  readonly account: Account
  /** All of the HTTP interface, as the server describes it: `api.get('/api/projects/{p}/sessions', { params: { path: { p: id } } })`. */
  readonly api: Http
  /** Who may do what in a project. */
  manage(projectId: string): Management
  open(projectId: string): Promise<Project>
  acceptInvite(token: string): Promise<ProjectInfo>
  /** Sends what earlier visits left unsaved on this device, in the background. */
  sendKept(): Promise<void>
  close(): void
}

interface OpenFile {
  handle: OwnedFile
  /** How many asked for it; the last one out closes it. */
  users: number
  unfollow(): void
}

/** Makes a client. Nothing is asked before it is used. */
export function createClient(options: ClientOptions = {}): Client {
  const base = (options.url ?? '').replace(/\/+$/, '')
  const persist = options.persist ?? true
  const credential = credentialOf(options.token ?? '')
  const outdated = createStore(false)
  let version: string | null = null
  const http = createHttp({
    base,
    credential,
    fetch: options.fetch ?? ((...args) => fetch(...args)),
    onAnswer({ headers }) {
      const told = headers.get('coterie-version') ?? version
      version ??= told
      if (told !== version) outdated.set(true)
    },
  })
  const user = createStore<User | null | undefined>(undefined, (a, b) => JSON.stringify(a) === JSON.stringify(b))
  const connection = createStore<ConnectionStatus>('connecting')
  const unsaved = createStore(0)
  const files = new Map<string, OpenFile>()
  const saves = new Map<string, Writable<SaveState>>()
  const colors = new Map<string, Writable<ReadonlyMap<string, string>>>()
  let socket: Socket | null = null
  let shelf: { user: string; shelf: CopyShelf } | null = null

  function signedIn(): User {
    const somebody = user.get()
    if (!somebody) throw new ApiError('unauthorized', 'Sign in first.', 401)
    return somebody
  }

  function shelfOf(): CopyShelf {
    const { id } = signedIn()
    if (shelf?.user !== id) {
      shelf?.shelf.close()
      shelf = { user: id, shelf: openShelf(id, persist) }
    }
    return shelf.shelf
  }

  function sharedSocket(): Socket {
    if (!socket) {
      socket = openSocket(socketUrl(base), options.WebSocket)
      socket.status.subscribe((status) => connection.set(status))
    }
    return socket
  }

  function countUnsaved() {
    let sum = 0
    for (const { handle } of files.values()) sum += handle.pending.get()
    unsaved.set(sum)
  }

  /** Made when a project asks for it; follows its files from then on. */
  function saveOf(projectId: string): Writable<SaveState> {
    let save = saves.get(projectId)
    if (!save) saves.set(projectId, (save = createStore(savesIn(projectId), sameState)))
    return save
  }
  function savesIn(projectId: string): SaveState {
    const handles = [...files.values()].map(({ handle }) => handle)
    return combineSaves(handles.filter((handle) => handle.projectId === projectId).map((handle) => handle.save.get()))
  }

  /** Who has which colour in a project; its room tells, its files show. */
  function colorsOf(projectId: string): Writable<ReadonlyMap<string, string>> {
    let shared = colors.get(projectId)
    if (!shared) colors.set(projectId, (shared = createStore<ReadonlyMap<string, string>>(new Map())))
    return shared
  }

  function open(info: DocumentInfo, mayEdit: boolean): FileHandle {
    const at = { path: { p: info.project_id, d: info.id } }
    let entry = files.get(info.id)
    if (entry?.users === 0) entry.handle.rejoin() // left, but still sending
    if (!entry) {
      const handle = openFile({
        socket: sharedSocket(), credential, user: signedIn(), info, persist, mayEdit, colors: colorsOf(info.project_id),
        current: () => http.get('/api/projects/{p}/documents/{d}', { params: at }),
        async onRefused(reason, mine) {
          const saved = await http.get('/api/projects/{p}/documents/{d}/text', { params: at, parseAs: 'text' }).catch(() => null)
          // What changed nothing that can be read is no loss.
          if (mine.state === null && saved === mine.text) return
          await shelfOf().add({
            id: newKey(), projectId: info.project_id, documentId: info.id, path: info.path, reason, at: Date.now(),
            mine: mine.text, saved, state: mine.state,
          })
        },
        onEnded: () => forget(info.id, handle),
      })
      const stops: (() => void)[] = []
      entry = { handle, users: 0, unfollow: () => stops.forEach((stop) => stop()) }
      files.set(info.id, entry)
      stops.push(handle.pending.subscribe(countUnsaved))
      stops.push(handle.save.subscribe(() => saveOf(info.project_id).set(savesIn(info.project_id))))
    }
    entry.users += 1
    return leased(entry)
  }

  /** The same handle, whose `close` counts: two panes may show one file. */
  function leased(entry: OpenFile): FileHandle {
    let given = true
    return {
      ...entry.handle,
      close() {
        if (!given) return
        given = false
        entry.users -= 1
        if (entry.users === 0) entry.handle.close()
      },
    }
  }

  function forget(id: string, handle: FileHandle) {
    const entry = files.get(id)
    if (entry?.handle !== handle) return
    entry.unfollow()
    files.delete(id)
    countUnsaved()
    saveOf(handle.projectId).set(savesIn(handle.projectId))
  }

  const parts: ProjectParts = {
    http,
    me: () => signedIn().id,
    open,
    save: saveOf,
    shelf: shelfOf,
    join: (options) => joinRoom({ ...options, socket: sharedSocket(), credential, user: signedIn(), colors: colorsOf(options.projectId) }),
  }

  async function me(): Promise<User | null> {
    try {
      user.set(await http.get('/api/me'))
    } catch (error) {
      if (!(error instanceof ApiError && error.isUnauthorized)) throw error
      user.set(null)
    }
    return user.get() ?? null
  }

  return {
    user,
    connection,
    unsaved,
    outdated,
    me,
    waysIn: () => http.get('/api/auth'),
    async signInAsGuest(name) {
      const guest = await http.post('/auth/guest', { body: { name } })
      user.set(guest)
      // As every page asks it at its start, so that what keeps answers for being offline has this one.
      await me().catch(() => undefined)
      return guest
    },
    async signOut() {
      await http.post('/auth/logout')
      const leaving = user.get()
      for (const { handle } of [...files.values()]) handle.end()
      socket?.close()
      socket = null
      shelf?.shelf.close()
      shelf = null
      if (leaving) await forgetUser(leaving.id)
      user.set(null)
    },
    unsavedOnDevice() {
      const somebody = user.get()
      if (!somebody) return 0
      return unsavedNotes(somebody.id).reduce((sum, note) => sum + note.changes, shelfOf().list.get().length)
    },
    projects: {
      list: (after, { q } = {}) => http.get('/api/projects', { params: { query: { ...pageAfter(after), ...(q ? { q } : {}) } } }),
      async inside(p) {
        const { items: [latest] } = await http.get('/api/projects/{p}/sessions', { params: { path: { p }, query: { limit: 1 } } })
        const there = latest?.ended_at === null ? latest.participants.filter(({ left_at }) => left_at === null) : []
        return there.map(({ id, name, kind }) => ({ id, name, kind }))
      },
      create: (project) => http.post('/api/projects', { body: project }),
      templates: async () => (await http.get('/api/templates')).items,
    },
    account: accountOf(http),
    api: http,
    manage: (projectId) => managementOf(http, projectId),
    async open(projectId) {
      if (user.get() === undefined) await me()
      return loadProject(parts, projectId)
    },
    acceptInvite: (token) => http.post('/api/invites/{token}/accept', { params: { path: { token } } }),
    async sendKept() {
      const somebody = user.get()
      if (!somebody || !persist) return
      for (const note of unsavedNotes(somebody.id)) {
        if (files.has(note.documentId)) continue
        try {
          const [p, d] = [note.projectId, note.documentId]
          const project = await http.get('/api/projects/{p}', { params: { path: { p } } })
          const info = await http.get('/api/projects/{p}/documents/{d}', { params: { path: { p, d } } })
          // Another epoch is another history: the kept copy must not flow into it.
          if (info.epoch === note.epoch && canEdit(project.role)) open(info, true).close()
        } catch {
          // Gone, or away: the copy stays here until it can be sent or its owner signs out.
        }
      }
    },
    close() {
      for (const { handle } of [...files.values()]) handle.end()
      socket?.close()
      socket = null
      shelf?.shelf.close()
      shelf = null
    },
  }
}

function socketUrl(base: string): string {
  const url = new URL('/hocuspocus', base || location.href)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  return url.href
}
