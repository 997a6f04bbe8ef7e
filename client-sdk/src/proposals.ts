// Changes that somebody suggests, and what becomes of them. The server makes the hunks and decides what still fits; here
// is what waits, kept up by the feed.

import { listAll, pageAfter, type Http, type Schema } from './http.ts'
import type { FeedEvent } from './room.ts'
import { createStore, type Store } from './store.ts'
import type { Page } from './types.ts'

/** Somebody as they are called now. */
export type Actor = Schema<'Actor'>

/** Where a proposal stands. */
export type ProposalState = Schema<'ProposalState'>

/** Where a hunk of it stands. */
export type HunkState = Schema<'HunkState'>

/** One place that a proposal changes. */
export type Hunk = Schema<'HunkView'>

/** One file that a proposal changes. */
export type ProposalFile = Schema<'FileView'>

/** A proposal as lists tell it. Its rationale is Markdown of whoever wrote it: not to be trusted. */
export type ProposalInfo = Omit<Schema<'ProposalView'>, 'files' | 'votes' | 'written'>

/** A proposal with all that it would change. */
export interface Proposal extends ProposalInfo {
  files: ProposalFile[]
  votes: Schema<'VoteView'>[]
  /** Rows of documents' logs that say what the proposal said, and who accepted that. */
  written: Schema<'WrittenView'>[]
}

/** One file that a proposal is to change. */
export type NewProposalFile = Schema<'NewFile'>

/** What somebody suggests. */
export type NewProposal = Schema<'NewProposal'>

/** Other words for what waits of a proposal. */
export type Revision = Schema<'Revision'>

/** What became of the proposals of one persona and model. */
export type Trust = Schema<'TrustView'>

/** Changes that somebody suggests in a project, and what becomes of them. */
export interface Proposals {
  /** Those of which something waits, the latest first. Asked for when it is first followed; empty until then. */
  readonly open: Store<readonly Proposal[]>
  /** Any of them, as it is now. */
  get(id: string): Promise<Proposal>
  list(which?: { open?: boolean; after?: string | null }): Promise<Page<ProposalInfo>>
  propose(proposal: NewProposal): Promise<Proposal>
  /** Puts what waits in other words; for who proposed it. */
  revise(id: string, words: Revision): Promise<Proposal>
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
/** What is told of one proposal, which lists leave out. */
function whole({ files, votes, written, ...info }: Schema<'ProposalView'>): Proposal {
  return { ...info, files: files ?? [], votes: votes ?? [], written: written ?? [] }
}

export function keepProposals(http: Http, projectId: string): ProposalsKeeper {
  const here = { p: projectId }
  const at = (proposal: string) => ({ params: { path: { ...here, proposal } } })
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

  async function ask(id: string, question: () => Promise<Schema<'ProposalView'>>): Promise<Proposal> {
    const number = (count += 1)
    asked.set(id, number)
    const proposal = whole(await question())
    if (asked.get(id) === number) {
      asked.delete(id)
      take(proposal)
    }
    return proposal
  }

  const get = (id: string) => ask(id, () => http.get('/api/projects/{p}/proposals/{proposal}', at(id)))
  /** What is done is later than all that was asked before it. */
  const act = (id: string, question: () => Promise<Schema<'ProposalView'>>) => ask(id, question).catch((error: unknown) => {
    // Somebody else was first, or the text has changed: show how it stands.
    void get(id).catch(() => undefined)
    throw error
  })

  async function load(): Promise<void> {
    const infos = await listAll((query) => http.get('/api/projects/{p}/proposals', { params: { path: here, query: { ...query, open: true } } }))
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
    list: ({ open: isOpen, after } = {}) => http.get('/api/projects/{p}/proposals', {
      params: { path: here, query: { ...(isOpen === undefined ? {} : { open: isOpen }), ...pageAfter(after) } },
    }),
    propose: async (proposal) => take(whole(await http.post('/api/projects/{p}/proposals', { params: { path: here }, body: proposal }))),
    revise: (id, words) => ask(id, () => http.patch('/api/projects/{p}/proposals/{proposal}', { ...at(id), body: words })),
    accept: (id, hunks) => act(id, () => http.post('/api/projects/{p}/proposals/{proposal}/accept', { ...at(id), body: hunks ? { hunks: [...hunks] } : {} })),
    reject: (id, { hunks, reason } = {}) => act(id, () => http.post('/api/projects/{p}/proposals/{proposal}/reject', {
      ...at(id), body: { ...(hunks ? { hunks: [...hunks] } : {}), ...(reason === undefined ? {} : { reason }) },
    })),
    undo: (id) => act(id, () => http.post('/api/projects/{p}/proposals/{proposal}/undo', at(id))),
    vote: (id, value) => act(id, () => http.post('/api/projects/{p}/proposals/{proposal}/vote', { ...at(id), body: { value } })),
    trust: async () => (await http.get('/api/projects/{p}/trust', { params: { path: here } })).items,
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
