// Who has which colour of the palette while people are together. Nobody hands colours out: everybody tells which one they
// took and as the how-manieth, and all read the same from the same. Who was there first keeps theirs.

import { PALETTE } from './paint.ts'

/** What a connection tells: the place of its colour in the palette, and as the how-manieth it took one. */
export interface Claim {
  color: number
  turn: number
}

/** One connection of somebody. */
export interface Claimant {
  user: string
  /** The colour that their login gives them, wherever they are. */
  own: string
  /** null for who has not taken one yet, and for programs that know nothing of it. */
  claim: Claim | null
}

/** Later than any turn that comes about by coming in. */
const MOST_TURNS = 1_000_000

export function readClaim(value: unknown): Claim | null {
  if (typeof value !== 'object' || value === null) return null
  const { color, turn } = value as Record<string, unknown>
  const isIn = (number: unknown, end: number): number is number => Number.isInteger(number) && (number as number) >= 0 && (number as number) < end
  return isIn(color, PALETTE.length) && isIn(turn, MOST_TURNS) ? { color, turn } : null
}

/**
 * The colour of each, by user. What somebody took is theirs unless who came before has it; the others have that of their login,
 * or the first one that nobody has. Colours that are of no palette were chosen by somebody, and stay.
 */
export function shareColors(claimants: Iterable<Claimant>): Map<string, string> {
  const users = new Map<string, Claimant>()
  for (const one of claimants) {
    const known = users.get(one.user)
    if (!known || (one.claim && (!known.claim || one.claim.turn < known.claim.turn))) users.set(one.user, one)
  }
  const shared = new Map<string, string>()
  const free = new Set(PALETTE)
  const give = (user: string, color: string) => {
    shared.set(user, color)
    free.delete(color)
  }
  const others: Claimant[] = []
  for (const one of [...users.values()].sort(byTurn)) {
    const taken = one.claim && PALETTE[one.claim.color]
    if (!PALETTE.includes(one.own)) shared.set(one.user, one.own)
    else if (taken && free.has(taken)) give(one.user, taken)
    else others.push(one)
  }
  for (const { user, own } of others) give(user, free.has(own) ? own : ([...free][0] ?? own))
  return shared
}

function byTurn(a: Claimant, b: Claimant): number {
  return (a.claim?.turn ?? MOST_TURNS) - (b.claim?.turn ?? MOST_TURNS) || (a.user < b.user ? -1 : 1)
}

/** What this connection is to tell, given what all told so far. */
export function claimOf(user: string, claimants: readonly Claimant[]): Claim | null {
  const color = PALETTE.indexOf(shareColors(claimants).get(user) ?? '')
  if (color < 0) return null
  const turns = (who: (one: Claimant) => boolean) => claimants.filter(who).flatMap(({ claim }) => (claim ? [claim.turn] : []))
  const mine = turns((one) => one.user === user)
  // What I have on another page is mine here too.
  const turn = mine.length > 0 ? Math.min(...mine) : Math.max(-1, ...turns((one) => one.user !== user)) + 1
  return { color, turn: Math.min(turn, MOST_TURNS - 1) }
}
