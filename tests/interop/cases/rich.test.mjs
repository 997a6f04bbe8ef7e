// Rich text, while somebody only reads: Yjs makes every replica tidy up redundant format marks, a reader's too, and
// such frames are no offence.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HP4, HP3, opened, pause, until, YWS2, YWS3 } from '../peer.mjs'
import { numbers } from '../random.mjs'
import { startServer } from '../server.mjs'

describe('rich text', { concurrency: 2 }, () => {
  for (const kind of [YWS2, YWS3, HP3, HP4]) {
    test(`two ${kind} format the same words while readers look on`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const reading = (await person.token(project.id, { role: 'viewer' })).token
      const name = 'rich'
      const ann = await opened(t, kind, { person, project, name })
      await ann.synced()
      await ann.edit({ edits: [{ on: 'rich', call: 'insert', with: [0, 'The quick brown fox jumps over the lazy dog. '.repeat(4)] }] })
      const ben = await opened(t, kind, { person, project, name })
      const readers = [await opened(t, HP4, { person, project, name, token: reading }), await opened(t, YWS3, { person, project, name, token: reading })]
      const all = [ann, ben, ...readers]
      const next = numbers(7)
      const format = () => {
        const at = Math.floor(next() * 150)
        const mark = ['bold', 'italic', 'link'][Math.floor(next() * 3)]
        return { on: 'rich', call: 'format', with: [at, 1 + Math.floor(next() * 25), { [mark]: next() < 0.5 ? null : true }] }
      }
      await Promise.all(all.map((client) => client.synced()))
      for (let round = 0; round < 60; round += 1) {
        // Both at once, so that marks of one become redundant by those of the other.
        await Promise.all([ann.edit({ edits: [format(), format()] }), ben.edit({ edits: [format(), format()] })])
        if (round % 10 === 0) await pause(100)
        if (round === 30) await Promise.all(readers.map((reader) => reader.cut()))
      }
      const said = await until('all read the same', async (saw) => {
        const rich = await Promise.all(all.map(async (client) => JSON.stringify(JSON.parse(await client.read()).said.rich)))
        rich.push(JSON.stringify(JSON.parse(await person.stored(project.id, name)()).said.rich))
        saw(rich.map((one) => one.slice(0, 300)))
        return rich.every((one) => one === rich[0]) && rich[0]
      })
      assert.match(said, /"bold":true/)
      for (const reader of readers) {
        assert.equal((await reader.wire()).refused, 0, JSON.stringify(await reader.wire()))
        await reader.saved()
      }
      for (const writer of [ann, ben]) {
        await writer.saved()
        assert.equal((await writer.wire()).refused, 0)
      }
    })
  }
})
