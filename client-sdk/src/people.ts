// Who is in a file, read from its awareness states. The server writes each state's `user` from the
// login, so what is read here about others can be believed.

import type { Awareness } from 'y-protocols/awareness'
import type { User } from './types.ts'

export interface Person {
  /** One connection of theirs, preferably one with a caret: where to look for them in the text. */
  clientId: number
  id: string
  name: string
  kind: User['kind']
  color: string
  avatar: string | null
  isMe: boolean
  hasCursor: boolean
}

const KINDS: readonly string[] = ['guest', 'user', 'external', 'assistant']

/** One entry a person, however many tabs they have; me first, then by name. */
export function readPeople(awareness: Awareness, me: User): Person[] {
  const people = new Map<string, Person>()
  const mine: Person = {
    clientId: awareness.clientID, id: me.id, name: me.name, kind: me.kind,
    color: me.color, avatar: me.avatar, isMe: true, hasCursor: false,
  }
  people.set(me.id, mine)
  for (const [clientId, state] of awareness.getStates()) {
    if (clientId === awareness.clientID) continue
    const person = readPerson(clientId, state)
    if (!person || person.id === me.id) continue
    const known = people.get(person.id)
    if (!known || (!known.hasCursor && person.hasCursor)) people.set(person.id, person)
  }
  return [...people.values()].sort((a, b) => Number(b.isMe) - Number(a.isMe) || a.name.localeCompare(b.name))
}

function readPerson(clientId: number, state: Record<string, unknown>): Person | null {
  const user = state['user']
  if (typeof user !== 'object' || user === null) return null
  const { id, name, kind, color, avatar } = user as Record<string, unknown>
  return {
    clientId,
    // A server that does not stamp ids leaves every connection its own person.
    id: typeof id === 'string' ? id : `connection ${clientId}`,
    name: typeof name === 'string' && name !== '' ? name : 'Somebody',
    kind: typeof kind === 'string' && KINDS.includes(kind) ? (kind as User['kind']) : 'guest',
    color: typeof color === 'string' ? color : '#475467',
    avatar: typeof avatar === 'string' ? avatar : null,
    isMe: false,
    hasCursor: state['cursor'] != null,
  }
}
