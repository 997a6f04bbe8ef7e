// Who is inside the projects of a list: asked of those in sight, one after another.

import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { followInside } from '../app/inside.ts'
import { guest, startServer, type Server } from './server.ts'

let server: Server
beforeAll(async () => {
  server = await startServer()
}, 60_000)
afterAll(() => server?.remove())

it('is told by the server without going in, and ends with the last to leave', async () => {
  const [ann, ben] = [await guest(server, 'Ann'), await guest(server, 'Ben')]
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Room' })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  await ben.ask('POST', `/api/invites/${token}/accept`)
  const looking = await ann.browser()
  expect(await looking.projects.inside(id)).toEqual([])
  const client = await ben.program(id)
  const project = await client.open(id)
  await vi.waitUntil(async () => (await looking.projects.inside(id)).some(({ name }) => name === 'Ben'), { timeout: 20_000, interval: 100 })
  expect((await looking.projects.list(null, { q: 'ROOM' })).items.map(({ name }) => name)).toEqual(['Room'])
  expect((await looking.projects.list(null, { q: 'kitchen' })).items).toEqual([])
  project.leave()
  client.close()
  looking.close()
}, 60_000)

it('is asked one at a time, only of what is in sight, and again', async () => {
  let [running, most] = [0, 0]
  const asked: string[] = []
  const told: string[] = []
  const inside = followInside(async (project) => {
    most = Math.max(most, (running += 1))
    asked.push(project)
    await new Promise((go) => setTimeout(go, 1))
    running -= 1
    if (project === 'broken') throw new Error('no answer')
    return [{ id: 'a', name: 'Ann', kind: 'guest' }]
  }, (project, people) => void told.push(`${project} ${people.length}`), 30)
  const leave = inside.watch('one')
  inside.watch('broken')
  await vi.waitUntil(() => told.length >= 2)
  leave()
  const [ones, broken] = ['one', 'broken'].map((wanted) => asked.filter((project) => project === wanted).length) as [number, number]
  await vi.waitUntil(() => asked.filter((project) => project === 'broken').length >= broken + 3)
  inside.stop()
  expect(told.slice(0, 2)).toEqual(['one 1', 'broken 0'])
  expect(asked.filter((project) => project === 'one')).toHaveLength(ones)
  expect(most).toBe(1)
})
