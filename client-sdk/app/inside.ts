// Who is in the projects of a list, as long as they are in sight: asked one after another, and again every now and then.

import type { Actor } from 'coterie'

const AGAIN_MS = 20_000

export interface Inside {
  /** A card of a list came into sight; answers how to say that it left. */
  watch(project: string): () => void
  stop(): void
}

/** A project that does not answer is told as empty: the list is to find projects, not to report faults. */
export function followInside(ask: (project: string) => Promise<Actor[]>, tell: (project: string, people: Actor[]) => void, again = AGAIN_MS): Inside {
  const seen = new Set<string>()
  const waiting = new Set<string>()
  let asking = false
  let stopped = false

  async function askAll() {
    if (asking) return
    asking = true
    for (const project of waiting) {
      waiting.delete(project)
      if (stopped) break
      if (seen.has(project)) tell(project, await ask(project).catch(() => []))
    }
    asking = false
  }

  const timer = setInterval(() => {
    if (typeof document !== 'undefined' && document.visibilityState !== 'visible') return
    for (const project of seen) waiting.add(project)
    void askAll()
  }, again)

  return {
    watch(project) {
      seen.add(project)
      waiting.add(project)
      void askAll()
      return () => void seen.delete(project)
    },
    stop() {
      stopped = true
      clearInterval(timer)
    },
  }
}
