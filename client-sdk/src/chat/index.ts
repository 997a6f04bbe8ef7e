// The chat of a project: its conversations, how far I have read in each, and who can be asked.

import { ApiError, pageAfter, type Http, type Schema } from '../http.ts'
import type { FeedEvent } from '../room.ts'
import { createStore, derived, type Store } from '../store.ts'
import type { Page } from '../types.ts'
import { keepThread, type Thread, type ThreadKeeper } from './thread.ts'
import type { Conversation, Message, ModelInfo, Persona, Summary } from './types.ts'

/** What people and the assistant say to each other in a project. */
export interface Chat {
  /** The first one first. Asked for when they are first followed; empty until then. */
  readonly conversations: Store<readonly Conversation[]>
  /** How many messages of all conversations I have not read. */
  readonly unread: Store<number>
  /** A conversation; the one that every project has when no id is given. The same one again is the same object. */
  thread(id?: string): Thread
  begin(title: string): Promise<Conversation>
  /** Another title, or when the assistant speaks. */
  change(id: string, change: { title?: string; answers?: Conversation['answers'] }): Promise<Conversation>
  /** Notes how far I have read, never back; the latest message when no number is given. */
  markRead(id: string, seq?: number): Promise<void>
  /** Any message, whatever conversation it is in. */
  message(id: string): Promise<Message>
  /** Messages of all conversations that hold a text, the newest first. */
  search(text: string, after?: string | null): Promise<Page<Message>>
  /** All messages of a conversation, or of the one that every project has. */
  export(as: 'md' | 'json', conversation?: string): Promise<Blob>
  /** Makes a conversation of messages that were written elsewhere; each names its author, and is told in one's own name. */
  import(conversation: Schema<'ConversationImport'>): Promise<Conversation>
  /** What the assistant reads in place of the older messages of a long conversation; null where it reads all of them. */
  summary(conversation?: string): Promise<Summary | null>
  /** The assistant reads the messages again, and summarises anew when that is too much. */
  forgetSummary(conversation?: string): Promise<void>
  personas(): Promise<Persona[]>
  /** The models that answer; none where no model is connected. */
  models(): Promise<ModelInfo[]>
  refresh(): Promise<void>
}

export interface ChatKeeper extends Chat {
  /** Takes in what the feed tells. */
  hear(event: FeedEvent): void
  /** Something may have been told while nobody listened. */
  missed(): void
  /** The feed is followed again, though no event was missed. */
  back(): void
  stop(): void
}

/** A hundred people who are told the same do not ask all at once. */
const ASK_AFTER_MS = 40
const ASK_SPREAD_MS = 160

