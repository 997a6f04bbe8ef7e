// One project: its files, who is in it, and how to invite people into it.

import { copyPath, type Copies, type CopyShelf } from './copies.ts'
import type { FileHandle } from './file.ts'
import { loadFiles, type Files } from './files.ts'
import { ApiError, type Http } from './http.ts'
import type { Presence, ProjectRoom, RoomOptions } from './room.ts'
import type { SaveState } from './save.ts'
import { createStore, derived, type Store, type Writable } from './store.ts'
import { canEdit, type DocumentInfo, type Invite, type ProjectInfo, type Role } from './types.ts'

export interface Project {
  readonly id: string
  readonly info: Store<ProjectInfo>
  /** What the signed-in user may do here. */
  readonly role: Store<Role>
  readonly files: Files
  readonly presence: Presence
  /** The truth about the edits in all files of the project that are open in this page, as one word. */
  readonly save: Store<SaveState>
  /** Edits that the server refused, as copies. */
  readonly copies: Copies
  /** Asks the server again for the project and its files. */
  refresh(): Promise<void>
  invite(role: Role): Promise<Invite>
  /** Leaves the project's room. Files are closed by who opened them. */
  leave(): void
}

export interface ProjectParts {
  http: Http
  /** Files are shared by all who open them in this page, so their owner is the client. */
  open(info: DocumentInfo, mayEdit: boolean): FileHandle
  save(projectId: string): Store<SaveState>
  shelf(): CopyShelf
  join(options: Pick<RoomOptions, 'projectId' | 'onTreeChanged'>): ProjectRoom
}

/** A hundred people told of one change do not ask all at once; several changes are asked about once. */
const ASK_AFTER_MS = 80
const ASK_SPREAD_MS = 220

export async function loadProject(parts: ProjectParts, id: string): Promise<Project> {
  const { http } = parts
  const base = `/api/projects/${encodeURIComponent(id)}`
  let room: ProjectRoom | null = null
  let asking: ReturnType<typeof setTimeout> | undefined

  const [firstInfo, files]: [ProjectInfo, Files] = await Promise.all([
    http.get<ProjectInfo>(base),
    loadFiles({
      http, base,
      open: (file) => parts.open(file, canEdit(info.get().role)),
      changed: () => room?.tellTreeChanged(),
    }),
  ])
  const info: Writable<ProjectInfo> = createStore<ProjectInfo>(firstInfo, (a, b) => JSON.stringify(a) === JSON.stringify(b))
  const shelf = parts.shelf()
  room = parts.join({
    projectId: id,
    onTreeChanged() {
      clearTimeout(asking)
      // A failure is left to the next time: the list here is old, not wrong.
      asking = setTimeout(() => void files.refresh().catch(() => undefined), ASK_AFTER_MS + Math.random() * ASK_SPREAD_MS)
    },
  })

  return {
    id,
    info,
    role: derived(info, ({ role }) => role),
    files,
    presence: room,
    save: parts.save(id),
    copies: {
      list: derived(shelf.list, (all) => all.filter((copy) => copy.projectId === id)),
      async keep(copyId) {
        const copy = shelf.list.get().find((one) => one.id === copyId)
        if (!copy) throw new ApiError('not_found', 'There is no such copy any more.', 404)
        await files.refresh()
        const path = copyPath(copy.path, (wanted) => files.find(wanted) !== undefined)
        const file = await files.create(path, copy.mine)
        await shelf.remove(copyId)
        return file.path
      },
      discard: (copyId) => shelf.remove(copyId),
    },
    async refresh() {
      const [newInfo] = await Promise.all([http.get<ProjectInfo>(base), files.refresh()])
      info.set(newInfo)
    },
    invite: (role) => http.post<Invite>(`${base}/invites`, { role }),
    leave() {
      clearTimeout(asking)
      room.leave()
    },
  }
}
