// How the tree is walked: which rows are there, and where a key leads. (ARIA Authoring Practices, tree view.)

import { folderOf, type TreeNode } from 'coterie'

export interface Row {
  node: TreeNode
  /** 1 at the top. */
  level: number
  /** Place among its siblings, from 1. */
  position: number
  siblings: number
}

/** The rows in sight: all but what is below a closed folder. */
export function visibleRows(nodes: readonly TreeNode[], closed: ReadonlySet<string>, level = 1): Row[] {
  const rows: Row[] = []
  nodes.forEach((node, i) => {
    rows.push({ node, level, position: i + 1, siblings: nodes.length })
    if (node.kind === 'folder' && !closed.has(node.path)) {
      for (const row of visibleRows(node.children, closed, level + 1)) rows.push(row)
    }
  })
  return rows
}

export type Step =
  | { kind: 'go'; to: number }
  | { kind: 'open'; paths: string[] }
  | { kind: 'close'; path: string }

/** What an arrow, Home, End or * does on a row; null for every other key. */
export function step(rows: readonly Row[], at: number, key: string, closed: ReadonlySet<string>): Step | null {
  const row = rows[at]
  if (!row) return null
  const { node } = row
  const isOpen = node.kind === 'folder' && !closed.has(node.path)
  const go = (to: number): Step | null => (to >= 0 && to < rows.length ? { kind: 'go', to } : null)
  switch (key) {
    case 'ArrowDown':
      return go(at + 1)
    case 'ArrowUp':
      return go(at - 1)
    case 'Home':
      return go(0)
    case 'End':
      return go(rows.length - 1)
    case 'ArrowRight':
      if (node.kind === 'file') return null
      return isOpen ? go(at + 1) : { kind: 'open', paths: [node.path] }
    case 'ArrowLeft':
      if (isOpen) return { kind: 'close', path: node.path }
      return go(rows.findIndex(({ node: other }) => other.kind === 'folder' && other.path === folderOf(node.path)))
    case '*':
      return {
        kind: 'open',
        paths: rows.filter(({ node: other }) => other.kind === 'folder' && folderOf(other.path) === folderOf(node.path))
          .map(({ node: other }) => other.path),
      }
    default:
      return null
  }
}

/** The next row, round the end, whose name begins with what was typed. */
export function typeAhead(rows: readonly Row[], at: number, typed: string): number {
  const wanted = typed.toLocaleLowerCase()
  // One more letter narrows down where we are; the first one moves on.
  const first = typed.length > 1 ? 0 : 1
  for (let i = first; i < rows.length + first; i += 1) {
    const index = (at + i) % rows.length
    if (rows[index]?.node.name.toLocaleLowerCase().startsWith(wanted)) return index
  }
  return -1
}

/** Every folder above a path, the outermost first. */
export function foldersAbove(path: string): string[] {
  const above: string[] = []
  for (let folder = folderOf(path); folder !== ''; folder = folderOf(folder)) above.unshift(folder)
  return above
}

/** All folders of a tree, in its order. */
export function allFolders(nodes: readonly TreeNode[]): string[] {
  return nodes.flatMap((node) => (node.kind === 'folder' ? [node.path, ...allFolders(node.children)] : []))
}

/** What is left of a tree where only files count whose paths hold all the words; folders that hold one stay. */
export function filterNodes(nodes: readonly TreeNode[], words: string): TreeNode[] {
  const wanted = words.toLocaleLowerCase().split(/\s+/).filter(Boolean)
  if (wanted.length === 0) return [...nodes]
  const holds = (path: string) => wanted.every((word) => path.toLocaleLowerCase().includes(word))
  const filter = (list: readonly TreeNode[]): TreeNode[] => list.flatMap((node): TreeNode[] => {
    if (node.kind === 'file') return holds(node.path) ? [node] : []
    const children = filter(node.children)
    return children.length > 0 ? [{ ...node, children }] : []
  })
  return filter(nodes)
}
