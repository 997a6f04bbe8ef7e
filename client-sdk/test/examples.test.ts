// The examples, as they are: the bot beside somebody who types, the React page before and after its project is open.

import { createElement } from 'react'
import { renderToString } from 'react-dom/server'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client } from '../src/index.ts'
import {
  ClientProvider, useAsking, useConversations, useFollowing, useMembers, useOthers, useProposals, useSaveState, useSelf, useStore, useThread, useUnread,
} from '../src/react.ts'
import { guest, startServer, type Guest, type Server } from './server.ts'

let server: Server
let ann: Guest
let client: Client
let projectId: string

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
  projectId = (await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Examples' })).id
  for (const path of ['README.md', 'words.txt']) await ann.ask('POST', `/api/projects/${projectId}/documents`, { path, content: '' })
  client = await ann.program(projectId)
}, 60_000)
afterAll(async () => {
  client?.close()
  await server?.remove()
})

it('the bot counts the words that somebody types', async () => {
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${projectId}/tokens`, {})
  Object.assign(process.env, { COTERIE_URL: server.url, COTERIE_PROJECT: projectId, COTERIE_TOKEN: token })
  // @ts-expect-error -- a script, not a module with types
  await import('../examples/bot.mjs')
  const project = await client.open(projectId)
  const [readme, words] = await Promise.all(['README.md', 'words.txt'].map((path) => project.files.open(path)))
  await Promise.all([readme?.whenSynced(), words?.whenSynced()])
  readme?.text.insert(0, 'three more words\n')
  await expect.poll(() => words?.text.toString(), { timeout: 20_000 }).toBe('3 words\n')
  readme?.text.insert(0, 'and a fourth… ')
  await expect.poll(() => words?.text.toString(), { timeout: 20_000 }).toBe('6 words\n')
  project.leave()
}, 60_000)

it('the React page waits for its project; hooks read stores', async () => {
  const { Page } = await import('../examples/react/main.tsx')
  const page = createElement(ClientProvider, { client }, createElement(Page, { id: projectId }))
  expect(renderToString(page)).toContain('Opening…')
  const project = await client.open(projectId)
  const Names = () => createElement('p', null, useStore(project.files.list).map((file) => file.path).join(' '), ' ',
    useMembers(project).map((member) => member.name).join(), ' ', useSaveState(project).kind)
  expect(renderToString(createElement(Names)).replaceAll('<!-- -->', '')).toBe('<p>README.md words.txt Ann saved</p>')
  project.leave()
}, 60_000)

it('hooks of presence, of the chat and of proposals show what the stores hold', async () => {
  const project = await client.open(projectId)
  const { id } = await project.proposals.propose({ summary: 'More words', files: [{ op: 'create', path: 'more.txt', content: 'x' }] })
  const Shown = () => {
    const { phase, messages, typing, thread } = useThread(project)
    return createElement('p', null, [
      useSelf(project).name, useOthers(project).length, String(useFollowing(project)), String(useAsking(project)), useConversations(project).length,
      useUnread(project), phase, messages.map(({ body }) => body).join(), typing.length, thread.id === projectId, useProposals(project).map(({ summary }) => summary).join(),
    ].join(' '))
  }
  const stops = [project.proposals.open, project.chat.conversations, project.chat.thread().messages].map((store: { subscribe(follower: () => void): () => void }) => store.subscribe(() => undefined))
  await project.chat.thread().send('Hello')
  await expect.poll(() => renderToString(createElement(Shown)), { timeout: 20_000 }).toBe('<p>Ann 0 null null 1 0 ready Hello 0 true More words</p>')
  stops.forEach((stop) => stop())
  await project.proposals.reject(id)
  project.leave()
}, 60_000)
