// The files that a page is made of, open as long as it is shown: each is read as it is typed, and a change of any is told. So is
// what comes to be, goes, or gets another path.

import { createStore, type FileHandle, type Project, type Store } from 'coterie'

/** A page that names more files than this is shown without the rest. */
const MOST_FILES = 60
/** How long a file may take to come. */
const PATIENCE_MS = 10_000

export interface Watch {
  /** The text of a file; null where there is none, or none that can be had now. */
  read(path: string): Promise<string | null>
  stop(): void
}

type Parts = Pick<Project, 'files'>

/** One file, whatever becomes of its handles. */
interface Watched {
  path: string
  /** undefined until it is known. */
  readonly now: Store<FileHandle | null | undefined>
  /** Whether it was said that there is no text to be had. */
  missed: boolean
  stop(): void
}

/** `isShown` says whether the studio has a file open in a tab, where others are to see me. */
export function watchFiles(project: Parts, isShown: (id: string) => boolean, changed: () => void, patience = PATIENCE_MS): Watch {
  const watched = new Map<string, Watched>()
  /** Paths that were asked for where no file is. */
  const missing = new Set<string>()
  let stopped = false

  function watch(id: string, path: string): Watched {
    const live = project.files.keepOpen(id)
    const now = createStore<FileHandle | null | undefined>(undefined)
    let unfollow = () => {}
    const file: Watched = {
      path, now, missed: false,
      stop() {
        unfollow()
        stop()
        live.close()
      },
    }
    const stop = live.state.subscribe((state) => {
      unfollow()
      unfollow = () => {}
      if (state.kind !== 'open') return now.set(state.kind === 'failed' ? null : undefined)
      const handle = state.value
      // Reading a style is no visit to it.
      if (!isShown(id)) handle.setHere(false)
      let observed = false
      const unfollowPhase = handle.phase.subscribe(({ kind }) => {
        // What comes first is no change.
        if (kind === 'open' && !observed) handle.text.observe(changed)
        observed ||= kind === 'open'
        now.set(kind === 'open' ? handle : kind === 'gone' ? null : undefined)
        if (kind !== 'open' || !file.missed) return
        file.missed = false
        changed()
      })
      unfollow = () => {
        unfollowPhase()
        if (observed) handle.text.unobserve(changed)
        // What it goes on with is another text.
        file.missed = true
      }
    })
    return file
  }

  function drop(id: string) {
    watched.get(id)?.stop()
    watched.delete(id)
  }

  const unfollowList = project.files.list.subscribe((list) => {
    const paths = new Map(list.map((file) => [file.id, file.path]))
    let other = false
    for (const [id, { path }] of watched) {
      if (paths.get(id) === path) continue
      drop(id)
      other = true
    }
    for (const path of missing) if (project.files.find(path)) other = missing.delete(path)
    if (other) changed()
  })

  return {
    async read(path) {
      const found = project.files.find(path)
      if (!found) {
        if (!stopped && missing.size < MOST_FILES) missing.add(path)
        return null
      }
      // What could not be had is tried again.
      if (watched.get(found.id)?.now.get() === null) drop(found.id)
      let file = watched.get(found.id)
      if (!file) {
        if (stopped || watched.size >= MOST_FILES) return null
        watched.set(found.id, (file = watch(found.id, found.path)))
      }
      const handle = await known(file.now, patience)
      if (!handle) file.missed = true
      return handle?.text.toString() ?? null
    },
    stop() {
      stopped = true
      unfollowList()
      for (const id of [...watched.keys()]) drop(id)
    },
  }
}

/** The first value that is known; null where there is none in time. */
function known(now: Store<FileHandle | null | undefined>, patience: number): Promise<FileHandle | null> {
  return new Promise((resolve) => {
    let unfollow = () => {}
    const end = (handle: FileHandle | null) => {
      clearTimeout(timer)
      queueMicrotask(() => unfollow())
      resolve(handle)
    }
    const timer = setTimeout(() => end(null), patience)
    unfollow = now.subscribe((handle) => {
      if (handle !== undefined) end(handle)
    })
  })
}
