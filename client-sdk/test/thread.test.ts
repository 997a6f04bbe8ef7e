// Answers piece by piece: pieces that come twice, early, or not at all. The server is a few answers that a test gives.

import type { Message } from 'coterie'
import { beforeEach, expect, it, vi } from 'vitest'
import { keepThread, type ThreadKeeper } from '../src/chat/thread.ts'
import { answeredBy } from './answers.ts'

let asked: { path: string; answer: (value: unknown) => void }[]
let posts: unknown[]
let offline: number
let thread: ThreadKeeper

const http = answeredBy(({ method, path, body }) => {
  if (method === 'GET') return new Promise((answer) => asked.push({ path, answer }))
  posts.push(body)
  if (posts.length <= offline) throw new TypeError('fetch failed')
  return message('new', 9, { body: (body as { body: string }).body })
})

const message = (id: string, seq: number, more: Partial<Message> = {}): Message => ({
  id, seq, conversation: 'p', author: { id: 'ann', name: 'Ann', kind: 'human' }, body: '', state: 'done', attachments: [], mentions: [], created_at: '', ...more,
})
const streaming = (body: string) => message('a', 2, { body, state: 'streaming', author: { id: 'it', name: 'Assistant', kind: 'assistant' } })
const delta = (offset: number, text: string) => thread.hear({ type: 'message.delta', id: 'a', offset, text })
const event = (type: string, told: Message) => thread.hear({ type: `message.${type}`, seq: 1, id: told.id, conversation: told.conversation, message: told })
const body = (id = 'a') => thread.messages.get().find((one) => one.id === id)?.body
const answer = async (value: unknown) => {
  const [next] = await vi.waitUntil(() => asked.length > 0 && asked.splice(0, 1))
  next?.answer(value)
  // An answer is read in several steps.
  for (let step = 0; step < 5; step += 1) await new Promise((done) => setTimeout(done))
}
const page = (...items: Message[]) => ({ items, next: null, previous: null })

beforeEach(() => {
  asked = []
  posts = []
  offline = 0
  thread = keepThread({ http, project: 'p', id: 'p', me: 'ann' })
  thread.messages.subscribe(() => undefined)
})

it('goes on from the text so far with the pieces that came while it was being read', async () => {
  delta(4, 'five')
  delta(8, 'six')
  await answer(page(message('q', 1), streaming('fourfi')))
  expect(body()).toBe('fourfivesix')
  delta(11, '!')
  expect(body()).toBe('fourfivesix!')
  expect(asked).toEqual([])
})

it('takes a piece once, and only what is new of one that it has in part', async () => {
  await answer(page(streaming('abc')))
  delta(0, 'abc')
  delta(1, 'bcd')
  delta(1, 'bcd')
  expect(body()).toBe('abcd')
})

it('reads a message anew when a piece of it is missing, and loses none that comes meanwhile', async () => {
  await answer(page(streaming('abc')))
  delta(6, 'ghi')
  delta(9, 'jkl')
  expect(body()).toBe('abc')
  await vi.waitUntil(() => asked.length > 0)
  expect(asked.map(({ path }) => path)).toEqual(['/api/projects/p/messages/a'])
  await answer(streaming('abcdefg'))
  expect(body()).toBe('abcdefghijkl')
})

it('believes what it heard last, not an older answer', async () => {
  await answer(page(message('q', 1, { body: 'old' })))
  const refreshed = thread.refresh()
  event('updated', message('q', 1, { body: 'new' }))
  event('created', message('r', 2, { body: 'also new' }))
  await answer(page(message('q', 1, { body: 'old' })))
  await refreshed
  expect(thread.messages.get().map((one) => one.body)).toEqual(['new', 'also new'])
})

it('begins again with an answer that is given again', async () => {
  await answer(page(streaming('half')))
  event('updated', { ...streaming('half'), state: 'stopped' })
  delta(4, ' of it')
  expect(body()).toBe('half')
  event('updated', { ...streaming(''), state: 'queued' })
  delta(0, 'a')
  event('updated', streaming(''))
  delta(1, 'b')
  expect(body()).toBe('ab')
  event('completed', { ...streaming('abc'), state: 'done' })
  expect(thread.messages.get()[0]).toMatchObject({ body: 'abc', state: 'done' })
})

it('asks for a text on its way when it is back, since no event says that a piece was missed', async () => {
  await answer(page(message('q', 1), streaming('abc')))
  thread.back()
  await answer(streaming('abcdef'))
  expect(body()).toBe('abcdef')
})

it('sends once more under the same name when no answer came', async () => {
  await answer(page())
  offline = 1
  await thread.send('hello')
  expect(posts).toEqual([posts[0], posts[0]])
  expect(posts[0]).toMatchObject({ body: 'hello', conversation: 'p', key: expect.stringMatching(/^[0-9a-f]{32}$/) })
  expect(body('new')).toBe('hello')
})
