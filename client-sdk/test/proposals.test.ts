// Proposals of two programs in one project, on the real server.

import { afterAll, beforeAll, expect, it } from 'vitest'
import type { Client, Project } from '../src/index.ts'
import { guest, openLine, startServer, until, type Guest, type Line, type Server } from './server.ts'

let server: Server
let ann: Guest
let bob: Guest
const open: { client: Client; project: Project }[] = []

beforeAll(async () => {
  server = await startServer()
  ann = await guest(server, 'Ann')
  bob = await guest(server, 'Bob')
})
afterAll(async () => {
  for (const { client, project } of open.splice(0)) {
    project.leave()
    await client.close()
  }
  await server.remove()
})

/** A project of Ann's that both have open, and Bob's line to it. */
async function shared(): Promise<{ mine: Project; theirs: Project; line: Line }> {
  const { id } = await ann.ask<{ id: string }>('POST', '/api/projects', { name: 'Together' })
  const { token } = await ann.ask<{ token: string }>('POST', `/api/projects/${id}/invites`, { role: 'editor' })
  await bob.ask('POST', `/api/invites/${token}/accept`, {})
  const line = openLine()
  const enter = async (who: Guest, by?: Line) => {
    const client = await who.program(id, by)
    const project = await client.open(id)
    open.push({ client, project })
    return project
  }
  return { mine: await enter(ann), theirs: await enter(bob, line), line }
}

it('shows what waits to everybody and what becomes of each hunk', async () => {
  const { mine, theirs } = await shared()
  const { id: document } = await mine.files.create('a.md', 'one\ntwo\nthree\nfour\nfive\n')
  const seen = until(theirs.proposals.open, (list) => list.length === 1)
  const made = await mine.proposals.propose({
    summary: 'In capitals', rationale: 'They are larger.', confidence: 80, risk: 'low',
    files: [{ op: 'edit', document, text: 'ONE\ntwo\nthree\nfour\nFIVE\n' }],
  })
  const [proposal] = await seen
  expect(proposal).toMatchObject({ id: made.id, summary: 'In capitals', state: 'pending', author: { name: 'Ann' }, confidence: 80 })
  expect(proposal?.files[0]?.hunks.map(({ before, after, now, fits }) => [before, after, now, fits])).toEqual([
    ['one\n', 'ONE\n', 1, true], ['five\n', 'FIVE\n', 5, true],
  ])

  const voted = until(mine.proposals.open, ([one]) => one?.votes.length === 1)
  await theirs.proposals.vote(made.id, 1)
  expect((await voted)[0]?.votes).toMatchObject([{ user: { name: 'Bob' }, value: 1 }])

  const reworded = until(theirs.proposals.open, ([one]) => one?.summary === 'In larger letters')
  await mine.proposals.revise(made.id, { summary: 'In larger letters', hunks: [{ id: 2, after: 'FIVE!\n' }] })
  expect((await reworded)[0]?.files[0]?.hunks[1]?.after).toBe('FIVE!\n')
  await expect(theirs.proposals.revise(made.id, { summary: 'Mine' })).rejects.toMatchObject({ status: 403 })

  const partly = until(mine.proposals.open, ([one]) => one?.state === 'partly')
  const accepted = await theirs.proposals.accept(made.id, [2])
  expect(accepted.written).toMatchObject([{ document_id: document, accepted_by: { name: 'Bob' } }])
  expect((await partly)[0]?.files[0]?.hunks.map(({ state }) => state)).toEqual(['pending', 'accepted'])
  expect(await mine.files.read(document)).toBe('one\ntwo\nthree\nfour\nFIVE!\n')
  await expect(mine.proposals.accept(made.id, [2])).rejects.toMatchObject({ code: 'decided', status: 409 })

  const gone = until(theirs.proposals.open, (list) => list.length === 0)
  await mine.proposals.reject(made.id, { hunks: [1], reason: 'Enough.' })
  await gone
  expect(await theirs.proposals.get(made.id)).toMatchObject({ state: 'partly', is_open: false, reason: 'Enough.' })
  expect((await theirs.proposals.list({ open: false })).items.map(({ id }) => id)).toEqual([made.id])

  const undone = await theirs.proposals.undo(made.id)
  expect(undone.state).toBe('undone')
  expect(await mine.files.read(document)).toBe('one\ntwo\nthree\nfour\nfive\n')
  expect(await mine.proposals.trust()).toEqual([])
})

it('hears of a text that was written since, and of what was missed while away', async () => {
  const { mine, theirs, line } = await shared()
  const { id: document } = await mine.files.create('a.md', 'one\ntwo\n')
  await mine.proposals.propose({ summary: 'First', files: [{ op: 'edit', document, edits: [{ find: 'one', replace: 'ONE' }] }] })
  await until(theirs.proposals.open, (list) => list.length === 1)
  const stale = until(theirs.proposals.open, ([one]) => one?.files[0]?.hunks[0]?.fits === false)
  await ann.ask('POST', `/api/projects/${mine.id}/changes`, { operations: [{ op: 'write', document, content: 'once\ntwo\n' }] })
  await stale

  line.cut()
  await mine.proposals.propose({ summary: 'Second', files: [{ op: 'create', path: 'b.md' }] })
  const both = until(theirs.proposals.open, (list) => list.length === 2)
  line.mend()
  expect((await both).map(({ summary }) => summary)).toEqual(['Second', 'First'])
})

it('tells others which hunk one looks at', async () => {
  const { mine, theirs } = await shared()
  const review = { proposal: 'p', hunk: 3 }
  const there = until(theirs.presence.people, (people) => people.some(({ name, places }) => name === 'Ann' && places[0]?.review?.hunk === 3))
  mine.presence.update({ review })
  expect((await there).find(({ name }) => name === 'Ann')?.places[0]?.review).toEqual(review)
  const away = until(theirs.presence.people, (people) => people.some(({ name, places }) => name === 'Ann' && places[0]?.review === null))
  mine.presence.update({ review: null })
  await away
})
