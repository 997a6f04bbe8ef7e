// The tree that people see, made from paths: the server knows files only, a folder is what paths share.

import type { DocumentInfo } from './types.ts'

/** A file in the tree. */
export interface FileNode {
  kind: 'file'
  /** The last part of its path. */
  name: string
  path: string
  id: string
}

/** A folder in the tree: what paths share. */
export interface FolderNode {
  kind: 'folder'
  name: string
  path: string
  children: TreeNode[]
}

/** A file or a folder. */
export type TreeNode = FileNode | FolderNode

/** Made once: building one takes longer than comparing a thousand names. Numbers count: 2.md before 10.md. */
const order = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' })

export function comparePaths(a: string, b: string): number {
  return order.compare(a, b) || (a < b ? -1 : Number(a > b))
}

/** Folders first, then files, each by name. */
export function buildTree(files: readonly DocumentInfo[]): TreeNode[] {
  const root: FolderNode = { kind: 'folder', name: '', path: '', children: [] }
  const folders = new Map<string, FolderNode>([['', root]])

  function folderAt(path: string): FolderNode {
    const known = folders.get(path)
    if (known) return known
    const made: FolderNode = { kind: 'folder', name: nameOf(path), path, children: [] }
    folders.set(path, made)
    folderAt(folderOf(path)).children.push(made)
    return made
  }

  for (const { id, path } of files) folderAt(folderOf(path)).children.push({ kind: 'file', name: nameOf(path), path, id })
  for (const folder of folders.values()) {
    folder.children.sort((a, b) => Number(b.kind === 'folder') - Number(a.kind === 'folder') || comparePaths(a.name, b.name))
  }
  return root.children
}

/** `docs/plan.md` is in `docs`; `plan.md` is in ``. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')))
}

/** The last part of a path. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** A path below a folder, or at the top when the folder is ``. */
export function joinPath(folder: string, name: string): string {
  return folder === '' ? name : `${folder}/${name}`
}

/** Is `path` this very thing, or somewhere below it? */
export function isWithin(path: string, ancestor: string): boolean {
  return ancestor === '' || path === ancestor || path.startsWith(`${ancestor}/`)
}
