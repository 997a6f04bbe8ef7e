// The messages of one conversation as far as they are loaded: a page at first, more backwards, and what the feed tells.
//
// An answer on its way is told piece by piece, each with its offset. Pieces come to those who listen; whoever comes later
// reads the text so far and goes on from there, and reads it again where a piece is missing.

import { ApiError, type Http, type Schema } from '../http.ts'
import { newKey } from '../key.ts'
import type { FeedEvent } from '../room.ts'
import { createStore, type Store } from '../store.ts'
import type { Attachment, Message, NewMessage } from './types.ts'

/** Somebody who is writing. */
export interface Typist {
  id: string
  name: string
}

/** What is there of a conversation. */
export interface ThreadState {
  phase: 'loading' | 'ready' | 'failed'
  /** Whether there are earlier messages than those that are loaded. */
  earlier: boolean
  error: unknown
}

/** One conversation, as far as it is loaded. */
export interface Thread {
  /** The id of the conversation. */
  readonly id: string
  /** What is loaded, the oldest first. Asked for when it is first followed; empty until then. */
  readonly messages: Store<readonly Message[]>
  readonly state: Store<ThreadState>
  /** Who writes now, without me. */
  readonly typing: Store<readonly Typist[]>
  /** Loads the page before; answers whether there are still earlier ones. */
  older(): Promise<boolean>
  send(body: string, how?: NewMessage): Promise<Message>
  /** One's own. */
  edit(id: string, body: string): Promise<Message>
  /** One's own, or as an owner any. That there was one stays. */
  remove(id: string): Promise<void>
  /** Ends an answer that is being written; what it says so far stays. For editors. */
  stop(id: string): Promise<Message>
  /** Has an answer that failed or was stopped given again in its place, by another model or persona where one is named. For editors. */
  retry(id: string, how?: Schema<'Retry'>): Promise<Message>
  /** Tells the others that I write; as often as one likes. */
  writing(): void
  /** Asks again for what is loaded. */
  refresh(): Promise<void>
}

export interface ThreadKeeper extends Thread {
  hear(event: FeedEvent): void
  missed(): void
  /** Pieces of answers may have been told while nobody listened: no event says so. */
  back(): void
  end(): void
}

export const PAGE = 50
/** The most the server puts on a page. */
const PAGE_MOST = 200
/** Somebody who was said to be writing has stopped after this time. */
const TYPING_MS = 6_000
/** And is said to be writing again no sooner than after this. */
const TYPING_AGAIN_MS = 3_000
/** Pieces that wait for the text that they go on from; beyond this the text is read again when it comes. */
const EARLY_PIECES = 2_000

interface Piece {
  offset: number
  text: string
}

export interface ThreadParts {
  http: Http
  project: string
  id: string
  me: string
}

