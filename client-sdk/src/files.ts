// The files of a project: the list, the tree, and every way to change it. Nothing here is half done: what
// concerns several files is one change on the server.

import type { FileHandle } from './file.ts'
import { ApiError, bytes, listAll, type Http, type Schema } from './http.ts'
import { keepOpen, type LiveFile } from './live.ts'
import type { FeedEvent } from './room.ts'
import { createStore, derived, type Store } from './store.ts'
import { buildTree, comparePaths, isWithin, type TreeNode } from './tree.ts'
import type { DocumentInfo, SearchResult } from './types.ts'

/** Texts are fetched before files are deleted, so that they can come back; beyond this it would take too long. */
const UNDO_FILES = 40
const UNDO_CHARS = 4 * 1024 * 1024
/** The files of a project, and every way to change them. */
export interface Files {
  /** All files, sorted by path. */
  readonly list: Store<DocumentInfo[]>
  /** The same as folders and files. */
  readonly tree: Store<TreeNode[]>
  /** By id or by path. */
  find(name: string): DocumentInfo | undefined
  create(path: string, text?: string): Promise<DocumentInfo>
  /** Makes a document of whatever kind from an update of Yjs, such as `Y.encodeStateAsUpdate(doc)`. */
  createFrom(path: string, state: Uint8Array): Promise<DocumentInfo>
  /** Moves or renames a file, or a folder with all that is in it. */
  move(from: string, to: string): Promise<void>
  /** Prepares the deletion of a file, or of a folder with all that is in it. */
  removal(path: string): Promise<Removal>
  /** The text as the server has it. */
  read(name: string): Promise<string>
  /** Lines of all files that hold these words; upper and lower case are the same unless `case` is set. */
  search(words: string, how?: { case?: boolean; signal?: AbortSignal }): Promise<SearchResult>
  /** By id or by path. Whoever opens a file closes it. */
  open(name: string): Promise<FileHandle>
  /** The same for as long as it is wanted: where one handle ends and there is more to go on from, with another. */
  keepOpen(name: string): LiveFile
  refresh(): Promise<void>
  /** Whether the list already shows what an event of the feed tells. */
  shows(event: FeedEvent): boolean
}

/** Looked at before it is done: what would go, and whether it could come back. */
export interface Removal {
  readonly files: readonly DocumentInfo[]
  /** False when the texts could not be had beforehand; `undo` fails then. */
  readonly undoable: boolean
  commit(): Promise<void>
  /** Makes files of the same paths and texts. They are new files: their histories begin here. */
  undo(): Promise<DocumentInfo[]>
}

export interface FilesParts {
  http: Http
  projectId: string
  open(info: DocumentInfo): FileHandle
}

