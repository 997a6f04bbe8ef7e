// A project's room: who is in the project and in which file, and the feed of what happens there. It has no content;
// what is true of people comes as awareness, what happened as numbered events.

import { HocuspocusProvider } from '@hocuspocus/provider'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { followPeople, identityOf, readIdentity, sortPeople, type Identity } from './people.ts'
import type { Credential } from './credential.ts'
import type { Socket } from './socket.ts'
import type { Store } from './store.ts'
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

/** Somebody in the project. */
export interface Member extends Identity {
  /** Where they are, the likeliest first. Nobody is nowhere: there is at least one. */
  places: Place[]
}

/** Who is in the project, and where. */
export interface Presence {
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

export interface RoomOptions {
  socket: Socket
  credential: Credential
  user: User
  projectId: string
  /** The number of the last event that what was loaded contains. */
  after: number
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
  let here: { file: string | null; activity: Activity; review: Review | null } = { file: null, activity: 'active', review: null }
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
    })
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
  provider.attach()
  const { people, stop } = followPeople(awareness, () => readMembers(awareness, user))

  return {
    people,
    update(change) {
      const next = { ...here, ...change }
      if (left || JSON.stringify(next) === JSON.stringify(here)) return
      here = next
      appear()
    },
    leave() {
      if (left) return
      left = true
      clearTimeout(retry)
      stop()
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

/** One entry a person, with a place for each of their pages. */
export function readMembers(awareness: Awareness, me: User): Member[] {
  const members = new Map<string, Member>()
  members.set(me.id, { ...identityOf(me), places: [readPlace(awareness.clientID, awareness.getLocalState() ?? {})] })
  for (const [connection, state] of awareness.getStates()) {
    if (connection === awareness.clientID) continue
    const identity = readIdentity(connection, state)
    if (!identity) continue
    const place = readPlace(connection, state)
    const known = members.get(identity.id)
    if (known) known.places.push(place)
    else members.set(identity.id, { ...identity, places: [place] })
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