export function keepThread({ http, project, id, me }: ThreadParts): ThreadKeeper {
  const here = { p: project }
  const at = (message: string) => ({ params: { path: { ...here, m: message } } })
  const page = (query: { limit: number; before?: number }) =>
    http.get('/api/projects/{p}/messages', { params: { path: here, query: { conversation: id, ...query } } })
  const messages = createStore<readonly Message[]>([])
  const state = createStore<ThreadState>({ phase: 'loading', earlier: false, error: null })
  const typing = createStore<readonly Typist[]>([])
  const typists = new Map<string, ReturnType<typeof setTimeout>>()
  /** When what was last heard of a message: answers to questions from before that are old. */
  const heard = new Map<string, number>()
  const early = new Map<string, Piece[]>()
  const reading = new Set<string>()
  let clock = 0
  let followed = false
  let stopped = false
  let before: string | null = null
  let loading: Promise<void> | null = null
  let older: Promise<boolean> | null = null
  let wroteAt = 0

  const find = (message: string) => messages.get().find((one) => one.id === message)

  function put(items: readonly Message[], among = messages.get()) {
    const all = new Map(among.map((one) => [one.id, one]))
    for (const item of items) all.set(item.id, item)
    messages.set([...all.values()].sort((a, b) => a.seq - b.seq))
  }

  /** What was answered to a question, as far as nothing later was heard. */
  function answered(items: readonly Message[], askedAt: number): Message[] {
    return items.filter((item) => (heard.get(item.id) ?? 0) <= askedAt || !find(item.id)).map(goneOn)
  }

  /** With the pieces that came while it was being read. */
  function goneOn(message: Message): Message {
    const pieces = early.get(message.id)
    if (!pieces || message.state === 'queued') return message
    early.delete(message.id)
    if (message.state !== 'streaming') return message
    let { body } = message
    for (const { offset, text } of pieces) if (offset <= body.length) body += text.slice(body.length - offset)
    return { ...message, body }
  }

  async function load(): Promise<void> {
    const askedAt = clock
    const limit = Math.min(PAGE_MOST, Math.max(PAGE, messages.get().length))
    if (messages.get().length === 0) state.set({ phase: 'loading', earlier: false, error: null })
    try {
      const latest = await page({ limit })
      // What was heard meanwhile is newer; what is loaded from before this page goes, since it may have changed.
      const [first, last] = [latest.items[0]?.seq ?? 1, latest.items.at(-1)?.seq ?? 0]
      const kept = messages.get().filter((one) => one.seq > last || (one.seq >= first && (heard.get(one.id) ?? 0) > askedAt))
      put(answered(latest.items, askedAt), kept)
      before = latest.previous
      state.set({ phase: 'ready', earlier: before !== null, error: null })
    } catch (error) {
      if (messages.get().length === 0) state.set({ phase: 'failed', earlier: false, error })
      throw error
    }
  }
  const reload = () => (loading ??= load().finally(() => (loading = null)))

  /** Reads a message anew of which a piece is missing. */
  async function readAgain(message: string): Promise<void> {
    if (reading.has(message)) return
    reading.add(message)
    const askedAt = clock
    try {
      const answer = await http.get('/api/projects/{p}/messages/{m}', at(message))
      reading.delete(message)
      put(answered([answer], askedAt))
    } catch {
      // The whole text comes when the answer is over.
      reading.delete(message)
      early.delete(message)
    }
  }

  function wait(message: string, piece: Piece) {
    const pieces = early.get(message) ?? []
    if (pieces.length < EARLY_PIECES) early.set(message, [...pieces, piece])
  }

  function goOn(message: string, piece: Piece) {
    const known = find(message)
    if (!known ? loading !== null : known.state === 'queued' || reading.has(message)) return wait(message, piece)
    if (known?.state !== 'streaming') return
    const { body } = known
    if (piece.offset > body.length) {
      wait(message, piece)
      void readAgain(message)
    } else if (piece.offset + piece.text.length > body.length) {
      put([{ ...known, body: body + piece.text.slice(body.length - piece.offset) }])
    }
  }

  function forgetTypist(user: string) {
    clearTimeout(typists.get(user))
    typists.delete(user)
    typing.set(typing.get().filter((one) => one.id !== user))
  }

  /** What I have done is later than all that was asked before. */
  async function act(question: () => Promise<Message>): Promise<Message> {
    const askedAt = clock
    const message = await question()
    put(answered([message], askedAt))
    return message
  }

  return {
    id,
    state,
    typing,
    messages: {
      get: messages.get,
      subscribe(follower) {
        if (!followed) {
          followed = true
          void reload().catch(() => undefined)
        }
        return messages.subscribe(follower)
      },
    },
    older() {
      older ??= (async () => {
        await loading?.catch(() => undefined)
        if (before === null) return false
        const askedAt = clock
        const earlier = await page({ before: Number(before), limit: PAGE })
        put(answered(earlier.items, askedAt))
        before = earlier.previous
        state.set({ phase: 'ready', earlier: before !== null, error: null })
        return before !== null
      })().finally(() => (older = null))
      return older
    },
    async send(body, how = {}) {
      wroteAt = 0
      const key = how.key ?? newKey()
      const wanted = { ...how, body, conversation: id, key }
      const post = () => http.post('/api/projects/{p}/messages', { params: { path: here }, body: wanted })
      // Whether it arrived is not known when no answer came: the key makes asking again harmless.
      return act(() => post().catch((error: unknown) => {
        if (error instanceof ApiError && error.isOffline) return post()
        throw error
      }))
    },
    edit: (message, body) => act(() => http.patch('/api/projects/{p}/messages/{m}', { ...at(message), body: { body } })),
    remove: (message) => http.delete('/api/projects/{p}/messages/{m}', at(message)),
    stop: (message) => act(() => http.post('/api/projects/{p}/messages/{m}/stop', at(message))),
    retry: (message, how) => act(() => http.post('/api/projects/{p}/messages/{m}/retry', { ...at(message), ...(how ? { body: how } : {}) })),
    writing() {
      if (stopped || Date.now() - wroteAt < TYPING_AGAIN_MS) return
      wroteAt = Date.now()
      // Said again in a moment.
      void http.post('/api/projects/{p}/typing', { params: { path: here }, body: { conversation: id } }).catch(() => undefined)
    },
    refresh: reload,
    hear(event) {
      if (stopped) return
      if (event.type === 'typing') {
        const user = event['user'] as Partial<Typist> | undefined
        const { id: who, name } = user ?? {}
        if (event['conversation'] !== id || typeof who !== 'string' || typeof name !== 'string' || who === me) return
        forgetTypist(who)
        typing.set([...typing.get(), { id: who, name }])
        typists.set(who, setTimeout(() => forgetTypist(who), TYPING_MS))
        return
      }
      const message = event['id']
      if (typeof message !== 'string') return
      if (event.type === 'message.delta') {
        const { offset, text } = event
        if (followed && typeof offset === 'number' && typeof text === 'string') goOn(message, { offset, text })
        return
      }
      if (event['conversation'] !== id || !event.type.startsWith('message.')) return
      const told = event['message'] as Message | undefined
      if (event.type === 'message.created' && told?.author) forgetTypist(told.author.id)
      if (!followed) return
      clock += 1
      const known = find(message)
      if (event.type === 'message.deleted') {
        heard.set(message, clock)
        if (known) put([{ ...known, body: '', attachments: [] as Attachment[], mentions: [], deleted_at: event.at ?? new Date().toISOString() }])
        return
      }
      if (!told || typeof told.body !== 'string') return
      // Changed before what is loaded: it is read as it is when it is scrolled to.
      if (!known && loading === null && told.seq < (messages.get()[0]?.seq ?? 0)) return
      heard.set(message, clock)
      if (told.state === 'queued') early.delete(message)
      put([goneOn(told)])
    },
    missed() {
      if (followed && !stopped) void reload().catch(() => undefined)
    },
    back() {
      for (const { id: message, state: now } of messages.get()) if (now === 'streaming' && !stopped) void readAgain(message)
    },
    end() {
      stopped = true
      for (const timer of typists.values()) clearTimeout(timer)
      typists.clear()
    },
  }
}
