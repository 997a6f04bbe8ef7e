// What the chat speaks, field for field as the HTTP API tells it.

/** `queued` and `streaming` are answers on their way; what people write is done. */
export type MessageState = 'queued' | 'streaming' | 'done' | 'stopped' | 'failed'

export interface MessageAuthor {
  id: string
  name: string
  kind: 'human' | 'guest' | 'assistant'
}

export type Attachment =
  | { kind: 'file'; document_id: string }
  /** `start` and `end` are relative positions of Yjs, encoded. */
  | { kind: 'selection'; document_id: string; start: string; end: string; text?: string; head?: number }
  | { kind: 'diagnostics'; document_id: string; items: { line: number; severity: string; message: string }[] }
  | { kind: 'version'; id: string }
  | { kind: 'blob'; hash: string; name?: string }

export type Mention =
  | { kind: 'person'; id: string; name: string }
  | { kind: 'assistant' }
  | { kind: 'file'; id: string; path: string }
  | { kind: 'name'; name: string }

/** Something that was read for an answer. */
export interface ReadPart {
  kind: string
  path?: string | null
  range?: [number, number] | null
  tokens: number
  cut?: boolean
}

export interface AnswerContext {
  persona?: { id: string; name: string; reason: string; file?: string | null }
  model?: string
  /** How many tokens the model reads and writes at once. */
  window?: number
  read?: ReadPart[]
}

export interface Message {
  id: string
  /** Its number in its conversation: 1, 2, 3, … without a gap. */
  seq: number
  conversation: string
  author: MessageAuthor
  /** For whom the assistant answers. */
  via?: { id: string; name: string }
  /** As whom the assistant speaks. */
  persona?: string
  reply_to?: string
  to?: string
  /** Markdown of whoever wrote it: not to be trusted. Empty once it was deleted. */
  body: string
  state: MessageState
  attachments: Attachment[]
  mentions: Mention[]
  created_at: string
  edited_at?: string
  deleted_at?: string
  usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number; estimated?: boolean }
  /** In US dollars; null where no price is known. */
  cost?: number | null
  context?: AnswerContext
  /** The proposal that the answer made. */
  proposal?: string
  /** Why an answer broke off, in words; what came before that is in `body`. */
  error?: { code: string; message: string; retry_after?: number | null }
}

export interface Conversation {
  id: string
  /** Null for the one that every project has. */
  title: string | null
  /** The number of its last message. */
  head: number
  /** When the assistant speaks: `auto` is always to one who is alone, and among several when it is meant. */
  answers: 'auto' | 'everything' | 'mentioned'
  /** The last message that I have read. */
  read: number
  unread: number
  created_at: string
}

export interface Persona {
  id: string
  name: string
  about: string
  /** The file of the project that it comes from; null for a built-in one. */
  file: string | null
  words: string[]
}

export interface ModelInfo {
  name: string
  default: boolean
  context_tokens: number
  tools: boolean | string | null
  prices: { prompt: number; completion: number } | null
}

export interface NewMessage {
  reply_to?: string
  attachments?: readonly Attachment[]
  /** Whom it is meant for: `assistant`, or a persona. */
  to?: string
  /** The author's own name for it: sent again with the same one, it is the same message. Made up when omitted. */
  key?: string
}
