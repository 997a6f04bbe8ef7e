// Which page is shown beside a file: the file itself where it is one, else the page that it belongs to.

import { folderOf, joinPath } from 'coterie'

export type PageKind = 'html' | 'markdown' | 'picture'

export function kindOf(path: string): PageKind | null {
  if (/\.html?$/i.test(path)) return 'html'
  if (/\.(md|markdown)$/i.test(path)) return 'markdown'
  return /\.svg$/i.test(path) ? 'picture' : null
}

/** Whether a file can be part of a page. */
export function isPart(path: string): boolean {
  return /\.(css|m?js|svg)$/i.test(path)
}

/**
 * The page to show for a file. What is part of one (a style, a script) shows the page that was shown before, else the
 * `index.html` that is nearest above it, else the only page there is.
 */
export function pageFor(path: string, paths: readonly string[], before: string | null): string | null {
  if (kindOf(path) !== null) return path
  if (!isPart(path)) return null
  if (before !== null && kindOf(before) === 'html' && paths.includes(before)) return before
  for (let folder = folderOf(path); ; folder = folderOf(folder)) {
    const index = joinPath(folder, 'index.html')
    if (paths.includes(index)) return index
    if (folder === '') break
  }
  const pages = paths.filter((one) => kindOf(one) === 'html')
  return pages.length === 1 ? (pages[0] ?? null) : null
}

/** The path that a link in a page leads to, if it stays in the project. */
export function linked(address: string, from: string): string | null {
  if (/^([a-z][a-z0-9+.-]*:|\/\/)/i.test(address)) return null
  try {
    return decodeURIComponent(new URL(address, new URL(encodeURI(from), 'http://project/')).pathname).slice(1)
  } catch {
    return null
  }
}
