// Which files somebody has open in a project. Kept on this device, a list a person and project; forgotten
// with everything else of that person at sign-out.

export interface Tabs {
  ids: readonly string[]
  /** The one looked at last. */
  last: string | null
}

/** Each open tab holds a file and an editor; the one not looked at longest makes room for the next. */
export const MOST_TABS = 20

/** Opens beside the tab that was looked at, or goes to the tab that is there. */
export function withTab(tabs: Tabs, id: string): Tabs {
  if (tabs.ids.includes(id)) return tabs.last === id ? tabs : { ids: tabs.ids, last: id }
  const at = tabs.last === null ? tabs.ids.length : tabs.ids.indexOf(tabs.last) + 1
  let ids = [...tabs.ids.slice(0, at), id, ...tabs.ids.slice(at)]
  const oldest = ids.find((other) => other !== id && other !== tabs.last)
  if (ids.length > MOST_TABS) ids = ids.filter((other) => other !== oldest)
  return { ids, last: id }
}

/** Closes one; `last` becomes its neighbour when it was looked at. */
export function withoutTab(tabs: Tabs, id: string): Tabs {
  const at = tabs.ids.indexOf(id)
  if (at < 0) return tabs
  const ids = tabs.ids.filter((other) => other !== id)
  return { ids, last: tabs.last === id ? (ids[at] ?? ids[at - 1] ?? null) : tabs.last }
}

const keyOf = (userId: string, projectId: string) => `coterie/${userId}/tabs/${projectId}`

export function readTabs(userId: string, projectId: string): Tabs {
  try {
    const kept: unknown = JSON.parse(localStorage.getItem(keyOf(userId, projectId)) ?? 'null')
    const { ids, last } = (kept ?? {}) as { ids?: unknown; last?: unknown }
    const known = Array.isArray(ids) ? ids.filter((id) => typeof id === 'string').slice(0, MOST_TABS) : []
    return { ids: known, last: typeof last === 'string' && known.includes(last) ? last : null }
  } catch {
    return { ids: [], last: null }
  }
}

export function keepTabs(userId: string, projectId: string, tabs: Tabs): void {
  try {
    localStorage.setItem(keyOf(userId, projectId), JSON.stringify(tabs))
  } catch {
    // Open for this visit only.
  }
}
