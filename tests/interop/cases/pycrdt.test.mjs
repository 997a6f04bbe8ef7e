// Clients that are not of JavaScript: pycrdt's own provider and awareness, over both dialects, beside the npm clients.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HP4, opened, PY_HP, PY_YWS, until, YWS3 } from '../peer.mjs'
import { read, readUpdate } from '../roots.mjs'
import { ENGINES, startServer } from '../server.mjs'

const PYTHON = [PY_YWS, PY_HP]

/** What a client of either language has, as Yjs reads it. */
async function said(client, kind) {
  return PYTHON.includes(kind) ? readUpdate(Buffer.from(await client.state(), 'base64')) : client.read()
}

async function agree(clients, stored) {
  return until('all clients and the server say the same', async (saw) => {
    const all = await Promise.all(clients.map(([client, kind]) => said(client, kind)))
    all.push(await stored())
    saw(all.map((one) => one.slice(0, 400)))
    return all.every((one) => one === all[0]) && all[0]
  })
}

describe('pycrdt', { concurrency: 2 }, () => {
  for (const kind of PYTHON) {
    for (const other of [YWS3, HP4]) {
      test(`${kind} and ${other} write in one document`, async (t) => {
        const server = await startServer(t)
        const [person, guest] = await Promise.all([server.guest('Ann'), server.guest('Ben')])
        const project = await person.project()
        await person.invite(guest, project.id)
        const name = 'notes/a b.md'
        await person.document(project.id, name, 'seed 🌍\n')
        const ann = await opened(t, kind, { person, project, name })
        const ben = await opened(t, other, { person: guest, project, name })
        await ann.sees('seed 🌍\n')
        await ben.sees('seed 🌍\n')
        await ann.insert(0, 'Python ')
        await ben.sees('Python seed 🌍\n')
        await ben.insert(7, 'and JavaScript ')
        await ann.sees('Python and JavaScript seed 🌍\n')
        await ann.remove(0, 7)
        await ben.sees('and JavaScript seed 🌍\n')
        await ben.remove(0, 4)
        await ann.sees('JavaScript seed 🌍\n')
        await ben.sees('JavaScript seed 🌍\n')
        await agree([[ann, kind], [ben, other]], person.stored(project.id, name))
      })
    }

    test(`${kind} shows who is here, as the server knows them`, async (t) => {
      const server = await startServer(t)
      const [person, guest] = await Promise.all([server.guest('Ann'), server.guest('Ben')])
      const project = await person.project()
      await person.invite(guest, project.id)
      const name = 'a.md'
      const ann = await opened(t, kind, { person, project, name })
      const ben = await opened(t, HP4, { person: guest, project, name })
      await ben.synced()
      await ann.setPresence({ state: { user: { name: 'Forged', color: 'red' }, cursor: { at: 3 } } })
      // The first state of a client has the clock 0, at which clients of JavaScript know everybody already.
      await ann.setPresence({ state: { user: { name: 'Forged', color: 'red' }, cursor: { at: 4 } } })
      await until('Ben sees Ann', async (saw) => {
        const seen = Object.values(await ben.presence())
        saw(seen)
        return seen.some((one) => one.user?.name === 'Ann' && one.cursor?.at === 4)
      })
      await ben.setPresence({ state: { user: {}, cursor: { at: 7 } } })
      await until('Ann sees Ben', async (saw) => {
        const seen = Object.values(await ann.presence())
        saw(seen)
        return seen.some((one) => one.user?.name === 'Ben' && one.cursor?.at === 7)
      })
      await ann.disconnect()
      await until('Ann has gone', async (saw) => {
        const seen = Object.values(await ben.presence())
        saw(seen)
        return !seen.some((one) => one.user?.name === 'Ann')
      })
    })

    test(`${kind} keeps what it wrote while it was away, and while the server was`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const name = 'a.md'
      const ann = await opened(t, kind, { person, project, name })
      const ben = await opened(t, YWS3, { person, project, name })
      await ann.insert(0, 'one')
      await ben.sees('one')
      await ann.disconnect()
      await ann.insert(3, ' two')
      await ben.insert(0, 'zero ')
      await server.kill()
      await ben.insert(0, '- ')
      await server.start()
      await ann.connect()
      for (const client of [ann, ben]) await client.sees('- zero one two')
      if (kind === PY_HP) await until('its edits are saved', async (saw) => saw(await ann.status()) ?? (await ann.status()).statuses >= 1)
    })
  }

  for (const engine of ENGINES) {
    for (const seed of [11, Math.floor(Math.random() * 2 ** 31)]) {
      test(`two of pycrdt and two of JavaScript: random edits of every kind, seed ${seed}, ${engine}`, async (t) => {
        const server = await startServer(t, { engine })
        const person = await server.guest('Ann')
        const project = await person.project()
        const name = 'random.md'
        const kinds = [PY_YWS, PY_HP, YWS3, HP4]
        const clients = []
        for (const kind of kinds) clients.push([await opened(t, kind, { person, project, name }), kind])
        await Promise.all(clients.map(([client]) => client.synced()))
        for (let round = 0; round < 12; round += 1) {
          await Promise.all(clients.map(([client], index) => client.random({ seed: seed + 10 * round + index, count: 6 })))
        }
        const all = JSON.parse(await agree(clients, person.stored(project.id, name)))
        assert.equal(all.clocks.length, 4, 'everybody wrote')
        assert.ok(all.said.content.length > 0 && all.said.list.length > 0 && all.said.xml.length > 0)
      })
    }
  }

  test('a reader of pycrdt reads, and cannot write', async (t) => {
    const server = await startServer(t)
    const person = await server.guest('Ann')
    const project = await person.project()
    const name = 'a.md'
    await person.document(project.id, name, 'text')
    const { token } = await person.token(project.id, { role: 'viewer' })
    for (const kind of PYTHON) {
      const reader = await opened(t, kind, { person, project, name, token })
      await reader.sees('text')
      await reader.insert(0, 'forged ')
      const ann = await opened(t, YWS3, { person, project, name })
      await ann.sees('text')
      await ann.insert(4, '!')
      await reader.sees('forged text!')
      await ann.remove(4, 1)
      await until('it says what it said', async () => JSON.stringify(await person.stored(project.id, name)()).includes('text'))
      assert.equal(await ann.text(), 'text')
    }
  })
})
