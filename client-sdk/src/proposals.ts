// Changes that somebody suggests, and what becomes of them. The server makes the hunks and decides what still fits; here
// is what waits, kept up by the feed.

import { listAll } from './files.ts'
import type { Http } from './http.ts'
import type { FeedEvent } from './room.ts'
import { createStore, type Store } from './store.ts'
import type { Page } from './types.ts'

/** Somebody as they are called now. */
export interface Actor {
  id: string
  name: string
  kind: string
}

export type ProposalState = 'pending' | 'accepted' | 'partly' | 'rejected' | 'stale' | 'undone'
export type HunkState = 'pending' | 'accepted' | 'rejected' | 'stale' | 'undone'

export interface Hunk {
  /** Its number in the proposal. */
  id: number
  state: HunkState
  /** Why it cannot be written any more. */
  stale: 'changed' | 'deleted' | 'moved' | 'path_taken' | null
  /** Its first line in the text that it was made from. */
  line: number
  /** Its first line in the text as it was when this was asked for; null where it does not stand. */
  now: number | null
  /** Whether it would be written if it were accepted now; null where that is not known. */
  fits: boolean | null
  before: string
  after: string
  decided_by: Actor | null
  decided_at: string | null
}

export interface ProposalFile {
  op: 'edit' | 'create' | 'rename' | 'delete'
  document_id: string | null
  path: string
  to: string | null
  head: number | null
  hunks: Hunk[]
}

export interface ProposalInfo {
  id: string
  project_id: string
  state: ProposalState
  /** Whether some hunk waits for a decision. */
  is_open: boolean
  author: Actor
  /** Who asked the author for it. */
  via: Actor | null
  persona: string | null
  model: string | null
  message_id: string | null
  summary: string
  /** Markdown of whoever wrote it: not to be trusted. */
  rationale: string
  /** In percent. */
  confidence: number | null
  impact: { lines_added: number; lines_removed: number; risk: 'low' | 'medium' | 'high' | null }
  reason: string | null
  created_at: string
  decided_at: string | null
}

export interface Proposal extends ProposalInfo {
  files: ProposalFile[]
  votes: { user: Actor; value: number }[]
  /** Rows of documents' logs that say what the proposal said, and who accepted that. */
  written: { document_id: string; head: number; client_id: number; accepted_by: Actor; at: string; is_undone: boolean }[]
}

export type NewProposalFile =
  /** The whole text; with `base`, what it was made from, what others typed since is left alone. */
  | { op: 'edit'; document: string; text: string; base?: string; head?: number }
  | { op: 'edit'; document: string; edits: ({ find: string; replace: string } | { from: number; to: number; replace: string })[]; head?: number }
  | { op: 'create'; path: string; content?: string }
  | { op: 'rename'; document: string; path: string }
  | { op: 'delete'; document: string }

export interface NewProposal {
  summary: string
  rationale?: string
  confidence?: number
  risk?: 'low' | 'medium' | 'high'
  files: NewProposalFile[]
  /** For programs that come with an API key. */
  persona?: string
  model?: string
}

/** What became of the proposals of one persona and model. */
export interface Trust extends Record<ProposalState, number> {
  persona: string | null
  model: string | null
}

export interface Proposals {
  /** Those of which something waits, the latest first. Asked for when it is first followed; empty until then. */
  readonly open: Store<readonly Proposal[]>
  /** Any of them, as it is now. */
  get(id: string): Promise<Proposal>
  list(which?: { open?: boolean; after?: string | null }): Promise<Page<ProposalInfo>>
  propose(proposal: NewProposal): Promise<Proposal>
  /** Puts what waits in other words; for who proposed it. */
  revise(id: string, words: { summary?: string; rationale?: string; hunks?: readonly { id: number; after: string }[] }): Promise<Proposal>
  /** All that waits of it, or these hunks. What does not fit any more becomes stale and is left. */
  accept(id: string, hunks?: readonly number[]): Promise<Proposal>
  reject(id: string, how?: { hunks?: readonly number[]; reason?: string }): Promise<Proposal>
  /** Takes back what was accepted; what others did since stays. */
  undo(id: string): Promise<Proposal>
  /** 1 for it, -1 against it, 0 to take a vote back. */
  vote(id: string, value: 1 | -1 | 0): Promise<Proposal>
  trust(): Promise<Trust[]>
  /** Asks again for what waits, or for one of them: what people type moves hunks and is told by nobody. */
  refresh(id?: string): Promise<void>
}

