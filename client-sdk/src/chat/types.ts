// What the chat tells, by the names that programs use for it. The server's description says what each holds.

import type { Schema } from '../http.ts'

/** A message. Its body is Markdown of whoever wrote it: not to be trusted, and empty once it was deleted. */
export type Message = Schema<'Message'>

/** `queued` and `streaming` are answers on their way; what people write is done. */
export type MessageState = Schema<'MessageState'>

/** Who wrote a message. */
export type MessageAuthor = Schema<'Author'>

/** What is attached to a message. */
export type Attachment = Schema<'Attachment'>

/** Who or what a message mentions. */
export type Mention = Schema<'Mention'>

/** How an answer came about. */
export type AnswerContext = Schema<'AnswerContext'>

/** Something that was read for an answer. */
export type ReadPart = Schema<'AnswerRead'>

/** A conversation, and how far I have read in it. */
export type Conversation = Schema<'ConversationView'>

/** As whom the assistant can answer. */
export type Persona = Schema<'Persona'>

/** A model that answers. */
export type ModelInfo = Schema<'ModelView'>

/** What a message is to have besides its words. */
export type NewMessage = Omit<Schema<'NewMessage'>, 'body' | 'conversation'>

/** What the assistant reads in place of older messages. */
export type Summary = Schema<'SummaryView'>
