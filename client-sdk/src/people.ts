// Who is here, read from awareness states. The server writes each state's `user` from the login, so
// what is read here about others can be believed.

import type { Awareness } from 'y-protocols/awareness'
import { createStore, type Store } from './store.ts'
import type { User } from './types.ts'

/** People who vanish and return within this time (a reconnect) never leave the list. */
const LEAVE_GRACE_MS = 3_000

/** Somebody, as their login says. */
export interface Identity {
  id: string
  name: string
  kind: User['kind']
  color: string
  avatar: string | null
  isMe: boolean
}

/** Somebody in a file. */
export interface Person extends Identity {
  /** One connection of theirs, preferably one with a caret: where to look for them in the text. */
  clientId: number
  hasCursor: boolean
}

const KINDS: readonly string[] = ['guest', 'person', 'external', 'assistant']

/** One entry a person, however many tabs they have; me first, then by name. */
export function readPeople(awareness: Awareness, me: User, colors?: ReadonlyMap<string, string>): Person[] {
  const people = new Map<string, Person>()
  const colored = (identity: Identity): Identity => ({ ...identity, color: colors?.get(identity.id) ?? identity.color })
  people.set(me.id, { ...colored(identityOf(me)), clientId: awareness.clientID, hasCursor: false })
  for (const [clientId, state] of awareness.getStates()) {
    if (clientId === awareness.clientID) continue
    const identity = readIdentity(clientId, state)
    if (!identity || identity.id === me.id) continue
    const person = { ...colored(identity), clientId, hasCursor: state['cursor'] != null }
    const known = people.get(person.id)
    if (!known || (!known.hasCursor && person.hasCursor)) people.set(person.id, person)
  }
  return sortPeople(people.values())
}

export function identityOf(me: User): Identity {
  return { id: me.id, name: me.name, kind: me.kind, color: me.color, avatar: me.avatar, isMe: true }
}

export function readIdentity(clientId: number, state: Record<string, unknown>): Identity | null {
  const user = state['user']
  if (typeof user !== 'object' || user === null) return null
  const { id, name, kind, color, avatar } = user as Record<string, unknown>
  return {
    // A server that does not stamp ids leaves every connection its own person.
    id: typeof id === 'string' ? id : `connection ${clientId}`,
    name: typeof name === 'string' && name !== '' ? name : 'Somebody',
    kind: typeof kind === 'string' && KINDS.includes(kind) ? (kind as User['kind']) : 'guest',
    color: typeof color === 'string' ? color : '#475467',
    avatar: typeof avatar === 'string' ? avatar : null,
    isMe: false,
  }
}

export function sortPeople<T extends Identity>(people: Iterable<T>): T[] {
  return [...people].sort((a, b) => Number(b.isMe) - Number(a.isMe) || a.name.localeCompare(b.name) || (a.id < b.id ? -1 : 1))
}

/** What `read` makes of the states, now and later; who leaves is taken off after a moment. */
export function followPeople<T extends Identity>(awareness: Awareness, read: () => T[]): { people: Store<T[]>; look(): void; stop(): void } {
  const people = createStore<T[]>(read(), (a, b) => JSON.stringify(a) === JSON.stringify(b))
  let timer: ReturnType<typeof setTimeout> | undefined
  const onChange = () => {
    const now = read()
    clearTimeout(timer)
    const someoneLeft = people.get().some((p) => !now.some((q) => q.id === p.id))
    if (someoneLeft) timer = setTimeout(() => people.set(read()), LEAVE_GRACE_MS)
    else people.set(now)
  }
  awareness.on('change', onChange)
  return {
    people,
    look: onChange,
    stop() {
      clearTimeout(timer)
      awareness.off('change', onChange)
    },
  }
}
