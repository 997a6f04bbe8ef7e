// How a proposal is read and walked through: its lines, its words, and where a key leads.

import type { Hunk, HunkState, Proposal, ProposalFile, ProposalInfo, ProposalState } from 'coterie'

/** A line of a hunk: gone, new, or there before and after. */
export interface DiffLine {
  kind: 'gone' | 'new' | 'same'
  /** In the text as it is now, or is to be; null for the other. */
  number: number | null
  /** What stands before, within and behind the part that differs from the line it replaces. */
  parts: [before: string, changed: string, after: string]
}

/** Beyond this many pairs of lines they are shown as all gone and all new. */
const MOST_PAIRS = 250_000

const split = (text: string) => (text === '' ? [] : text.replace(/\n$/, '').split('\n'))

export function linesOf(hunk: Hunk, { above, below }: { above: string[]; below: string[] } = { above: [], below: [] }): DiffLine[] {
  const [old, young] = [split(hunk.before), split(hunk.after)]
  const kept = common(old, young)
  const first = hunk.now ?? hunk.line
  const same = (text: string, number: number): DiffLine => ({ kind: 'same', number, parts: [text, '', ''] })
  const lines = above.map((text, i) => same(text, first - above.length + i))
  let [at, to] = [0, 0]
  for (const [i, j] of [...kept, [old.length, young.length] as const]) {
    const [gone, fresh] = [old.slice(at, i), young.slice(to, j)]
    // A line in the place of a line: what differs is marked.
    const paired = gone.length === fresh.length
    gone.forEach((text, k) => lines.push({ kind: 'gone', number: first + at + k, parts: paired ? differing(text, fresh[k] ?? '') : ['', text, ''] }))
    fresh.forEach((text, k) => lines.push({ kind: 'new', number: first + to + k, parts: paired ? differing(text, gone[k] ?? '') : ['', text, ''] }))
    if (i < old.length) lines.push(same(old[i] ?? '', first + to + fresh.length))
    ;[at, to] = [i + 1, j + 1]
  }
  lines.push(...below.map((text, i) => same(text, first + young.length + i)))
  return lines
}

/** Pairs of equal lines in order, as many as there can be. */
function common(a: string[], b: string[]): [number, number][] {
  if (a.length * b.length > MOST_PAIRS) return []
  const best = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1))
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      best[i]![j] = a[i] === b[j] ? best[i + 1]![j + 1]! + 1 : Math.max(best[i + 1]![j]!, best[i]![j + 1]!)
    }
  }
  const pairs: [number, number][] = []
  for (let i = 0, j = 0; i < a.length && j < b.length;) {
    if (a[i] === b[j]) pairs.push([i++, j++])
    else if (best[i + 1]![j]! >= best[i]![j + 1]!) i += 1
    else j += 1
  }
  return pairs
}

function differing(text: string, other: string): [string, string, string] {
  const [a, b] = [[...text], [...other]]
  let head = 0
  while (head < a.length && head < b.length && a[head] === b[head]) head += 1
  let tail = 0
  while (tail < a.length - head && tail < b.length - head && a[a.length - 1 - tail] === b[b.length - 1 - tail]) tail += 1
  return [a.slice(0, head).join(''), a.slice(head, a.length - tail).join(''), a.slice(a.length - tail).join('')]
}

export const hunksOf = (proposal: Proposal): Hunk[] => proposal.files.flatMap((file) => file.hunks)

/** The next or the last hunk from here, round the end; those that wait first. */
export function stepTo(proposal: Proposal, from: number | null, by: 1 | -1): number | null {
  const all = hunksOf(proposal)
  const wait = all.filter((hunk) => hunk.state === 'pending')
  const list = wait.length > 0 ? wait : all
  if (list.length === 0) return null
  const ids = list.map((hunk) => hunk.id)
  if (from === null) return (by === 1 ? ids[0] : ids.at(-1)) ?? null
  const next = by === 1 ? ids.find((id) => id > from) : ids.findLast((id) => id < from)
  return next ?? (by === 1 ? ids[0] : ids.at(-1)) ?? null
}

export const STATE_WORDS: Record<ProposalState, string> = {
  pending: 'Waits', accepted: 'Accepted', partly: 'Partly accepted', rejected: 'Rejected', stale: 'Outdated', undone: 'Taken back',
}
export const HUNK_WORDS: Record<HunkState, string> = {
  pending: 'Waits', accepted: 'Accepted', rejected: 'Rejected', stale: 'Outdated', undone: 'Taken back',
}
const STALE_WORDS = {
  changed: 'The text has changed since, so this was left alone.',
  deleted: 'The file was deleted.',
  moved: 'The file was moved by somebody else.',
  path_taken: 'Another file is at this path.',
}
export const staleWords = (hunk: Hunk): string => STALE_WORDS[hunk.stale ?? 'changed']

/** What is done to a file as a whole. */
export function fileWords({ op, path, to }: ProposalFile, { state }: Hunk): string {
  const done = state === 'accepted'
  return {
    edit: '', create: 'New file', rename: `${done ? 'Moved' : 'To be moved'} from ${path} to ${to ?? ''}`, delete: done ? 'Deleted' : 'To be deleted',
  }[op]
}

/** Lines around a hunk, so that one sees where it is. */
const AROUND = 2

/** The lines above and below where a hunk stands in a text; none where it does not. */
export function around(hunk: Hunk, text: string | undefined): { above: string[]; below: string[] } {
  if (text === undefined || hunk.now === null) return { above: [], below: [] }
  const lines = split(text)
  const [first, last] = [hunk.now - 1, hunk.now - 1 + split(hunk.before).length]
  return { above: lines.slice(Math.max(0, first - AROUND), first), below: lines.slice(last, last + AROUND) }
}

/** Whose words these are: `Coder (small-model), asked by Ann`. */
export function authorWords({ author, persona, model, via }: ProposalInfo): string {
  const name = persona === null ? author.name : `${persona}, ${author.name}`
  return [name, model && `(${model})`, via && `asked by ${via.name}`].filter(Boolean).join(' ')
}

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`
