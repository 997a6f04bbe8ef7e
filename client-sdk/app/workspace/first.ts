// Where a project begins for somebody who was in none of its files.

import { folderOf, type DocumentInfo } from 'coterie'

const BEGINNINGS = ['readme.md', 'index.html', 'main.py']

/** The only file, or what says by its name that one begins there. */
export function firstFile(files: readonly DocumentInfo[]): string | null {
  if (files.length === 1) return files[0]?.id ?? null
  const top = files.filter((file) => folderOf(file.path) === '')
  for (const name of BEGINNINGS) {
    const found = top.find((file) => file.path.toLowerCase() === name)
    if (found) return found.id
  }
  return null
}
