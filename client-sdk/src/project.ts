// One project: its files, and how to invite people into it.

import type { FileHandle } from './file.ts'
import type { Http } from './http.ts'
import { createStore, type Store } from './store.ts'
import { canEdit, type DocumentInfo, type Invite, type Page, type ProjectInfo, type Role } from './types.ts'

export interface Project {
  readonly id: string
  readonly info: Store<ProjectInfo>
  /** Sorted by path. */
  readonly files: Store<DocumentInfo[]>
  /** Asks the server again for the project and its files. */
  refresh(): Promise<void>
  createFile(path: string, content?: string): Promise<DocumentInfo>
  renameFile(id: string, path: string): Promise<DocumentInfo>
  deleteFile(id: string): Promise<void>
  openFile(id: string): Promise<FileHandle>
  invite(role: Role): Promise<Invite>
}

export interface ProjectParts {
  http: Http
  /** Files are shared by all who open them in this page, so their owner is the client. */
  open(info: DocumentInfo, mayEdit: boolean): FileHandle
}

export async function loadProject(parts: ProjectParts, id: string): Promise<Project> {
  const { http } = parts
  const base = `/api/projects/${encodeURIComponent(id)}`
  const document = (documentId: string) => `${base}/documents/${encodeURIComponent(documentId)}`

  const load = () => Promise.all([http.get<ProjectInfo>(base), listAll<DocumentInfo>(http, `${base}/documents`)])
  const [firstInfo, firstFiles] = await load()
  const info = createStore(firstInfo, sameJson)
  const files = createStore(sorted(firstFiles), sameJson)
  const put = (file: DocumentInfo) => files.set(sorted([...files.get().filter((f) => f.id !== file.id), file]))

  return {
    id,
    info,
    files,
    async refresh() {
      const [newInfo, newFiles] = await load()
      info.set(newInfo)
      files.set(sorted(newFiles))
    },
    async createFile(path, content) {
      const file = await http.post<DocumentInfo>(`${base}/documents`, content === undefined ? { path } : { path, content })
      put(file)
      return file
    },
    async renameFile(documentId, path) {
      const file = await http.patch<DocumentInfo>(document(documentId), { path })
      put(file)
      return file
    },
    async deleteFile(documentId) {
      await http.delete(document(documentId))
      files.set(files.get().filter((f) => f.id !== documentId))
    },
    async openFile(documentId) {
      let file = files.get().find((f) => f.id === documentId)
      if (!file) {
        // Created by somebody since we last asked.
        file = await http.get<DocumentInfo>(document(documentId))
        put(file)
      }
      return parts.open(file, canEdit(info.get().role))
    },
    invite: (role) => http.post<Invite>(`${base}/invites`, { role }),
  }
}

export async function listAll<T>(http: Http, path: string): Promise<T[]> {
  const items: T[] = []
  let after: string | null = null
  do {
    const page: Page<T> = await http.get<Page<T>>(after === null ? path : `${path}?after=${encodeURIComponent(after)}`)
    items.push(...page.items)
    after = page.next
  } while (after !== null)
  return items
}

function sorted(files: DocumentInfo[]): DocumentInfo[] {
  return [...files].sort((a, b) => a.path.localeCompare(b.path))
}

function sameJson<T>(a: T, b: T): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
