// A value that can be read now and followed over time.
// The shape fits Svelte stores (subscribe calls at once) and React's useSyncExternalStore alike.

/** A value that can be read now and followed over time. */
export interface Store<T> {
  get(): T
  /** Calls `follower` with the value now and after each change; returns how to stop. */
  subscribe(follower: (value: T) => void): () => void
}

/** A store whose owner changes it. */
export interface Writable<T> extends Store<T> {
  set(value: T): void
}

/** `same` decides what counts as no change, so that followers are not called for nothing. */
export function createStore<T>(initial: T, same: (a: T, b: T) => boolean = Object.is): Writable<T> {
  let value = initial
  const followers = new Set<(value: T) => void>()
  return {
    get: () => value,
    set(next) {
      if (same(value, next)) return
      value = next
      // A copy: a follower may stop following while it is being told.
      for (const follower of [...followers]) if (followers.has(follower)) follower(value)
    },
    subscribe(follower) {
      // A wrapper of its own, so that one function may follow twice and stop once.
      const entry = (v: T) => follower(v)
      followers.add(entry)
      entry(value)
      return () => void followers.delete(entry)
    },
  }
}

/** A store that follows another: each of its values, as `read` sees it. */
export function derived<T, U>(source: Store<T>, read: (value: T) => U): Store<U> {
  let known: { from: T; value: U } | undefined
  const valueOf = (from: T): U => {
    if (!known || !Object.is(known.from, from)) known = { from, value: read(from) }
    return known.value
  }
  return {
    get: () => valueOf(source.get()),
    subscribe(follower) {
      let last: { value: U } | undefined
      return source.subscribe((from) => {
        const value = valueOf(from)
        if (last && Object.is(last.value, value)) return
        last = { value }
        follower(value)
      })
    },
  }
}
