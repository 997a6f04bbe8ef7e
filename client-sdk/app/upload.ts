// Files of this device, brought into a project: what is text becomes a file of it, all else a picture or attachment.

import { joinPath, type Project } from 'coterie'

/** As the server has it: a text above this is no file that people edit. */
const MOST_TEXT = 4 * 1024 * 1024
/** More at once are more than a list of files is for. */
export const MOST_FILES = 200

export interface Incoming {
  /** Below the folder that it was dropped on. */
  path: string
  file: File
}

/** The text of a file as UTF-8; null for what is none. */
export async function textOf(file: Blob): Promise<string | null> {
  if (file.size > MOST_TEXT) return null
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await file.arrayBuffer())
    return text.includes('\0') ? null : text
  } catch {
    return null
  }
}

export interface Brought {
  /** Ids of the files that were made. */
  files: string[]
  /** How many became pictures and attachments. */
  others: number
  failed: { path: string; error: unknown }[]
}

/** One after another, so that one that fails does not keep the others out. */
export async function bringIn(project: Pick<Project, 'files' | 'blobs'>, folder: string, incoming: readonly Incoming[]): Promise<Brought> {
  const brought: Brought = { files: [], others: 0, failed: [] }
  for (const { path, file } of incoming.slice(0, MOST_FILES)) {
    try {
      const text = await textOf(file)
      if (text === null) {
        await project.blobs.put(file.name, file)
        brought.others += 1
      } else {
        brought.files.push((await project.files.create(free(project, joinPath(folder, path)), text)).id)
      }
    } catch (error) {
      brought.failed.push({ path, error })
    }
  }
  return brought
}

/** `notes.md`, or `notes 2.md` where that is taken: what is there is nobody's to be written over. */
function free({ files }: Pick<Project, 'files'>, path: string): string {
  const dot = path.lastIndexOf('.')
  const end = dot > path.lastIndexOf('/') + 1 ? dot : path.length
  let name = path
  for (let number = 2; files.find(name); number += 1) name = `${path.slice(0, end)} ${number}${path.slice(end)}`
  return name
}

/** What was dropped, the contents of folders among them. Asked for at once: later the browser tells nothing any more. */
export async function dropped(data: DataTransfer): Promise<Incoming[]> {
  const entries = [...data.items].flatMap((item) => {
    const entry = item.kind === 'file' ? item.webkitGetAsEntry() : null
    return entry ? [entry] : []
  })
  const incoming: Incoming[] = []
  for (const entry of entries) await walk(entry, '', incoming)
  return incoming
}

async function walk(entry: FileSystemEntry, folder: string, into: Incoming[]): Promise<void> {
  if (into.length > MOST_FILES) return
  const path = joinPath(folder, entry.name)
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    into.push({ path, file })
    return
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader()
  for (;;) {
    // A part at a time, until there is none.
    const part = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (part.length === 0) return
    for (const one of part) await walk(one, path, into)
  }
}
