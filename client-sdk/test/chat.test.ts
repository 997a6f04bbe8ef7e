// The chat and the assistant as programs see them, on the real server and with a model that a test speaks for.

import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import type { Client, Message, Project, Thread } from '../src/index.ts'
import { startModel, type Model } from './model.mjs'
import { guest, openLine, startServer, until, type Guest, type Line, type Server } from './server.ts'

// Much of it waits for others, on a machine that may be busy.
vi.setConfig({ testTimeout: 30_000 })

let model: Model
let server: Server
let ann: Guest
let bob: Guest
const open: { client: Client; project: Project }[] = []

beforeAll(async () => {
  model = await startModel()
  server = await startServer({ AI_BASE_URL: model.url, AI_MODEL: 'small', AI_PRICES: '2/10', AI_RUNS_PER_MINUTE: '1000' })
  ann = await guest(server, 'Ann')
  bob = await guest(server, 'Bob')
})
afterAll(async () => {
  for (const { client, project } of open.splice(0)) {
    project.leave()
    await client.close()
  }
  await server.remove()
  await model.stop()
})

async function enter(who: Guest, id: string, line?: Line): Promise<Project> {
  const client = await who.program(id, line)
  const project = await client.open(id)
  open.push({ client, project })
  return project
}

/** A project of Ann's that both have open, and Bob's line to it. */
async function shared(role = 'editor'): Promise<{ mine: Project; theirs: Project; line: Line }> {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Together' })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role })
  await bob.ask('POST', `/api/invites/${token}/accept`, {})
  const line = openLine()
  const [mine, theirs] = [await enter(ann, id), await enter(bob, id, line)]
  await until(mine.presence.people, (people) => people.length === 2)
  // The assistant answers whoever is alone: so does the server, too, know of both.
  await vi.waitUntil(async () => {
    const { items } = await ann.ask<{ items: { ended_at: string | null; participants: unknown[] }[] }>('GET', `/api/projects/${id}/sessions`)
    return items.some(({ ended_at, participants }) => ended_at === null && participants.length === 2)
  }, { timeout: 20_000, interval: 50 })
  return { mine, theirs, line }
}

const bodies = (all: readonly Message[]) => all.map(({ body }) => body)
const answerIn = (thread: Thread, wanted: (answer: Message) => boolean) =>
  until(thread.messages, (all) => all.some((one) => one.author.kind === 'assistant' && wanted(one))).then((all) => all.findLast((one) => one.author.kind === 'assistant')!)

it('shows what people write, change and delete, and what was said while one was away', async () => {
  const { mine, theirs, line } = await shared()
  const [here, there] = [mine.chat.thread(), theirs.chat.thread()]
  await until(there.state, ({ phase }) => phase === 'loading' || phase === 'ready')
  const seen = until(there.messages, (all) => bodies(all).join() === 'Good morning,Is Bob there?')
  const first = await here.send('Good morning', { key: 'once' })
  expect((await here.send('Good morning', { key: 'once' })).id, 'the same key is the same message').toBe(first.id)
  const second = await here.send('Is Bob there?')
  await seen

  const changed = until(there.messages, (all) => bodies(all).join() === 'Good morning!,')
  await here.edit(first.id, 'Good morning!')
  await here.remove(second.id)
  expect((await changed).map(({ edited_at, deleted_at }) => [edited_at !== undefined, deleted_at !== undefined])).toEqual([[true, false], [false, true]])
  await expect(there.edit(first.id, 'Mine')).rejects.toMatchObject({ status: 403 })

  line.cut()
  await here.edit(first.id, 'Good evening!')
  await here.send('Bob?')
  const back = until(there.messages, (all) => bodies(all).join() === 'Good evening!,,Bob?')
  line.mend()
  await back
})

it('reads a long conversation backwards in pages', async () => {
  const { mine, theirs } = await shared()
  const here = mine.chat.thread()
  for (let n = 1; n <= 120; n += 1) await here.send(`message ${n}`)
  const there = theirs.chat.thread()
  const seen: number[] = []
  const stop = there.messages.subscribe((all) => seen.push(all.length))
  await until(there.state, ({ phase }) => phase === 'ready')
  expect(bodies(there.messages.get())[0]).toBe('message 71')
  expect(await there.older()).toBe(true)
  expect(await there.older()).toBe(false)
  expect(await there.older()).toBe(false)
  expect(bodies(there.messages.get())).toEqual(Array.from({ length: 120 }, (_, n) => `message ${n + 1}`))
  expect(seen.filter((length, i) => length > 1 && length !== seen[i - 1])).toEqual([50, 100, 120])
  stop()
  const found = await theirs.chat.search('message 12')
  expect(bodies(found.items)).toEqual(['message 120', 'message 12'])
})

