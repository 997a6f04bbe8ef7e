// Following and being followed, by clients on the real server.

import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Line, type Server } from './server.ts'

// Who left is gone after some seconds only.
vi.setConfig({ testTimeout: 40_000 })

let server: Server
let people: Guest[]
let id: string
const open: Client[] = []

beforeAll(async () => {
  server = await startServer()
  people = await Promise.all(['Ann', 'Ben', 'Cleo'].map((name) => guest(server, name)))
  const [ann, ...others] = people
  id = (await ann!.ask<{ id: string }>('POST', '/api/projects', { name: 'Walk' })).id
  const { token } = await ann!.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  for (const other of others) await other.ask('POST', `/api/invites/${token}/accept`)
}, 60_000)
afterAll(() => server?.remove())
afterEach(() => open.splice(0).forEach((client) => client.close()))

async function enter(who: Guest, line: Line = openLine()): Promise<Project> {
  const client = await who.program(id, line)
  open.push(client)
  return client.open(id)
}

/** Ann, Ben and Cleo in the project, each of whom sees the others. */
async function meet(lines: Line[] = []): Promise<[Project, Project, Project]> {
  const projects = [await enter(people[0]!, lines[0]), await enter(people[1]!, lines[1]), await enter(people[2]!, lines[2])] as [Project, Project, Project]
  await Promise.all(projects.map((project) => until(project.presence.people, (all) => all.length === 3)))
  return projects
}
const [ANN, BEN, CLEO] = [0, 1, 2].map((at) => () => people[at]!.id) as [() => string, () => string, () => string]
const colors = (project: Project) => Object.fromEntries(project.presence.people.get().map((one) => [one.name, one.color]))

it('follows somebody from file to file until it is stopped, and they see it', async () => {
  const [ann, ben] = await meet()
  const stop = ben.presence.follow(ANN())
  expect(ben.presence.following.get()?.name).toBe('Ann')
  await until(ann.presence.people, (all) => all.find(({ id: who }) => who === BEN())?.follows === ANN())
  ann.presence.update({ file: 'f1' })
  await until(ben.presence.following, (one) => one?.places[0]?.file === 'f1')
  ann.presence.update({ file: 'f2' })
  await until(ben.presence.following, (one) => one?.places[0]?.file === 'f2')
  stop()
  expect(ben.presence.following.get()).toBeNull()
  await until(ann.presence.people, (all) => all.find(({ id: who }) => who === BEN())?.follows === null)
})

it('ends when who is followed leaves', async () => {
  const [, ben] = await meet()
  ben.presence.follow(ANN())
  open[0]?.close()
  await until(ben.presence.following, (one) => one === null)
})

it('goes in no circle: who is followed by whom they follow stops', async () => {
  const [ann, ben, cleo] = await meet()
  ben.presence.follow(ANN())
  await until(ann.presence.people, (all) => all.some(({ follows }) => follows === ANN()))
  cleo.presence.follow(BEN())
  await until(ann.presence.people, (all) => all.some(({ follows }) => follows === BEN()))
  ann.presence.follow(CLEO())
  // Whoever first sees the circle close, one of those who closed it not, stops.
  await until(ben.presence.following, (one) => one === null)
  await until(cleo.presence.following, (one) => one === null || ben.presence.following.get() === null)
  expect(ann.presence.following.get()?.name).toBe('Cleo')
  // Nobody there by that id, and I myself.
  cleo.presence.follow('nobody')
  ben.presence.follow(BEN())
  expect(ben.presence.following.get()).toBeNull()
})

it('asks everybody to follow: one comes, one declines, and it ends for all', async () => {
  const [ann, ben, cleo] = await meet()
  ann.presence.spotlight()
  expect(ann.presence.spotlit.get()).toBe(true)
  for (const other of [ben, cleo]) expect((await until(other.presence.asking, (one) => one !== null))?.name).toBe('Ann')
  ben.presence.follow(ANN())
  expect(ben.presence.asking.get()).toBeNull()
  cleo.presence.decline()
  expect(cleo.presence.asking.get()).toBeNull()
  await until(ann.presence.people, (all) => all.filter(({ follows }) => follows === ANN()).length === 1)
  ann.presence.update({ file: 'f3' })
  await until(ben.presence.following, (one) => one?.places[0]?.file === 'f3')
  expect(cleo.presence.asking.get()).toBeNull()
  ann.presence.spotlight(false)
  await until(ben.presence.following, (one) => one === null)
  // Asked anew, those who declined are asked again.
  ann.presence.spotlight()
  await until(cleo.presence.asking, (one) => one?.name === 'Ann')
})

it('gives the spotlight to who asks last, and takes it from who follows', async () => {
  const [ann, ben, cleo] = await meet()
  ann.presence.spotlight()
  await until(ben.presence.asking, (one) => one !== null)
  ben.presence.spotlight()
  await until(ann.presence.spotlit, (on) => !on)
  await until(cleo.presence.asking, (one) => one?.name === 'Ben')
  ben.presence.follow(CLEO())
  expect(ben.presence.spotlit.get()).toBe(false)
  await until(cleo.presence.asking, (one) => one === null)
})

it('gives everybody another colour, the same for all, kept through a lost connection', async () => {
  const lines = [openLine(), openLine(), openLine()]
  const projects = await meet(lines)
  const agreed = async () => {
    await expect.poll(() => {
      const [first, ...others] = projects.map((project) => JSON.stringify(Object.entries(colors(project)).sort()))
      return others.every((one) => one === first) && new Set(Object.values(colors(projects[0]))).size === 3
    }, { timeout: 15_000 }).toBe(true)
    return colors(projects[0])
  }
  const before = await agreed()
  lines[1]!.cut()
  await until(projects[0].presence.people, (all) => all.length === 2)
  lines[1]!.mend()
  await until(projects[0].presence.people, (all) => all.length === 3)
  expect(await agreed()).toEqual(before)
  // A file that is open shows them too.
  await projects[0].files.create('walk.md', 'x')
  await projects[1].files.refresh()
  const file = await projects[0].files.open('walk.md')
  await file.whenSynced()
  const theirs = await projects[1].files.open('walk.md')
  const seen = await until(file.people, (all) => all.length === 2)
  expect(Object.fromEntries(seen.map(({ name, color }) => [name, color]))).toEqual({ Ann: before['Ann'], Ben: before['Ben'] })
  file.close()
  theirs.close()
}, 60_000)
