// Tokens that end while people are at work: on the real server.

import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { createClient, type Client, type ConnectionStatus, type FilePhase } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Server } from './server.ts'

let server: Server
let ann: Guest
const clients: Client[] = []

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
}, 60_000)
afterAll(async () => {
  clients.forEach((client) => client.close())
  await server?.remove()
})

async function project(): Promise<string> {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Long' })
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'plan.md', content: 'one\n' })
  return id
}

const issue = async (id: string, seconds: number) =>
  (await ann.ask<{ token: string }>('POST', `/api/projects/${id}/tokens`, { expires_in: seconds })).token

it('goes on with another token when one ends, as if nothing had been', async () => {
  const id = await project()
  let kept: string | null = null
  const refused: string[] = []
  const client = createClient({
    url: server.url,
    WebSocket: openLine().WebSocket,
    async token(old) {
      if (old !== undefined) refused.push(old)
      // As programs do: one is kept until it is of no use any more.
      if (old === kept) kept = null
      return (kept ??= await issue(id, 2))
    },
  })
  clients.push(client)
  await client.me()
  const opened = await client.open(id)
  const file = await opened.files.open('plan.md')
  await file.whenSynced()
  const [phases, connections]: [FilePhase['kind'][], ConnectionStatus[]] = [[], []]
  file.phase.subscribe(({ kind }) => phases.push(kind))
  client.connection.subscribe((status) => connections.push(status))
  const left = vi.fn()
  opened.presence.people.subscribe((people) => people.length === 0 && left())

  let typed = ''
  for (let round = 0; round < 40 && refused.length < 3; round += 1) {
    file.text.insert(0, `${round} `)
    typed = `${round} ${typed}`
    await new Promise((done) => setTimeout(done, 250))
  }
  expect(refused.length, 'tokens that ended').toBeGreaterThanOrEqual(3)
  expect(new Set(refused).size, 'each is told once').toBe(refused.length)
  await until(file.save, ({ kind }) => kind === 'saved')
  expect(phases).toEqual(['open'])
  expect(connections).toEqual(['open'])
  expect(left).not.toHaveBeenCalled()
  expect(await ann.text(`/api/projects/${id}/documents/${file.id}/text`)).toBe(`${typed}one\n`)
  // The room follows the feed again, too.
  const made = until(opened.files.list, (files) => files.some(({ path }) => path === 'new.md'))
  await ann.ask('POST', `/api/projects/${id}/documents`, { path: 'new.md', content: '' })
  await made
}, 60_000)

it('says that one is signed out where there is no other token, and goes on once there is', async () => {
  const id = await project()
  let token = await issue(id, 2)
  const client = createClient({ url: server.url, WebSocket: openLine().WebSocket, token: () => token })
  clients.push(client)
  await client.me()
  const file = await (await client.open(id)).files.open('plan.md')
  await file.whenSynced()
  const gone = await until(file.phase, ({ kind }) => kind === 'gone')
  expect(gone).toMatchObject({ why: 'signed-out' })
  expect(file.save.get()).toMatchObject({ kind: 'refused' })
  file.text.insert(0, 'typed meanwhile. ')

  token = await issue(id, 600)
  file.retry()
  await until(file.save, ({ kind }) => kind === 'saved')
  expect(await ann.text(`/api/projects/${id}/documents/${file.id}/text`)).toBe('typed meanwhile. one\n')
}, 60_000)