export async function loadFiles(parts: FilesParts): Promise<Files> {
  const { http } = parts
  const here = { p: parts.projectId }
  const document = (d: string) => ({ path: { ...here, d } })
  const load = () => listAll((query) => http.get('/api/projects/{p}/documents', { params: { path: here, query } }))
  const list = createStore(sorted(await load()), sameFiles)
  const find = (name: string) => list.get().find((file) => file.id === name) ?? list.get().find((file) => file.path === name)
  /** Answers that arrive late must not bring back what has changed since they were asked for. */
  let version = 0

  function put(changed: readonly DocumentInfo[], removed: readonly DocumentInfo[] = []) {
    version += 1
    const away = new Set([...changed, ...removed].map((file) => file.id))
    list.set(sorted([...list.get().filter((file) => !away.has(file.id)), ...changed]))
  }

  async function change(operations: Schema<'Operation'>[]): Promise<DocumentInfo[]> {
    const { documents } = await http.post('/api/projects/{p}/changes', { params: { path: here }, body: { operations } })
    return documents.filter((one) => one !== null)
  }

  /** A file is one, a folder is all that its path leads to. */
  function below(path: string): DocumentInfo[] {
    const found = list.get().filter((file) => isWithin(file.path, path))
    if (found.length === 0) throw new ApiError('not_found', `There is no ${path} any more.`, 404)
    return found
  }

  async function open(name: string): Promise<FileHandle> {
    let file = find(name)
    if (!file) {
      // Created by somebody since we last asked.
      file = await http.get('/api/projects/{p}/documents/{d}', { params: document(name) })
      list.set(sorted([...list.get().filter((f) => f.id !== file?.id), file]))
    }
    return parts.open(file)
  }

  async function refresh() {
    const asked = version
    const files = await load()
    if (asked === version) list.set(sorted(files))
  }

  return {
    list,
    tree: derived(list, buildTree),
    find,
    async create(path, text) {
      const body = text === undefined ? { path } : { path, content: text }
      const file = await http.post('/api/projects/{p}/documents', { params: { path: here }, body })
      put([file])
      return file
    },
    async createFrom(path, state) {
      const file = await http.post('/api/projects/{p}/documents', { params: { path: here }, body: { path } })
      try {
        await http.post('/api/projects/{p}/documents/{d}/update', { params: document(file.id), ...bytes(state) })
      } catch (error) {
        // Else an empty file would be in the way of the next attempt.
        await http.delete('/api/projects/{p}/documents/{d}', { params: document(file.id) }).catch(() => undefined)
        throw error
      }
      put([file])
      return file
    },
    async move(from, to) {
      const moving = below(from)
      const [only] = moving
      if (only && moving.length === 1 && only.path === from) {
        put([await http.patch('/api/projects/{p}/documents/{d}', { params: document(only.id), body: { path: to } })])
      } else {
        put(await change(moving.map(({ id, path }) => ({ op: 'rename', document: id, path: to + path.slice(from.length) }))))
      }
    },
    async removal(path) {
      const files = below(path)
      const texts = await readAll(files)
      return {
        files,
        undoable: texts !== null,
        async commit() {
          const [only] = files
          if (only && files.length === 1) await http.delete('/api/projects/{p}/documents/{d}', { params: document(only.id) })
          else await change(files.map(({ id }) => ({ op: 'delete', document: id })))
          put([], files)
        },
        async undo() {
          if (!texts) throw new ApiError('gone', 'The texts were not kept.', 410)
          const back = await change(files.map((file, i) => ({ op: 'create', path: file.path, content: texts[i] ?? '' })))
          put(back)
          return back
        },
      }
    },
    read: (name) => textOf(find(name)?.id ?? name),
    search: (words, how = {}) => http.get('/api/projects/{p}/search', {
      params: { path: here, query: { q: words, ...(how.case ? { case: true } : {}) } },
      signal: how.signal ?? null,
    }),
    open,
    keepOpen(name) {
      let first = true
      return keepOpen(async () => {
        // A history that was replaced has another epoch; one that ended had a reason, which may be in the list.
        if (!first) await refresh()
        first = false
        return open(name)
      })
    },
    shows(event) {
      const id = event['document_id']
      const file = list.get().find((one) => one.id === id)
      if (event.type === 'file.deleted') return file === undefined
      if (event.type === 'file.renamed') return file?.path === event['path']
      return event.type !== 'file.created' || file !== undefined
    },
    refresh,
  }

  function textOf(id: string): Promise<string> {
    return http.get('/api/projects/{p}/documents/{d}/text', { params: document(id), parseAs: 'text' })
  }

  async function readAll(files: readonly DocumentInfo[]): Promise<string[] | null> {
    if (files.length > UNDO_FILES) return null
    const texts: string[] = []
    let room = UNDO_CHARS
    try {
      for (const file of files) {
        const text = await textOf(file.id)
        if ((room -= text.length) < 0) return null
        texts.push(text)
      }
      return texts
    } catch {
      return null // a text that cannot be had now
    }
  }
}

function sorted(files: DocumentInfo[]): DocumentInfo[] {
  return files.sort((a, b) => comparePaths(a.path, b.path))
}

/** Heads rise with every edit; who shows a list of files does not care. */
function sameFiles(a: DocumentInfo[], b: DocumentInfo[]): boolean {
  return a.length === b.length && a.every((file, i) => file.id === b[i]?.id && file.path === b[i].path && file.epoch === b[i].epoch)
}
