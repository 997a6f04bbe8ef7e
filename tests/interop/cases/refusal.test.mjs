// Who may not: told so once, with a reason, and not driven into reconnecting for ever.

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { describe, test } from 'node:test'
import { HP2, HP3, HP4, isYjs, opened, pause, until, YWS2, YWS3 } from '../peer.mjs'
import { startServer } from '../server.mjs'

const LONG_ENOUGH_FOR_A_STORM = 6_000

async function setUp(t, options) {
  const server = await startServer(t, options)
  const person = await server.guest('Ann')
  const project = await person.project()
  return { server, person, project }
}

/** That this server lets in whoever may, and relays. */
async function works(t, kind, { person, project }, name = 'works.md') {
  const [one, other] = await Promise.all([1, 2].map(() => opened(t, kind, { person, project, name })))
  await one.insert(0, 'it works')
  await other.sees('it works')
  return one
}

/** Every way of not being let in: what the client asks for, and the close code or reason that answers. */
const REFUSED = {
  'with a bad token': { asks: () => ({ token: 'wrong' }), code: 4401, reason: /sign in/ },
  'without a token': { asks: () => ({ token: '' }), code: 4401, reason: /sign in/ },
  'to an unknown project': { asks: () => ({ project: { id: randomUUID() } }), code: 4404, reason: /not found/ },
  'to what is no project': { asks: () => ({ project: { id: 'nothing' } }), code: 4404, reason: /not found/ },
  'to somebody else\'s project': {
    asks: async ({ server }) => {
      const other = await server.guest('Mallory')
      const { token } = await other.token((await other.project()).id)
      return { token }
    },
    code: 4404,
    reason: /not found/,
  },
  'to a deleted document': {
    asks: async ({ person, project }) => {
      const { id } = await person.document(project.id, 'gone.md', 'text')
      await person.json('DELETE', `/projects/${project.id}/documents/${id}`)
      return { name: 'gone.md' }
    },
    code: 4404,
    reason: /deleted/,
  },
  'to a new document, as a reader': {
    asks: async ({ person, project }) => ({ token: (await person.token(project.id, { role: 'viewer' })).token, name: 'never.md' }),
    code: 4404,
    reason: /not found/,
  },
  'to a path that cannot be': { asks: () => ({ name: 'a/../b' }), code: 4404, reason: /no document can have this path/, only: (kind) => !isYjs(kind) },
}

/** Half a minute of being refused, of which the attempts are counted. */
const HALF_A_MINUTE = 30_000

/** How often each client may try meanwhile: once where it is told to stay away, every two seconds where it does not listen. */
const TRIES = { [YWS2]: 16, [YWS3]: 1, [HP2]: 1, [HP3]: 1, [HP4]: 1 }

/** Where nobody says who they are: providers come back when the socket is closed, which is after ten seconds. */
const TRIES_OF_STRANGERS = { ...TRIES, [HP2]: 4, [HP3]: 4, [HP4]: 4 }

/** Ways of being refused that end by themselves only when somebody does something about them. */
const LASTING = {
  'wrong token': { asks: () => ({ token: 'wrong' }), tries: TRIES_OF_STRANGERS },
  'deleted document': {
    asks: async ({ person, project }) => {
      const { id } = await person.document(project.id, 'gone.md', 'text')
      await person.json('DELETE', `/projects/${project.id}/documents/${id}`)
      return { name: 'gone.md' }
    },
  },
  'full project': {
    asks: async ({ person, project }) => {
      const { items } = await person.json('GET', `/projects/${project.id}/documents`)
      const numbers = Array.from({ length: 2_000 - items.length }, (_, number) => number)
      for (let from = 0; from < numbers.length; from += 500) {
        const operations = numbers.slice(from, from + 500).map((number) => ({ op: 'create', path: `many/${number}` }))
        await person.json('POST', `/projects/${project.id}/changes`, { operations })
      }
      return { name: 'one-more.md' }
    },
  },
  'too many sockets': {
    env: { COTERIE_SOCKETS_PER_USER: '4' },
    asks: async ({ t, person, project }) => {
      // One is there already: the other of the two that showed that it works.
      const three = [YWS3, YWS3, HP4].map((kind) => opened(t, kind, { person, project, name: 'works.md' }))
      await Promise.all((await Promise.all(three)).map((client) => client.synced()))
      return { name: 'works.md' }
    },
  },
}

