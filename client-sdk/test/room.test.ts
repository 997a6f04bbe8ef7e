import { afterEach, expect, it } from 'vitest'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { readMembers } from '../src/room.ts'
import type { User } from '../src/types.ts'

const ann: User = { id: 'a', name: 'Ann', kind: 'guest', color: '#b42318', color_light: '#fee4e2', avatar: null }
const open: Awareness[] = []
afterEach(() => open.splice(0).forEach((a) => a.destroy()))

function room(): Awareness {
  const awareness = new Awareness(new Y.Doc())
  open.push(awareness)
  return awareness
}

function join(target: Awareness, state: Record<string, unknown>) {
  const other = room()
  other.setLocalState(state)
  applyAwarenessUpdate(target, encodeAwarenessUpdate(other, [other.clientID]), 'test')
  return other.clientID
}

it('has one entry a person with a place for each page, the likeliest first', () => {
  const awareness = room()
  awareness.setLocalState({ file: 'f1', state: 'active' })
  const hidden = join(awareness, { user: { id: 'b', name: 'Bob' }, file: 'f1', state: 'hidden' })
  const idle = join(awareness, { user: { id: 'b', name: 'Bob' }, file: 'f2', state: 'idle' })
  const active = join(awareness, { user: { id: 'b', name: 'Bob' }, file: null, state: 'active' })
  const [me, bob] = readMembers(awareness, ann)
  expect(me).toMatchObject({ id: 'a', isMe: true, places: [{ connection: awareness.clientID, file: 'f1', activity: 'active' }] })
  expect(bob?.places.map((place) => place.connection)).toEqual([active, idle, hidden])
})

it('puts this page first among my places', () => {
  const awareness = room()
  awareness.setLocalState({ file: null, state: 'hidden' })
  join(awareness, { user: { id: 'a', name: 'Ann' }, file: 'f1', state: 'active' })
  const [me, ...others] = readMembers(awareness, ann)
  expect(others).toEqual([])
  expect(me?.places.map((place) => place.file)).toEqual([null, 'f1'])
})

it('survives odd states', () => {
  const awareness = room()
  join(awareness, { file: 'f1' })
  join(awareness, { user: { id: 'b', name: 'Bob' }, file: 7, state: 'asleep', tree: 'x' })
  expect(readMembers(awareness, ann).map(({ name, places }) => [name, places[0]?.file, places[0]?.activity]))
    .toEqual([['Ann', null, 'active'], ['Bob', null, 'active']])
})