it('counts what one has not read, and says who writes', async () => {
  const { mine, theirs } = await shared()
  const [here, there] = [mine.chat.thread(), theirs.chat.thread()]
  const begun = until(theirs.chat.conversations, (all) => all.length === 1)
  await begun
  const unread = until(theirs.chat.unread, (count) => count === 2)
  const typing = until(there.typing, (all) => all.map(({ name }) => name).join() === 'Ann')
  here.writing()
  await typing
  const silent = until(there.typing, (all) => all.length === 0)
  await here.send('One')
  await silent
  await here.send('Two')
  await unread
  expect(mine.chat.unread.get()).toBe(0)
  const read = until(theirs.chat.unread, (count) => count === 0)
  await theirs.chat.markRead(theirs.id, 2)
  await read
  await theirs.chat.refresh()
  expect(theirs.chat.conversations.get()[0]).toMatchObject({ title: null, head: 2, read: 2, unread: 0 })

  const other = until(theirs.chat.conversations, (all) => all.some(({ title }) => title === 'Release'))
  const { id } = await mine.chat.begin('Release')
  await other
  const told = until(theirs.chat.thread(id).messages, (all) => bodies(all).join() === 'When?')
  await mine.chat.thread(id).send('When?')
  await told
  expect(bodies(there.messages.get())).not.toContain('When?')
})

it('streams one answer to everybody, and to who comes later', async () => {
  const { mine, theirs } = await shared()
  const [here, there] = [mine.chat.thread(), theirs.chat.thread()]
  const growing: string[] = []
  const stop = there.messages.subscribe((all) => {
    const body = all.find(({ author }) => author.kind === 'assistant')?.body
    if (body !== undefined && body !== growing.at(-1)) growing.push(body)
  })
  await until(there.state, ({ phase }) => phase === 'ready')
  here.messages.subscribe(() => undefined)
  const fed = model.feed()
  const works = until(theirs.presence.people, (people) => people.some(({ kind, places }) => kind === 'assistant' && places[0]?.work !== null))
  const question = await here.send('@assistant how are you? 🙂')
  await fed.say('Fine, 🙂 ')
  await answerIn(there, ({ state, body }) => state === 'streaming' && body === 'Fine, 🙂 ')
  expect((await works).find(({ kind }) => kind === 'assistant')?.places[0]?.work).toMatchObject({ message: there.messages.get().at(-1)?.id })

  const late = await enter(bob, mine.id)
  const joined = late.chat.thread()
  const caughtUp = answerIn(joined, ({ body }) => body.startsWith('Fine, 🙂 '))
  await fed.say('thank ')
  await caughtUp
  await answerIn(there, ({ body }) => body === 'Fine, 🙂 thank ')
  await fed.say('you, ')
  await fed.say('Ann.')
  const whole = 'Fine, 🙂 thank you, Ann.'
  for (const thread of [here, there, joined]) await answerIn(thread, ({ body, state }) => body === whole && state === 'streaming')
  await fed.end()
  for (const thread of [here, there, joined]) {
    expect(await answerIn(thread, ({ state }) => state === 'done')).toMatchObject({
      body: whole, reply_to: question.id, via: { name: 'Ann' }, usage: { total_tokens: 730 }, cost: 0.0017, context: { model: 'small' },
    })
  }
  for (const text of growing) expect(whole.startsWith(text), text).toBe(true)
  expect(growing).toEqual(expect.arrayContaining(['Fine, 🙂 ', 'Fine, 🙂 thank ', whole]))
  stop()
})

it('reads an answer anew when a piece of it was not told', async () => {
  const { mine, theirs, line } = await shared()
  const there = theirs.chat.thread()
  there.messages.subscribe(() => undefined)
  const fed = model.feed()
  await mine.chat.thread().send('@assistant tell a story')
  await fed.say('Once ')
  await answerIn(there, ({ body }) => body === 'Once ')
  line.cut()
  await fed.say('upon ')
  await answerIn(mine.chat.thread(), ({ body }) => body === 'Once upon ').catch(() => undefined)
  line.mend()
  await answerIn(there, ({ body }) => body === 'Once upon ')
  await fed.say('a time')
  expect((await answerIn(there, ({ body }) => body.length > 12)).body).toBe('Once upon a time')
  await fed.end()
  await answerIn(there, ({ state }) => state === 'done')
})

