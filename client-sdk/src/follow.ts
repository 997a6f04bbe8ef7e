// Whom I follow, and who asks everybody to be followed. It moves nobody: whoever shows the project goes where `following` is.

import { createStore, type Store } from './store.ts'
import type { Member } from './room.ts'

/** Following somebody through the project, and asking to be followed. */
export interface Following {
  /** Whom I follow, with where they are; null for nobody. Ends when they leave, or follow me. */
  readonly following: Store<Member | null>
  /** Goes on until `unfollow`, somebody else is followed, or the answered function is called. */
  follow(person: string): () => void
  unfollow(): void
  /** Asks everybody to follow me, or no more. Who followed for that reason stops when it ends; I follow nobody meanwhile. */
  spotlight(on?: boolean): void
  /** Whether I ask everybody to follow me. */
  readonly spotlit: Store<boolean>
  /** Who asks me to be followed, until I follow, decline, or they ask no more. */
  readonly asking: Store<Member | null>
  /** I do not follow who asks now; they may ask again. */
  decline(): void
}

export interface FollowKeeper extends Following {
  stop(): void
}

/** Of two who asked at once one is the later all the same, and for everybody the same one. */
function isLater(one: Pick<Member, 'id' | 'spotlight'>, other: Pick<Member, 'id' | 'spotlight'>): boolean {
  const [a, b] = [one.spotlight ?? 0, other.spotlight ?? 0]
  return a === b ? a > 0 && one.id > other.id : a > b
}

const same = (a: Member | null, b: Member | null) => JSON.stringify(a) === JSON.stringify(b)

/** `tell` says to the others whom I follow, and whether I ask to be followed: by a number, another each time. */
export function keepFollowing(people: Store<Member[]>, me: string, tell: (change: { follows?: string | null; spotlight?: number | null }) => void): FollowKeeper {
  const following = createStore<Member | null>(null, same)
  const asking = createStore<Member | null>(null, same)
  const spotlit = createStore(false)
  /** Questions that I have answered. */
  const answered = new Set<string>()
  let target: string | null = null
  /** The question by which I follow. */
  let because: number | null = null
  /** Whether who I follow was following me all the while: then it is on them to stop. */
  let round = false
  let asked = 0

  const find = (id: string | null) => people.get().find((member) => member.id === id) ?? null
  const question = (member: Member) => `${member.id} ${member.spotlight}`

  /** Whether whom I follow follows me, perhaps through others: two who follow each other would go in circles. */
  function leadsToMe(from: Member): boolean {
    const seen = new Set<string>()
    for (let at: Member | null = from; at && !seen.has(at.id); at = find(at.follows)) {
      if (at.follows === me) return true
      seen.add(at.id)
    }
    return false
  }

  function unfollow() {
    if (target === null) return
    target = because = null
    following.set(null)
    tell({ follows: null })
  }

  function look() {
    const all = people.get()
    const questions = new Set(all.map(question))
    for (const one of answered) if (!questions.has(one)) answered.delete(one)
    const member = find(target)
    const leads = member !== null && leadsToMe(member)
    if (!member || (because !== null && member.spotlight !== because) || (leads && !round)) unfollow()
    else {
      round = leads
      following.set(member)
    }
    const open = all.filter((one) => !one.isMe && one.spotlight !== null && one.id !== target && !answered.has(question(one)))
    asking.set(open.sort((a, b) => (isLater(a, b) ? -1 : 1))[0] ?? null)
    // One at a time: who asks last has it.
    if (spotlit.get() && all.some((one) => !one.isMe && isLater(one, { id: me, spotlight: asked }))) spotlight(false)
  }

  function spotlight(on = true) {
    if (on === spotlit.get()) return
    if (on) {
      unfollow()
      asked = Math.max(asked, ...people.get().map((member) => member.spotlight ?? 0)) + 1
    }
    spotlit.set(on)
    tell({ spotlight: on ? asked : null })
  }

  const stop = people.subscribe(look)
  return {
    following,
    asking,
    spotlit,
    follow(person) {
      const member = find(person)
      if (!member || member.isMe) return () => {}
      spotlight(false)
      target = person
      because = member.spotlight
      round = leadsToMe(member)
      if (because !== null) answered.add(question(member))
      tell({ follows: person })
      look()
      return () => {
        if (target === person) unfollow()
      }
    },
    unfollow,
    spotlight,
    decline() {
      const member = asking.get()
      if (member) answered.add(question(member))
      look()
    },
    stop,
  }
}
