// One project: its files, who is in it, what they say, and how to invite people into it.

import { assistantOf, type Assistant } from './assistant.ts'
import { archiveOf, blobsOf, type Archive, type Blobs } from './archive.ts'
import { keepChat, type Chat } from './chat/index.ts'
import { copyPath, type Copies, type CopyShelf } from './copies.ts'
import type { FileHandle } from './file.ts'
import { loadFiles, type Files } from './files.ts'
import { ApiError, pageAfter, type Http, type Schema } from './http.ts'
import { keepProposals, type Proposals } from './proposals.ts'
import type { FeedEvent, Presence, ProjectRoom, RoomOptions } from './room.ts'
import type { SaveState } from './save.ts'
import { createStore, derived, type Store, type Writable } from './store.ts'
import { canEdit, type DocumentInfo, type Invite, type Page, type ProjectInfo, type Role } from './types.ts'

/** What the assistant took, and the budgets of today. */
export type Usage = Schema<'UsagePage'>

/** A meeting of people in a project; who is there still has not left. */
export type Session = Schema<'SessionView'>

/** One project that is open here. */
export interface Project {
  readonly id: string
  readonly info: Store<ProjectInfo>
  /** What the signed-in user may do here. */
  readonly role: Store<Role>
  readonly files: Files
  readonly presence: Presence
  /** Changes that somebody suggests, and what becomes of them. */
  readonly proposals: Proposals
  /** What people and the assistant say to each other. */
  readonly chat: Chat
  /** What a model does beside the chat. */
  readonly assistant: Assistant
  /** The truth about the edits in all files of the project that are open in this page, as one word. */
  readonly save: Store<SaveState>
  /** Edits that the server refused, as copies. */
  readonly copies: Copies
  /** Pictures and attachments. */
  readonly blobs: Blobs
  /** Its files as a zip archive. */
  readonly archive: Archive
  /** What the assistant took in these last days (30 where none is said), by day, person and model, and what is left. For editors. */
  usage(days?: number): Promise<Usage>
  /** When people met here, and who; the latest first. */
  sessions(after?: string | null): Promise<Page<Session>>
  /** Asks the server again for the project and its files. */
  refresh(): Promise<void>
  invite(role: Role): Promise<Invite>
  /** Hears what happens in the project from now on; answers how to stop. */
  onEvent(listener: (event: FeedEvent) => void): () => void
  /** Leaves the project's room. Files are closed by who opened them. */
  leave(): void
}

export interface ProjectParts {
  http: Http
  /** The id of who is signed in. */
  me(): string
  /** Files are shared by all who open them in this page, so their owner is the client. */
  open(info: DocumentInfo, mayEdit: boolean): FileHandle
  save(projectId: string): Store<SaveState>
  shelf(): CopyShelf
  join(options: Pick<RoomOptions, 'projectId' | 'after' | 'onEvent' | 'onGap' | 'onBack'>): ProjectRoom
}

/** A hundred people told of one change do not ask all at once; several changes are asked about once. */
const ASK_AFTER_MS = 80
const ASK_SPREAD_MS = 220

export async function loadProject(parts: ProjectParts, id: string): Promise<Project> {
  const { http } = parts
  const here = { path: { p: id } }
  const listeners = new Set<(event: FeedEvent) => void>()
  let asking: ReturnType<typeof setTimeout> | undefined

  async function loadAll(): Promise<[number, Files]> {
    // Before the files, so that whatever happens after it is told or asked for.
    const { head } = await http.get('/api/projects/{p}/feed', { params: { ...here, query: { before: 1 } } })
    return [head, await loadFiles({ http, projectId: id, open: (file) => parts.open(file, canEdit(info.get().role)) })]
  }
  const [firstInfo, [head, files]] = await Promise.all([http.get('/api/projects/{p}', { params: here }), loadAll()])
  const info: Writable<ProjectInfo> = createStore<ProjectInfo>(firstInfo, (a, b) => JSON.stringify(a) === JSON.stringify(b))
  const shelf = parts.shelf()
  const proposals = keepProposals(http, id)
  const chat = keepChat(http, firstInfo.id, parts.me())
  function refreshSoon() {
    clearTimeout(asking)
    // A failure is left to the next time: the list here is old, not wrong.
    asking = setTimeout(() => void files.refresh().catch(() => undefined), ASK_AFTER_MS + Math.random() * ASK_SPREAD_MS)
  }
  const room = parts.join({
    projectId: id,
    after: head,
    onGap() {
      refreshSoon()
      proposals.missed()
      chat.missed()
    },
    onBack: chat.back,
    onEvent(event) {
      if (!files.shows(event)) refreshSoon()
      proposals.hear(event)
      chat.hear(event)
      for (const listener of [...listeners]) listener(event)
    },
  })

  return {
    id,
    info,
    role: derived(info, ({ role }) => role),
    files,
    presence: room,
    proposals,
    chat,
    assistant: assistantOf(http, firstInfo.id, (name) => files.find(name)?.id ?? name),
    save: parts.save(id),
    copies: {
      list: derived(shelf.list, (all) => all.filter((copy) => copy.projectId === id)),
      async keep(copyId) {
        const copy = shelf.list.get().find((one) => one.id === copyId)
        if (!copy) throw new ApiError('not_found', 'There is no such copy any more.', 404)
        await files.refresh()
        const path = copyPath(copy.path, (wanted) => files.find(wanted) !== undefined)
        const file = copy.state ? await files.createFrom(path, copy.state) : await files.create(path, copy.mine)
        await shelf.remove(copyId)
        return file.path
      },
      discard: (copyId) => shelf.remove(copyId),
    },
    blobs: blobsOf(http, id),
    archive: archiveOf(http, id),
    usage: (days) => http.get('/api/projects/{p}/usage', { params: { ...here, query: days === undefined ? {} : { days } } }),
    sessions: (after) => http.get('/api/projects/{p}/sessions', { params: { ...here, query: pageAfter(after) } }),
    async refresh() {
      const [newInfo] = await Promise.all([http.get('/api/projects/{p}', { params: here }), files.refresh()])
      info.set(newInfo)
    },
    invite: (role) => http.post('/api/projects/{p}/invites', { params: here, body: { role } }),
    onEvent(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    leave() {
      clearTimeout(asking)
      listeners.clear()
      proposals.stop()
      chat.stop()
      room.leave()
    },
  }
}