export interface ProposalsKeeper extends Proposals {
  /** Takes in what the feed tells. */
  hear(event: FeedEvent): void
  /** Something may have been told while nobody listened. */
  missed(): void
  stop(): void
}

/** A hundred people who are told the same do not ask all at once; several events about one proposal are one question. */
const ASK_AFTER_MS = 40
const ASK_SPREAD_MS = 160
/** The most the server puts on a page. */
const PAGE_ITEMS = 200

export function keepProposals(http: Http, base: string): ProposalsKeeper {
  const root = `${base}/proposals`
  const at = (id: string) => `${root}/${encodeURIComponent(id)}`
  const known = new Map<string, Proposal>()
  const open = createStore<readonly Proposal[]>([], (a, b) => JSON.stringify(a) === JSON.stringify(b))
  /** Which question about a proposal was asked last: late answers must not bring back what has changed. */
  const asked = new Map<string, number>()
  let count = 0
  let followed = false
  let loading: Promise<void> | null = null
  const waiting = new Map<string, ReturnType<typeof setTimeout>>()
  let stopped = false

  function show() {
    open.set([...known.values()].sort((a, b) => (a.id < b.id ? 1 : -1)))
  }

  function take(proposal: Proposal): Proposal {
    if (proposal.is_open) known.set(proposal.id, proposal)
    else known.delete(proposal.id)
    show()
    return proposal
  }

  async function ask(id: string, question: () => Promise<Proposal>): Promise<Proposal> {
    const number = (count += 1)
    asked.set(id, number)
    const proposal = await question()
    if (asked.get(id) === number) {
      asked.delete(id)
      take(proposal)
    }
    return proposal
  }

  const get = (id: string) => ask(id, () => http.get<Proposal>(at(id)))
  /** What is done is later than all that was asked before it. */
  const act = (id: string, what: string, body: unknown) => ask(id, () => http.post<Proposal>(`${at(id)}/${what}`, body)).catch((error: unknown) => {
    // Somebody else was first, or the text has changed: show how it stands.
    void get(id).catch(() => undefined)
    throw error
  })

  async function load(): Promise<void> {
    const infos = await listAll<ProposalInfo>(http, `${root}?open=true&limit=${PAGE_ITEMS}`)
    const ids = new Set(infos.map(({ id }) => id))
    for (const id of known.keys()) if (!ids.has(id) && !asked.has(id)) known.delete(id)
    show()
    for (const { id } of infos) await get(id)
  }

  const reload = () => (loading ??= load().finally(() => (loading = null)))

  function soon(id: string) {
    clearTimeout(waiting.get(id))
    waiting.set(id, setTimeout(() => {
      waiting.delete(id)
      // A failure is left to the next time: what is here is old, not wrong.
      void get(id).catch(() => undefined)
    }, ASK_AFTER_MS + Math.random() * ASK_SPREAD_MS))
  }

  return {
    open: {
      get: open.get,
      subscribe(follower) {
        if (!followed) {
          followed = true
          void reload().catch(() => undefined)
        }
        return open.subscribe(follower)
      },
    },
    get,
    list(which = {}) {
      const query = new URLSearchParams()
      if (which.open !== undefined) query.set('open', String(which.open))
      if (which.after) query.set('after', which.after)
      return http.get(`${root}?${query}`)
    },
    propose: async (proposal) => take(await http.post<Proposal>(root, proposal)),
    revise: (id, words) => ask(id, () => http.patch<Proposal>(at(id), words)),
    accept: (id, hunks) => act(id, 'accept', hunks ? { hunks } : {}),
    reject: (id, how = {}) => act(id, 'reject', how),
    undo: (id) => act(id, 'undo', {}),
    vote: (id, value) => act(id, 'vote', { value }),
    trust: async () => (await http.get<{ items: Trust[] }>(`${base}/trust`)).items,
    refresh: async (id) => (id === undefined ? reload() : void (await get(id))),
    hear(event) {
      if (!followed || stopped) return
      const id = event['proposal_id']
      if (event.type.startsWith('proposal.') && typeof id === 'string') return soon(id)
      // Written, moved or deleted as a whole: hunks of it may stand elsewhere now, or nowhere.
      if (!event.type.startsWith('file.')) return
      for (const { id: one, files } of known.values()) {
        if (files.some(({ document_id }) => document_id === event['document_id'])) soon(one)
      }
    },
    missed() {
      if (followed && !stopped) void reload().catch(() => undefined)
    },
    stop() {
      stopped = true
      for (const timer of waiting.values()) clearTimeout(timer)
      waiting.clear()
    },
  }
}
