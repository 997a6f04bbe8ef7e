// The files that a page is made of, open as long as it is shown: each is read as it is typed, and a change of any is told.

import type { FileHandle, Project } from 'coterie'

/** A page that names more files than this is shown without the rest. */
const MOST_FILES = 60
/** How long a file may take to come. */
const PATIENCE_MS = 10_000

export interface Watch {
  /** The text of a file; null where there is none, or none that can be had now. */
  read(path: string): Promise<string | null>
  stop(): void
}

/** `isShown` says whether the studio has a file open in a tab, where others are to see me. */
export function watchFiles(project: Project, isShown: (id: string) => boolean, changed: () => void): Watch {
  const open = new Map<string, Promise<FileHandle | null>>()
  const stops: (() => void)[] = []
  let stopped = false

  async function take(id: string): Promise<FileHandle | null> {
    const handle = await project.files.open(id)
    if (stopped) {
      handle.close()
      return null
    }
    // Reading a style is no visit to it.
    if (!isShown(id)) handle.setHere(false)
    stops.push(() => handle.close())
    const phase = await settled(handle)
    if (phase !== 'open') return null
    handle.text.observe(changed)
    stops.push(() => handle.text.unobserve(changed))
    return handle
  }

  return {
    async read(path) {
      const file = project.files.find(path)
      if (!file || stopped) return null
      let taken = open.get(file.id)
      if (!taken) {
        if (open.size >= MOST_FILES) return null
        open.set(file.id, (taken = take(file.id).catch(() => null)))
      }
      return (await taken)?.text.toString() ?? null
    },
    stop() {
      stopped = true
      for (const stop of stops.splice(0).reverse()) stop()
    },
  }
}

/** Waits until a file is open, or will not be. */
function settled(handle: FileHandle): Promise<'open' | 'gone' | 'late'> {
  return new Promise((resolve) => {
    let unfollow = () => {}
    const end = (how: 'open' | 'gone' | 'late') => {
      clearTimeout(timer)
      queueMicrotask(() => unfollow())
      resolve(how)
    }
    const timer = setTimeout(() => end('late'), PATIENCE_MS)
    unfollow = handle.phase.subscribe(({ kind }) => {
      if (kind !== 'loading') end(kind)
    })
  })
}