it('stops an answer for everybody, keeps what it said, and has it given again', async () => {
  const { mine, theirs } = await shared()
  const [here, there] = [mine.chat.thread(), theirs.chat.thread()]
  for (const thread of [here, there]) thread.messages.subscribe(() => undefined)
  const fed = model.feed()
  await here.send('@assistant count')
  await fed.say('1, 2, ')
  const { id } = await answerIn(there, ({ body }) => body === '1, 2, ')
  await there.stop(id)
  await fed.left
  expect(await answerIn(here, ({ state }) => state === 'stopped')).toMatchObject({ body: '1, 2, ' })
  await expect(here.stop(id)).rejects.toMatchObject({ code: 'not_running' })

  model.answer('1, 2, 3.')
  await here.retry(id)
  expect(await answerIn(there, ({ state }) => state === 'done')).toMatchObject({ id, body: '1, 2, 3.' })
  await expect(here.retry(id)).rejects.toMatchObject({ code: 'not_failed' })
})

it('says why an answer failed and keeps what came before', async () => {
  const { mine, theirs } = await shared()
  const there = theirs.chat.thread()
  model.refuse(401, { message: 'Incorrect API key' })
  await mine.chat.thread().send('@assistant hello')
  const failed = await answerIn(there, ({ state }) => state === 'failed')
  expect(failed).toMatchObject({ body: '', error: { code: 'model_unauthorized' } })
  expect(failed.error?.message.length).toBeGreaterThan(20)

  const fed = model.feed()
  await there.retry(failed.id)
  await fed.say('Half of ')
  await answerIn(there, ({ body }) => body === 'Half of ')
  await fed.breakOff()
  expect(await answerIn(there, ({ state }) => state === 'failed')).toMatchObject({ body: 'Half of ', error: { code: 'model_broke_off' } })
})

it('tells the proposal of an answer', async () => {
  const { mine, theirs } = await shared()
  await mine.files.create('a.md', 'one\ntwo\n')
  model.call('propose_edits', { summary: 'In capitals', files: [{ op: 'edit', path: 'a.md', edits: [{ find: 'one', replace: 'ONE' }] }] })
  model.answer('I propose capitals.')
  await mine.chat.thread().send('@coder capitals, please')
  const answer = await answerIn(theirs.chat.thread(), ({ state }) => state === 'done')
  expect(answer).toMatchObject({ body: 'I propose capitals.', persona: 'Coder' })
  const accepted = await theirs.proposals.accept(answer.proposal ?? '')
  expect(accepted).toMatchObject({ state: 'accepted', author: { kind: 'assistant' }, via: { name: 'Ann' } })
})

it('knows who can be asked, and says how to connect a model where there is none', async () => {
  const { mine } = await shared()
  expect((await mine.chat.personas()).map(({ name }) => name)).toContain('Coder')
  expect(await mine.chat.models()).toMatchObject([{ name: 'small', default: true, prices: { prompt: 2, completion: 10 } }])

  const lonely = await startServer()
  try {
    const cat = await guest(lonely, 'Cat')
    const { id } = await cat.ask<{ id: string }>('POST', '/api/projects', { name: 'Alone' })
    const client = await cat.program(id)
    const project = await client.open(id)
    expect(await project.chat.models()).toEqual([])
    const thread = project.chat.thread()
    await thread.send('@assistant are you there?')
    const answer = await answerIn(thread, ({ state }) => state === 'failed' || state === 'done')
    expect(`${answer.body} ${answer.error?.message}`).toContain('AI_BASE_URL')
    project.leave()
    client.close()
  } finally {
    await lonely.remove()
  }
})

it('completes a text and looks through a file beside the chat, and tells which message a link leads to', async () => {
  const { mine, theirs } = await shared()
  await mine.files.create('sum.js', 'export const sum = (a, b) => a - b\n')
  await theirs.files.refresh()
  model.answer('and so on.')
  const { text, model: by, cut } = await mine.assistant.complete({ prompt: 'Once upon a time', max_tokens: 20 })
  expect([text, by, cut]).toEqual(['and so on.', 'small', false])
  expect(await theirs.assistant.analysis('sum.js')).toBeNull()
  const finding = { line: 1, severity: 'high', message: 'it subtracts' }
  model.answer(JSON.stringify({
    summary: 'Adds two numbers.', complexity: { level: 'low', reason: 'one line' }, quality: [finding], security: [], suggestions: [], dependencies: [],
  }))
  expect((await mine.assistant.analyse('sum.js')).quality).toEqual([finding])
  expect((await theirs.assistant.analysis('sum.js'))?.summary).toBe('Adds two numbers.')
  const { id } = await mine.chat.thread().send('Read this')
  expect(await theirs.chat.message(id)).toMatchObject({ id, body: 'Read this' })
})
