// Who has which colour: by everybody alike, and none twice while there are enough.

import { expect, it } from 'vitest'
import { claimOf, readClaim, shareColors, type Claimant } from '../src/colors.ts'
import { nearestOf, PALETTE } from '../src/paint.ts'

const [RED = '', ORANGE = '', BROWN = ''] = PALETTE
const somebody = (user: string, own: string, claim: Claimant['claim'] = null): Claimant => ({ user, own, claim })

/** People come one after another, each with a claim that they read from those before. */
function come(room: Claimant[], user: string, own: string): Claimant {
  const mine = somebody(user, own)
  room.push(mine)
  mine.claim = claimOf(user, room)
  return mine
}

it('is that of the login while nobody else has it, else the first that is free', () => {
  const room: Claimant[] = []
  come(room, 'a', ORANGE)
  come(room, 'b', RED)
  come(room, 'c', ORANGE)
  expect([...shareColors(room)]).toEqual([['a', ORANGE], ['b', RED], ['c', BROWN]])
})

it('differs for as many people as the palette has colours, whatever their logins say', () => {
  const room: Claimant[] = []
  for (let i = 0; i < PALETTE.length; i += 1) come(room, `user-${i}`, BROWN)
  expect(new Set(shareColors(room).values()).size).toBe(PALETTE.length)
  come(room, 'late', ORANGE)
  expect(shareColors(room).get('late')).toBe(ORANGE)
})

it('stays with those who are there when others come and go', () => {
  const room: Claimant[] = []
  const ann = come(room, 'ann', RED)
  come(room, 'ben', RED)
  come(room, 'cleo', RED)
  const before = shareColors(room)
  room.splice(room.indexOf(ann), 1)
  expect(shareColors(room).get('ben')).toBe(before.get('ben'))
  expect(shareColors(room).get('cleo')).toBe(before.get('cleo'))
  // Who comes back takes what is free by then.
  come(room, 'ann', RED)
  expect(shareColors(room).get('ben')).toBe(before.get('ben'))
})

it('is agreed on by two who took the same at once, and each then tells what all read', () => {
  const both = [somebody('b', RED, { color: 0, turn: 0 }), somebody('a', RED, { color: 0, turn: 0 })]
  const shared = shareColors(both)
  expect(shareColors([...both].reverse())).toEqual(shared)
  expect([shared.get('a'), shared.get('b')]).toEqual([RED, ORANGE])
  expect(claimOf('b', both)).toEqual({ color: 1, turn: 0 })
  expect(claimOf('a', both)).toEqual({ color: 0, turn: 0 })
})

it('is one for all pages of somebody, and leaves those alone who take no part', () => {
  const room = [somebody('a', RED, { color: 3, turn: 2 }), somebody('a', RED), somebody('app', '#123456'), somebody('bot', PALETTE[3] ?? '')]
  expect([...shareColors(room)].sort()).toEqual([['a', PALETTE[3]], ['app', '#123456'], ['bot', RED]].sort())
  expect(claimOf('a', room)).toEqual({ color: 3, turn: 2 })
  expect(claimOf('app', room)).toBeNull()
})

it('reads only claims that can be', () => {
  expect(readClaim({ color: 9, turn: 0, more: 1 })).toEqual({ color: 9, turn: 0 })
  for (const odd of [null, 'red', {}, { color: 10, turn: 0 }, { color: -1, turn: 0 }, { color: 0.5, turn: 0 }, { color: 0, turn: 1e9 }, { color: 0 }]) expect(readClaim(odd)).toBeNull()
})

it('finds the colour of the palette that is nearest', () => {
  expect(PALETTE.map(nearestOf)).toEqual(PALETTE.map((_, at) => at))
  expect(PALETTE[nearestOf('#1060d0')]).toBe('#175cd3')
  expect(nearestOf('red')).toBe(nearestOf('#475467'))
})
