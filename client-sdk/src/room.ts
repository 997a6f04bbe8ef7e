// A project's room: who is in the project and in which file, and the feed of what happens there. It has no content;
// what is true of people comes as awareness, what happened as numbered events.

import { HocuspocusProvider } from '@hocuspocus/provider'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { claimOf, readClaim, shareColors, type Claim, type Claimant } from './colors.ts'
import { keepFollowing, type Following } from './follow.ts'
import { followPeople, identityOf, readIdentity, sortPeople, type Identity } from './people.ts'
import type { Credential } from './credential.ts'
import type { Socket } from './socket.ts'
import type { Store, Writable } from './store.ts'
import type { User } from './types.ts'
import { AS_WE_ASKED, CLOSE, readEvent, readWhy, type Frame } from './wire.ts'

/** `idle`: nothing touched for minutes. `hidden`: the page is behind another one. */
export type Activity = 'active' | 'idle' | 'hidden'

/** Where somebody is: one of the pages that they have open. */
export interface Place {
  /** The connection, of which somebody has one for each open page. */
  connection: number
  /** The id of the file they look at. */
  file: string | null
  activity: Activity
  /** What they look at among what is suggested. */
  review: Review | null
  /** What the assistant does there. */
  work: Work | null
}

/** What the assistant does, in words such as `reading src/a.rs` or `writing`, for which answer. */
export interface Work {
  status: string
  message: string
}

/** A hunk of a proposal. */
export interface Review {
  proposal: string
  hunk: number
}

/** Somebody in the project. Their colour is one that nobody else in it has, as long as the palette lasts. */
export interface Member extends Identity {
  /** Where they are, the likeliest first. Nobody is nowhere: there is at least one. */
  places: Place[]
  /** Whom they follow. */
  follows: string | null
  /** Where they ask everybody to follow them: a number, another each time. */
  spotlight: number | null
}

/** Who is in the project, and where; and going where somebody goes. */
export interface Presence extends Following {
  /** Everybody in the project, me first. */
  readonly people: Store<Member[]>
  /** Tells the others what changed about me. */
  update(here: { file?: string | null; activity?: Activity; review?: Review | null }): void
}

/** Something that happened in the project, or with no number something told only to those who are there. */
export interface FeedEvent {
  /** Such as `file.renamed`; PROTOCOL.md says what each holds. */
  type: string
  /** 1, 2, 3, … without a gap. */
  seq?: number
  at?: string
  actor?: { id: string; name: string; kind: string } | null
  [field: string]: unknown
}

export interface ProjectRoom extends Presence {
  leave(): void
}

/** What is told about me. */
interface Here extends Pick<Place, 'file' | 'activity' | 'review'>, Pick<Member, 'follows' | 'spotlight'> {}

export interface RoomOptions {
  socket: Socket
  credential: Credential
  user: User
  projectId: string
  /** The number of the last event that what was loaded contains. */
  after: number
  /** Where who has which colour is told, by user. */
  colors: Writable<ReadonlyMap<string, string>>
  onEvent(event: FeedEvent): void
  /** Events after this number happened while we were away, and are not told here. */
  onGap(after: number): void
  /** We listen again and missed no event; what is told unlogged may have been missed. */
  onBack(): void
}

/** A room that was refused or closed is asked again after this time; membership may have come back. */
const RETRY_MS = 10_000
/** A new token that is refused no later than this after the last one is waited with. */
const RENEW_AGAIN_MS = 1_000
const ACTIVITIES: readonly string[] = ['active', 'idle', 'hidden']

