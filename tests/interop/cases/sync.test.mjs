// Two clients, one document: from nothing, from content, and after both went on without the server.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agree, CLIENTS, opened, PAIRS, pause, until } from '../peer.mjs'
import { textOf } from '../roots.mjs'
import { ENGINES, startServer } from '../server.mjs'

const EVERY_TYPE = [
  { on: 'list', call: 'push', with: [['one', 2, { three: [3] }]] },
  { on: 'map', call: 'set', with: ['name', 'soup'] },
  { on: 'map', call: 'set', with: ['inner', '$nest'], nest: { type: 'text' } },
  { on: 'map', path: ['inner'], call: 'insert', with: [0, 'inside'] },
  { on: 'xml', call: 'insert', with: [0, ['$nest']], nest: { type: 'element', name: 'p' } },
  { on: 'xml', path: [0], call: 'setAttribute', with: ['class', 'lead'] },
  { on: 'rich', call: 'insert', with: [0, 'bold words'] },
  { on: 'rich', call: 'format', with: [0, 4, { bold: true }] },
]

describe('sync', { concurrency: 3 }, () => {
  for (const engine of ENGINES) {
    for (const [one, other] of PAIRS) {
      test(`${one} and ${other} write in a new document, ${engine}`, async (t) => {
        const server = await startServer(t, { engine })
        const person = await server.guest('Ann')
        const project = await person.project()
        const name = 'notes/new.md'
        const ann = await opened(t, one, { person, project, name })
        await ann.synced()
        await ann.insert(0, 'Hello')
        const ben = await opened(t, other, { person, project, name })
        await ben.sees('Hello')
        await ben.insert(5, ', world')
        await ann.sees('Hello, world')
        await ann.remove(0, 5)
        await ben.sees(', world')
        await ann.edit({ edits: EVERY_TYPE })
        await ben.edit({ edits: EVERY_TYPE.slice(0, 2) })
        await agree([ann, ben], person.stored(project.id, name))
        await Promise.all([ann.saved(), ben.saved()])
      })

      test(`${one} and ${other} meet in a document that has a text, ${engine}`, async (t) => {
        const server = await startServer(t, { engine })
        const [person, guest] = await Promise.all([server.guest('Ann'), server.guest('Ben')])
        const project = await person.project()
        await person.invite(guest, project.id)
        const name = 'soup.md'
        await person.document(project.id, name, '# Soup\n')
        const ann = await opened(t, one, { person, project, name })
        await ann.sees('# Soup\n')
        // Somebody wrote before they were ever connected.
        const local = [{ call: 'insert', with: [0, 'mine '] }]
        const ben = await opened(t, other, { person: guest, project, name, local })
        await ben.synced()
        const said = await agree([ann, ben], person.stored(project.id, name))
        assert.match(said, /mine /)
        assert.match(said, /# Soup/)
        await ann.insert(0, '1')
        await ben.insert(0, '2')
        await agree([ann, ben], person.stored(project.id, name))
      })

      test(`${one} and ${other} go on through a crash of the server, ${engine}`, async (t) => {
        const server = await startServer(t, { engine })
        const person = await server.guest('Ann')
        const project = await person.project()
        const name = 'crash.md'
        const ann = await opened(t, one, { person, project, name })
        const ben = await opened(t, other, { person, project, name })
        await Promise.all([ann.synced(), ben.synced()])
        await ann.insert(0, 'before ')
        await ben.sees('before ')
        await server.kill()
        await ann.insert(0, 'ann ')
        await ben.type({ text: 'ben and more' })
        await ben.remove(0, 3)
        await pause(300)
        await ann.insert(0, 'still ann ')
        await server.start()
        const said = await agree([ann, ben], person.stored(project.id, name))
        assert.match(said, /still ann ann ore ben and more/)
        await Promise.all([ann.saved(), ben.saved()])
        await server.kill()
        await server.start()
        const { id } = await person.find(project.id, name)
        assert.equal(textOf(await person.update(project.id, id)), 'still ann ann ore ben and more')
      })
    }
  }

  for (const kind of CLIENTS) {
    test(`${kind} carries any text`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const name = 'any.md'
      const ann = await opened(t, kind, { person, project, name })
      const ben = await opened(t, kind, { person, project, name })
      await Promise.all([ann.synced(), ben.synced()])
      const hard = '𝒳 e\u0301 👩‍👩‍👧 \u0000 \r\n \u2028 \ufeff שלום \u{10ffff} ½'
      await ann.insert(0, hard)
      await ben.sees(hard)
      // Between the halves of a pair: Yjs puts U+FFFD in the place of each, on every replica alike.
      await ben.insert(1, '|')
      await agree([ann, ben], person.stored(project.id, name))
      // Half of a pair alone.
      await ann.insertUnits({ at: 0, units: [0xd835] })
      await ann.insertUnits({ at: 0, units: [0x61, 0xdc33, 0x62] })
      await pause(100)
      // What half a pair becomes is not the same where it was typed and where it arrived: UTF-8 has none. The next
      // client must read what the others read.
      await ben.insert(0, 'after ')
      const carol = await opened(t, kind, { person, project, name })
      await carol.synced()
      await agree([ben, carol], person.stored(project.id, name))
      const long = `${'a long line 👋 '.repeat(20_000)}\n`
      await ann.insert(0, long)
      await until('the long line has arrived', async () => (await carol.text()).includes(long))
      await agree([ben, carol], person.stored(project.id, name))
      await ann.saved()
    })

    test(`${kind} comes back by itself when the server restarts`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const name = 'restart.md'
      const ann = await opened(t, kind, { person, project, name })
      const ben = await opened(t, kind, { person, project, name })
      await ann.insert(0, 'one')
      await ben.sees('one')
      const began = Date.now()
      await server.stop()
      assert.ok(Date.now() - began < 5_000, 'a shutdown with clients waits for nobody')
      await server.start()
      await ann.insert(3, ' two')
      await ben.sees('one two')
      await ben.insert(7, ' three')
      await ann.sees('one two three')
      await agree([ann, ben], person.stored(project.id, name))
      // A client whose server went away properly was told to come back, and did so without a storm.
      const { tried, codes } = await ann.wire()
      assert.ok(tried <= 12, `${tried} attempts`)
      assert.equal(codes[0], 1012)
    })
  }
})