describe('half a minute of being refused', { concurrency: 4 }, () => {
  for (const [how, { asks, env = {}, tries = TRIES }] of Object.entries(LASTING)) {
    test(`no client tries over and over: ${how}`, async (t) => {
      const here = await setUp(t, { env })
      const { person, project } = here
      const first = await works(t, HP4, here)
      await first.destroy()
      const { token } = await person.token(project.id)
      const asked = await asks({ ...here, t })
      const tried = Object.fromEntries(await Promise.all(Object.keys(tries).map(async (kind) => {
        const client = await opened(t, kind, { person, project, token, name: 'x.md', ...asked })
        await pause(HALF_A_MINUTE)
        assert.equal((await client.status()).timesSynced, 0, kind)
        return [kind, (await client.wire()).tried]
      })))
      t.diagnostic(`attempts in ${HALF_A_MINUTE / 1000} s, ${how}: ${Object.entries(tried).map(([kind, times]) => `${kind} ${times}`).join(', ')}`)
      for (const [kind, times] of Object.entries(tried)) assert.ok(times <= tries[kind], `${kind}: ${times} attempts`)
    })
  }
})

describe('refusal', { concurrency: 4 }, () => {
  for (const [how, { asks, code, reason, only = () => true }] of Object.entries(REFUSED)) {
    test(`clients are refused ${how}, without a storm`, async (t) => {
      const here = await setUp(t)
      const { person, project } = here
      await works(t, HP4, here)
      const asked = await asks(here)
      const { token } = await person.token(project.id)
      await Promise.all([YWS2, YWS3, HP2, HP3, HP4].filter(only).map(async (kind) => {
        const client = await opened(t, kind, { person, project, name: 'x.md', token, ...asked })
        await pause(LONG_ENOUGH_FOR_A_STORM)
        const wire = await client.wire()
        const status = await client.status()
        assert.equal(status.timesSynced, 0, kind)
        if (kind === YWS3) {
          assert.equal(wire.tried, 1, kind)
          assert.equal(status.closed.code, code, kind)
        } else if (kind === YWS2) {
          // It comes back after every close; its pauses grow to 2.5 s since it is refused before it is synced.
          assert.ok(wire.tried >= 2 && wire.tried <= 8, `${kind}: ${wire.tried} attempts`)
          assert.ok(wire.codes.every((one) => one === code), `${kind}: ${wire.codes}`)
        } else if (kind === HP2 && !token) {
          assert.ok(wire.tried <= 2, `${kind}: ${wire.tried} attempts`)
        } else if (kind === HP2 && asked.token === '') {
          // It sends no frame that would ask for anything as somebody; the socket is closed in the end.
          assert.ok(wire.tried <= 2, `${kind}: ${wire.tried} attempts`)
        } else {
          assert.equal(wire.tried, 1, `${kind}: ${wire.codes}`)
          assert.equal(status.failures.length, 1, kind)
          assert.match(status.failures[0], reason, kind)
        }
      }))
      // Nothing came into being by asking.
      const { items } = await person.json('GET', `/projects/${project.id}/documents`)
      assert.deepEqual(items.map(({ path }) => path), ['works.md'])
    })
  }

  for (const kind of [YWS2, YWS3, HP3, HP4]) {
    test(`${kind} reads and may not write`, async (t) => {
      const here = await setUp(t)
      const { server, person, project } = here
      const guest = await server.guest('Reader')
      await person.invite(guest, project.id, 'viewer')
      const writer = await works(t, kind, here, 'read.md')
      for (const [by, reader] of [
        ['a reader by role', await opened(t, kind, { person: guest, project, name: 'read.md' })],
        ['an owner by a token for reading', await opened(t, kind, { person, project, name: 'read.md', token: (await person.token(project.id, { role: 'viewer' })).token })],
      ]) {
        await reader.sees('it works')
        await reader.synced()
        if (!isYjs(kind)) {
          await reader.saved()
          assert.equal((await reader.status()).scopes[0], 'readonly')
        }
        await reader.insert(0, 'forged ')
        await until(`${by} is told`, async (saw) => saw(await reader.wire()) ?? (await reader.wire()).refused > 0)
        await reader.remove(0, 3)
        await pause(300)
        assert.equal(await writer.text(), 'it works', by)
        if (!isYjs(kind)) {
          assert.ok((await reader.status()).unsynced > 0)
          const told = (await reader.status()).stateless.map((one) => JSON.parse(one))
          assert.equal(told[0].event, 'refused')
          assert.equal(told[0].code, 'read_only')
        } else {
          assert.match((await reader.wire()).reasons[0], /read/)
        }
        // Nor by coming back: the difference is what a client offers first.
        await reader.cut()
        await until(`${by} is back`, async (saw) => saw(await reader.wire()) ?? (await reader.wire()).opened >= 2)
        await reader.synced()
        await pause(500)
        assert.equal(await writer.text(), 'it works', by)
        if (!isYjs(kind)) assert.ok((await reader.status()).unsynced > 0, 'still not saved')
        const { id } = await person.find(project.id, 'read.md')
        const carol = await opened(t, kind, { person, project, name: id })
        await carol.sees('it works')
        await reader.destroy()
      }
      // Those who may write are not disturbed.
      await writer.insert(8, '!')
      await writer.saved()
      const last = await opened(t, kind, { person, project, name: 'read.md' })
      await last.sees('it works!')
    })

    test(`${kind} is sent out of a document that is deleted while it is open`, async (t) => {
      const here = await setUp(t)
      const { person, project } = here
      const ann = await works(t, kind, here, 'doomed.md')
      const { id } = await person.find(project.id, 'doomed.md')
      await person.json('DELETE', `/projects/${project.id}/documents/${id}`)
      await until('it is told', async (saw) => {
        const [{ closed }, wire] = await Promise.all([ann.status(), ann.wire()])
        saw({ closed, wire })
        return isYjs(kind) ? wire.codes.includes(4404) : closed
      })
      const before = (await ann.wire()).tried
      await pause(LONG_ENOUGH_FOR_A_STORM)
      const { tried } = await ann.wire()
      if (kind === YWS2) assert.ok(tried - before <= 8, `${tried - before} more attempts`)
      else assert.equal(tried, 1)
      if (!isYjs(kind)) assert.match((await ann.status()).closed.reason, /deleted/)
    })

    test(`${kind} loses the right to write while it is connected`, async (t) => {
      const here = await setUp(t)
      const { server, person, project } = here
      const guest = await server.guest('Ben')
      await person.invite(guest, project.id, 'editor')
      const ann = await works(t, kind, here, 'right.md')
      const ben = await opened(t, kind, { person: guest, project, name: 'right.md' })
      await ben.sees('it works')
      await ben.insert(8, ' for ben')
      await ann.sees('it works for ben')
      await person.json('PATCH', `/projects/${project.id}/members/${guest.user.id}`, { role: 'viewer' })
      await pause(1_000)
      await ben.insert(0, 'forged ')
      await pause(1_500)
      assert.equal(await ann.text(), 'it works for ben')
      // He goes on reading.
      await ann.insert(0, 'and ')
      await until('the news has arrived', async (saw) => saw(await ben.text()) ?? (await ben.text()).includes('and '))
    })

    test(`${kind} of somebody removed from the project hears no more`, async (t) => {
      const here = await setUp(t)
      const { server, person, project } = here
      const guest = await server.guest('Ben')
      await person.invite(guest, project.id, 'editor')
      const ann = await works(t, kind, here, 'out.md')
      const ben = await opened(t, kind, { person: guest, project, name: 'out.md' })
      await ben.sees('it works')
      await person.json('DELETE', `/projects/${project.id}/members/${guest.user.id}`)
      await pause(1_000)
      await ann.insert(0, 'secret ')
      await ben.insert(0, 'forged ')
      await pause(1_500)
      assert.equal(await ann.text(), 'secret it works')
      assert.ok(!(await ben.text()).includes('secret'))
    })
  }
})
