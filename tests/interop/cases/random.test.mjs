// Three clients, random edits of every kind, connections that break, a server that crashes: in the end all say the same.
// COTERIE_SEED runs one seed alone.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agree, HP2, HP3, HP4, opened, pause, until, YWS2, YWS3 } from '../peer.mjs'
import { numbers } from '../random.mjs'
import { textOf } from '../roots.mjs'
import { ENGINES, startServer } from '../server.mjs'

const TEAMS = [[YWS3, HP4, YWS2], [HP4, HP4, HP4], [YWS3, YWS3, YWS3], [YWS2, YWS2, YWS2], [HP3, YWS3, HP2]]
const SEEDS = process.env.COTERIE_SEED ? [Number(process.env.COTERIE_SEED)] : [0, 1].map(() => Math.floor(Math.random() * 2 ** 31))
const ROUNDS = 40

describe('random sessions', { concurrency: 2 }, () => {
  for (const engine of ENGINES) {
    for (const team of TEAMS) {
      for (const seed of SEEDS) {
        test(`${team.join(', ')}: random edits, seed ${seed}, ${engine}`, async (t) => {
          const server = await startServer(t, { engine })
          const people = await Promise.all(['Ann', 'Ben', 'Carol'].map((name) => server.guest(name)))
          const [person, ...guests] = people
          const project = await person.project()
          for (const guest of guests) await person.invite(guest, project.id)
          const name = 'random.md'
          await person.document(project.id, name, 'It begins.\n')
          const clients = []
          for (const [index, kind] of team.entries()) clients.push(await opened(t, kind, { person: people[index], project, name }))
          await Promise.all(clients.map((client) => client.synced()))
          const next = numbers(seed)
          for (let round = 0; round < ROUNDS; round += 1) {
            const client = clients[Math.floor(next() * 3)]
            const what = next()
            if (what < 0.04) await client.cut()
            else if (what < 0.06) {
              await client.disconnect()
              // Hocuspocus' providers forget a connect() that comes before their socket has closed.
              await until('it is disconnected', async () => !(await client.status()).connected)
            } else if (what < 0.1) await client.connect()
            await client.random({ seed: seed + round, count: 1 + Math.floor(next() * 12) })
            if (next() < 0.3) await pause(30)
            if (round === ROUNDS / 2 && seed % 2 === 0) {
              await server.kill()
              await server.start()
            }
          }
          for (const client of clients) await client.connect()
          await agree(clients, person.stored(project.id, name))
          const { id } = await person.find(project.id, name)
          assert.equal(await person.text(project.id, id), textOf(await person.update(project.id, id)), 'the text over HTTP')
          for (const client of clients) {
            await client.saved()
            assert.equal((await client.wire()).refused, 0)
            assert.equal((await client.status()).pending, false)
          }
        })
      }
    }
  }
})