export function keepChat(http: Http, project: string, me: string): ChatKeeper {
  const here = { p: project }
  const conversations = createStore<readonly Conversation[]>([], (a, b) => JSON.stringify(a) === JSON.stringify(b))
  const threads = new Map<string, ThreadKeeper>()
  let followed = false
  let stopped = false
  let loading: Promise<void> | null = null
  let timer: ReturnType<typeof setTimeout> | undefined
  /** What was heard and read while the list was being asked for. */
  const heads = new Map<string, { head: number; read: number }>()

  function count(one: Conversation): Conversation {
    const { head = 0, read = 0 } = heads.get(one.id) ?? {}
    const now = { head: Math.max(one.head, head), read: Math.max(one.read, read) }
    return { ...one, ...now, unread: Math.max(0, now.head - now.read) }
  }

  function show(one: Conversation) {
    if (!conversations.get().some(({ id }) => id === one.id)) conversations.set([...conversations.get(), one].map(count))
  }

  function note(id: string, news: { head?: number; read?: number }) {
    const known = heads.get(id) ?? { head: 0, read: 0 }
    heads.set(id, { head: Math.max(known.head, news.head ?? 0), read: Math.max(known.read, news.read ?? 0) })
    conversations.set(conversations.get().map(count))
  }

  const load = () => (loading ??= http.get('/api/projects/{p}/conversations', { params: { path: here } })
    .then(({ items }) => conversations.set(items.map(count)))
    .finally(() => (loading = null)))

  function soon() {
    clearTimeout(timer)
    // A failure is left to the next time: what is here is old, not wrong.
    timer = setTimeout(() => void load().catch(() => undefined), ASK_AFTER_MS + Math.random() * ASK_SPREAD_MS)
  }

  const list: Store<readonly Conversation[]> = {
    get: conversations.get,
    subscribe(follower) {
      if (!followed) {
        followed = true
        void load().catch(() => undefined)
      }
      return conversations.subscribe(follower)
    },
  }

  return {
    conversations: list,
    unread: derived(list, (all) => all.reduce((sum, { unread }) => sum + unread, 0)),
    thread(id = project) {
      let thread = threads.get(id)
      if (!thread) threads.set(id, (thread = keepThread({ http, project, id, me })))
      return thread
    },
    async begin(title) {
      const begun = await http.post('/api/projects/{p}/conversations', { params: { path: here }, body: { title } })
      show(begun)
      return begun
    },
    async change(id, change) {
      const changed = await http.patch('/api/projects/{p}/conversations/{c}', { params: { path: { ...here, c: id } }, body: change })
      conversations.set(conversations.get().map((one) => (one.id === id ? count(changed) : one)))
      return changed
    },
    async markRead(id, seq) {
      const read = seq ?? threads.get(id)?.messages.get().at(-1)?.seq ?? 0
      if (read <= (conversations.get().find((one) => one.id === id)?.read ?? 0)) return
      note(id, { read })
      await http.put('/api/projects/{p}/conversations/{c}/read', { params: { path: { ...here, c: id } }, body: { seq: read } })
    },
    message: (m) => http.get('/api/projects/{p}/messages/{m}', { params: { path: { ...here, m } } }),
    search: (text, after) => http.get('/api/projects/{p}/messages/search', { params: { path: here, query: { q: text, ...pageAfter(after) } } }),
    export: (format, conversation) => http.get('/api/projects/{p}/messages/export', {
      params: { path: here, query: { format, ...(conversation === undefined ? {} : { conversation }) } }, parseAs: 'blob',
    }),
    async import(conversation) {
      const imported = await http.post('/api/projects/{p}/conversations/import', { params: { path: here }, body: conversation })
      show(imported)
      return imported
    },
    async summary(c = project) {
      try {
        return await http.get('/api/projects/{p}/conversations/{c}/summary', { params: { path: { ...here, c } } })
      } catch (error) {
        if (error instanceof ApiError && error.isNotFound) return null
        throw error
      }
    },
    forgetSummary: (c = project) => http.delete('/api/projects/{p}/conversations/{c}/summary', { params: { path: { ...here, c } } }),
    personas: async () => (await http.get('/api/projects/{p}/personas', { params: { path: here } })).items,
    models: async () => (await http.get('/api/models')).items.filter((model) => !model.images),
    refresh: load,
    hear(event) {
      if (stopped) return
      for (const thread of threads.values()) thread.hear(event)
      if (!followed) return
      if (event.type.startsWith('conversation.')) return soon()
      const message = event['message'] as Message | undefined
      if (event.type !== 'message.created' || typeof message?.seq !== 'number') return
      const { conversation, seq, author } = message
      // Who writes has read what is before it, as the server has it too.
      note(conversation, { head: seq, ...(author.id === me ? { read: seq } : {}) })
      if (!conversations.get().some(({ id }) => id === conversation)) soon()
    },
    missed() {
      if (stopped) return
      for (const thread of threads.values()) thread.missed()
      if (followed) soon()
    },
    back() {
      for (const thread of threads.values()) thread.back()
    },
    stop() {
      stopped = true
      clearTimeout(timer)
      for (const thread of threads.values()) thread.end()
    },
  }
}
