// How the chat is read: who speaks, which messages belong together, what was read for an answer, what it cost.

import type { Attachment, Message, Persona, ReadPart } from 'coterie'

/** Messages of one author this close to each other share a head. */
const TOGETHER_MS = 5 * 60_000

export const speakerOf = (message: Message): string => message.persona ?? message.author.name
export const isAnswer = ({ author }: Message): boolean => author.kind === 'assistant'
export const isRunning = ({ state }: Message): boolean => state === 'queued' || state === 'streaming'

const dayKey = (time: string) => new Date(time).toDateString()
export const beginsDay = (message: Message, before: Message | undefined): boolean => !before || dayKey(before.created_at) !== dayKey(message.created_at)

export function goesOn(message: Message, before: Message | undefined): boolean {
  return before !== undefined && before.author.id === message.author.id && before.persona === message.persona && !message.reply_to && !beginsDay(message, before)
    && before.deleted_at === undefined && Date.parse(message.created_at) - Date.parse(before.created_at) < TOGETHER_MS
}

const day = new Intl.DateTimeFormat(undefined, { weekday: 'long', day: 'numeric', month: 'long' })
export function dayWords(time: string, now = new Date()): string {
  const then = new Date(time)
  if (then.toDateString() === now.toDateString()) return 'Today'
  const yesterday = new Date(now)
  yesterday.setDate(now.getDate() - 1)
  return then.toDateString() === yesterday.toDateString() ? 'Yesterday' : day.format(then)
}
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' })
export const clockOf = (time: string): string => clock.format(new Date(time))

/** The words that an `@` in it stands before. */
export function mentionedIn(message: Message): string[] {
  return message.mentions.map((one) => (one.kind === 'assistant' ? 'assistant' : one.kind === 'file' ? one.path : one.name))
}

/** `Small-model · 730 tokens · $0.0017`: what is known of it. */
export function accountOf({ context, usage, cost }: Message): string {
  const words: string[] = []
  if (context?.model) words.push(context.model)
  if (usage) words.push(`${usage.estimated ? 'about ' : ''}${usage.total_tokens.toLocaleString()} tokens`)
  if (cost !== undefined) words.push(cost === null ? 'cost unknown' : money(cost))
  return words.join(' · ')
}

export function money(dollars: number): string {
  if (dollars === 0) return '$0'
  return dollars < 0.01 ? `$${dollars.toFixed(4)}` : `$${dollars.toFixed(2)}`
}

const KINDS: Record<string, string> = {
  tree: 'the list of files', selection: 'a selection', diagnostics: 'what tools say', memory: 'the memory file', summary: 'a summary of what was said before',
  messages: 'what was said', search: 'a search', history: 'what happened lately',
}
/** `src/main.rs, lines 1–40: 320 tokens`. */
export function readWords({ kind, path, range, tokens, cut }: ReadPart): string {
  const what = path ?? KINDS[kind] ?? kind
  const part = range ? (kind === 'messages' ? '' : `, lines ${range[0]}–${range[1]}`) : ''
  return `${what}${part}: ${tokens.toLocaleString()} tokens${cut ? ', not all of it' : ''}`
}

/** What the status word of the assistant's presence says, as a sentence goes on. */
export function workWords(message: Message, status: string | null): string {
  if (status !== null && status !== 'done') return status
  return message.state === 'queued' ? 'waits for its turn' : 'writing'
}

/** What the server says, as a sentence. */
export const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.')

export const wordCount = (text: string): number => text.split(/\s+/).filter(Boolean).length

export interface Completion {
  /** What is put behind the `@`. */
  word: string
  name: string
  about: string
}

/** Whom and what one can mention, as far as is known here: those that begin with what is typed come first. */
export function completions(typed: string, people: readonly string[], personas: readonly Persona[], paths: readonly string[], most = 7): Completion[] {
  const all: Completion[] = [
    { word: 'assistant', name: 'assistant', about: 'answers for all to see' },
    ...people.map((name) => ({ word: name, name, about: '' })),
    ...personas.map(({ id, name, about }) => ({ word: id, name, about })),
    ...paths.map((path) => ({ word: path, name: path, about: 'file' })),
  ]
  const wanted = typed.toLowerCase()
  const rank = ({ word, name }: Completion) => {
    const found = [word, name].map((text) => text.toLowerCase())
    if (found.some((text) => text.startsWith(wanted))) return 0
    if (found.some((text) => text.split(/[\s/_.-]+/).some((part) => part.startsWith(wanted)))) return 1
    return wanted.length > 1 && found.some((text) => text.includes(wanted)) ? 2 : 3
  }
  return all.map((one) => ({ one, at: rank(one) })).filter(({ at }) => at < 3).sort((a, b) => a.at - b.at).slice(0, most).map(({ one }) => one)
}

/** The `@word` that the caret stands in or behind; null where it stands in none. */
export function mentionAt(text: string, caret: number): { from: number; typed: string } | null {
  const found = /(?:^|[^\p{L}\p{N}@])@([^\s@]{0,60})$/u.exec(text.slice(0, caret))
  return found ? { from: caret - (found[1]?.length ?? 0) - 1, typed: found[1] ?? '' } : null
}

export function attachmentWords(attachment: Attachment, paths: ReadonlyMap<string, string>): { words: string; file: string | null; blob?: string } {
  if (attachment.kind === 'version') return { words: 'a version', file: null }
  if (attachment.kind === 'blob') return { words: attachment.name ?? 'a file', file: null, blob: attachment.hash }
  const path = paths.get(attachment.document_id)
  const words = path ?? 'a file that is gone'
  const file = path === undefined ? null : attachment.document_id
  if (attachment.kind === 'file') return { words, file }
  if (attachment.kind === 'diagnostics') return { words: `diagnostics of ${words}`, file }
  const lines = attachment.text == null ? 0 : attachment.text.split('\n').length
  return { words: `${lines === 0 ? 'a part' : lines === 1 ? 'a line' : `${lines} lines`} of ${words}`, file }
}

/** Words that were looked for in a message, with a little of what is around them. */
export function around(body: string, words: string): [before: string, match: string, after: string] {
  const text = body.replace(/\s+/g, ' ')
  const at = text.toLowerCase().indexOf(words.toLowerCase())
  // Where lower case has another length, places do not agree.
  if (at < 0 || text.toLowerCase().length !== text.length) return [text.slice(0, 120), '', '']
  const begin = Math.max(0, at - 40)
  const end = at + words.length
  return [(begin > 0 ? '…' : '') + text.slice(begin, at), text.slice(at, end), text.slice(end, end + 80) + (text.length > end + 80 ? '…' : '')]
}

const keyOf = (userId: string, conversation: string) => `coterie/${userId}/draft/${conversation}`

export function readDraft(userId: string, conversation: string): string {
  try {
    return localStorage.getItem(keyOf(userId, conversation)) ?? ''
  } catch {
    return ''
  }
}

export function keepDraft(userId: string, conversation: string, text: string): void {
  try {
    if (text === '') localStorage.removeItem(keyOf(userId, conversation))
    else localStorage.setItem(keyOf(userId, conversation), text)
  } catch {
    // Kept for this visit only.
  }
}