export function joinRoom(options: RoomOptions): ProjectRoom {
  const { socket, user } = options
  const document = new Y.Doc()
  const awareness = new Awareness(document)
  let here: Here = { file: null, activity: 'active', review: null, follows: null, spotlight: null }
  let claim: Claim | null = null
  let left = false
  let retry: ReturnType<typeof setTimeout> | undefined
  let shownToken = ''
  let renewedAt = 0

  const provider = new HocuspocusProvider({
    websocketProvider: socket.provider,
    name: options.projectId,
    document,
    awareness,
    token: async () => (shownToken = await options.credential.get()),
  })

  function appear() {
    awareness.setLocalState({
      user: { name: user.name, color: user.color, colorLight: user.color_light },
      file: here.file,
      state: here.activity,
      review: here.review,
      follows: here.follows,
      spotlight: here.spotlight,
      color: claim,
    })
  }

  function update(change: Partial<Here>) {
    const next = { ...here, ...change }
    if (left || JSON.stringify(next) === JSON.stringify(here)) return
    here = next
    appear()
  }

  // --- colours ----------------------------------------------------------------------------------
  function share() {
    const all = readClaimants(awareness, user)
    const now = shareColors(all)
    if (JSON.stringify([...now]) !== JSON.stringify([...options.colors.get()])) options.colors.set(now)
    // Who has not heard of the others yet cannot know which colours they have.
    if (!provider.isSynced || left) return
    const mine = claimOf(user.id, all)
    if (JSON.stringify(mine) === JSON.stringify(claim)) return
    claim = mine
    appear()
  }

  /** At once with another token, where the one that was shown has ended and there is another. */
  async function tryAgain(reason: string) {
    clearTimeout(retry)
    const mayRenew = readWhy(reason) === 'signed-out' && Date.now() - renewedAt > RENEW_AGAIN_MS
    const renewed = mayRenew && (await options.credential.renew(shownToken).catch(() => false))
    if (left) return
    if (renewed) renewedAt = Date.now()
    clearTimeout(retry)
    retry = setTimeout(() => {
      provider.detach()
      provider.attach()
    }, renewed ? 0 : RETRY_MS)
  }

  // --- the feed ---------------------------------------------------------------------------------
  let seen = options.after
  provider.on('stateless', ({ payload }: { payload: string }) => {
    const event = readEvent(payload)
    if (!isOfFeed(event)) return
    if (event.type === 'feed.following') {
      // After every join: what lies between was told to nobody here. Less than we saw: a backup was restored.
      const after = Number(event['after'])
      const missed = after !== seen
      const since = Math.min(seen, after)
      seen = after
      if (missed) options.onGap(since)
      else options.onBack()
      return
    }
    if (event.seq !== undefined) seen = event.seq
    options.onEvent(event)
  })
  provider.on('authenticationFailed', ({ reason }: { reason: string }) => void tryAgain(reason))
  provider.on('message', ({ message }: { message: Frame }) => {
    message.readVarString() // the project
    if (message.readVarUint() !== CLOSE) return
    const reason = message.readVarString()
    if (reason !== AS_WE_ASKED) void tryAgain(reason)
  })

  // --- me ---------------------------------------------------------------------------------------
  const onPageShow = (event: PageTransitionEvent) => {
    if (event.persisted && !left) appear()
  }
  if (typeof window !== 'undefined') window.addEventListener('pageshow', onPageShow)
  appear()
  // Before people are read, who are read with their colours.
  awareness.on('change', share)
  provider.on('synced', share)
  provider.attach()
  const { people, stop } = followPeople(awareness, () => readMembers(awareness, user, options.colors.get()))
  const { stop: stopFollowing, ...following } = keepFollowing(people, user.id, update)

  return {
    people,
    ...following,
    update,
    leave() {
      if (left) return
      left = true
      clearTimeout(retry)
      stopFollowing()
      stop()
      awareness.off('change', share)
      if (typeof window !== 'undefined') window.removeEventListener('pageshow', onPageShow)
      awareness.setLocalState(null)
      provider.destroy()
      document.destroy()
    },
  }
}

/** Not every frame is of the feed: a refused edit is none. */
function isOfFeed(event: Record<string, unknown>): event is FeedEvent {
  return typeof event['type'] === 'string'
}

/** What each connection tells of its colour, mine among them. */
function readClaimants(awareness: Awareness, me: User): Claimant[] {
  const claimants: Claimant[] = []
  for (const [connection, state] of awareness.getStates()) {
    const identity = connection === awareness.clientID ? identityOf(me) : readIdentity(connection, state)
    if (identity) claimants.push({ user: identity.id, own: identity.color, claim: readClaim(state['color']) })
  }
  return claimants
}

const NO_COLORS: ReadonlyMap<string, string> = new Map()

/** One entry a person, with a place for each of their pages. */
export function readMembers(awareness: Awareness, me: User, colors = NO_COLORS): Member[] {
  const members = new Map<string, Member>()
  const begin = (identity: Identity): Member => ({ ...identity, color: colors.get(identity.id) ?? identity.color, places: [], follows: null, spotlight: null })
  const enter = (member: Member, connection: number, state: Record<string, unknown>) => {
    const { follows, spotlight } = state
    member.places.push(readPlace(connection, state))
    if (typeof follows === 'string') member.follows = follows
    if (typeof spotlight === 'number' && Number.isSafeInteger(spotlight)) member.spotlight = Math.max(spotlight, member.spotlight ?? 0)
  }
  const mine = begin(identityOf(me))
  members.set(me.id, mine)
  enter(mine, awareness.clientID, awareness.getLocalState() ?? {})
  for (const [connection, state] of awareness.getStates()) {
    if (connection === awareness.clientID) continue
    const identity = readIdentity(connection, state)
    if (!identity) continue
    const member = members.get(identity.id) ?? begin(identity)
    members.set(identity.id, member)
    enter(member, connection, state)
  }
  for (const { isMe, places } of members.values()) {
    // This page is where I am, wherever else I am too.
    places.sort((a, b) => (isMe ? Number(b.connection === awareness.clientID) - Number(a.connection === awareness.clientID) : 0)
      || rank(a) - rank(b) || a.connection - b.connection)
  }
  return sortPeople(members.values())
}

function readPlace(connection: number, state: Record<string, unknown>): Place {
  const { file, state: activity, review } = state
  return {
    connection,
    file: typeof file === 'string' ? file : null,
    activity: typeof activity === 'string' && ACTIVITIES.includes(activity) ? (activity as Activity) : 'active',
    review: readReview(review),
    work: readWork(state),
  }
}

function readReview(value: unknown): Review | null {
  if (typeof value !== 'object' || value === null) return null
  const { proposal, hunk } = value as Record<string, unknown>
  return typeof proposal === 'string' && typeof hunk === 'number' ? { proposal, hunk } : null
}

function readWork({ status, message }: Record<string, unknown>): Work | null {
  return typeof status === 'string' && status !== '' && typeof message === 'string' ? { status, message } : null
}

function rank(place: Place): number {
  return ACTIVITIES.indexOf(place.activity) * 2 + Number(place.file === null)
}
