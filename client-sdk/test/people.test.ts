import { afterEach, expect, it } from 'vitest'
import { applyAwarenessUpdate, Awareness, encodeAwarenessUpdate } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { readRefusal, readWhy } from '../src/wire.ts'
import { readPeople } from '../src/people.ts'
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

it('lists me first, then others by name', () => {
  const awareness = room()
  join(awareness, { user: { id: 'z', name: 'Zoe', kind: 'person', color: '#175cd3' } })
  join(awareness, { user: { id: 'b', name: 'Bob', kind: 'assistant', color: '#175cd3' } })
  expect(readPeople(awareness, ann).map((p) => [p.name, p.isMe, p.kind])).toEqual([
    ['Ann', true, 'guest'], ['Bob', false, 'assistant'], ['Zoe', false, 'person'],
  ])
})

it('shows a person with several tabs once, at the tab with a caret', () => {
  const awareness = room()
  join(awareness, { user: { id: 'b', name: 'Bob' } })
  const typing = join(awareness, { user: { id: 'b', name: 'Bob' }, cursor: { anchor: {}, head: {} } })
  join(awareness, { user: { id: 'a', name: 'Ann' } })
  const people = readPeople(awareness, ann)
  expect(people).toHaveLength(2)
  expect(people[1]).toMatchObject({ name: 'Bob', clientId: typing, hasCursor: true })
})

it('passes over states without a user and survives odd ones', () => {
  const awareness = room()
  join(awareness, { cursor: null })
  join(awareness, { user: 'Bob' })
  join(awareness, { user: { name: '', kind: 'king', color: 7 } })
  expect(readPeople(awareness, ann).map((p) => p.name)).toEqual(['Ann', 'Somebody'])
})

it.each([
  ['document deleted', 'deleted'],
  ['not found', 'not-found'],
  ['not_found', 'not-found'],
  ['unauthorized', 'signed-out'],
  ['not signed in', 'signed-out'],
  ['permission-denied', 'closed'],
  ['the document was deleted', 'deleted'],
  ["the document's history was replaced, reload", 'replaced'],
  ['sign in first', 'signed-out'],
])('understands the reason "%s"', (reason, why) => {
  expect(readWhy(reason)).toBe(why)
})

it.each([
  ['{"event":"refused","code":"too_large","message":"too large"}', { code: 'too_large', message: 'too large' }],
  ['{"event":"refused"}', { code: 'refused', message: 'the server refused the last change' }],
  ['{"event":"joined"}', null],
  ['"refused"', null],
  ['not json', null],
])('reads the frame %s', (payload, expected) => {
  expect(readRefusal(payload)).toEqual(expected)
})
