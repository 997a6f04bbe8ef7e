// Documents are called what people call them, in either dialect, and by id.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { agree, HP2, HP4, opened, YWS2, YWS3 } from '../peer.mjs'
import { startServer } from '../server.mjs'

/** A path, and the room that an app may write into an address for it. */
const NAMES = [
  ['plain.md', 'plain.md'],
  ['docs/plan.md', 'docs/plan.md'],
  ['docs/encoded slash.md', 'docs%2Fencoded%20slash.md'],
  ['a b/c d.md', 'a b/c d.md'],
  ['Brühe/Straße.md', 'Brühe/Straße.md'],
  ['日本語/👩‍👩‍👧.md', encodeURIComponent('日本語/👩‍👩‍👧.md')],
  ['100% & more + = ; ,.md', encodeURIComponent('100% & more + = ; ,.md')],
  ['what?#frag.md', encodeURIComponent('what?#frag.md')],
  ['a%2Fb.md', encodeURIComponent('a%2Fb.md')],
  ['trailing/dots...', 'trailing/dots...'],
]

describe('names', { concurrency: 2 }, () => {
  for (const [yjs, hocuspocus] of [[YWS3, HP4], [YWS2, HP2]]) {
    test(`${yjs} and ${hocuspocus} mean the same document by the same name`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const { token } = await person.token(project.id)
      const made = []
      for (const [path, room] of NAMES) {
        const ann = await opened(t, yjs, { person, project, name: '', token, room: `${project.id}/${room}` })
        await ann.insert(0, `by ${path}`)
        const ben = await opened(t, hocuspocus, { person, project, name: path, token })
        await ben.sees(`by ${path}`)
        await ben.insert(0, 'and back ')
        await ann.sees(`and back by ${path}`)
        await agree([ann, ben], person.stored(project.id, path))
        made.push(path)
        await Promise.all([ann.destroy(), ben.destroy()])
      }
      const { items } = await person.json('GET', `/projects/${project.id}/documents?limit=200`)
      assert.deepEqual(items.map(({ path }) => path).sort(), made.sort())
    })

    test(`${yjs} and ${hocuspocus} find a document by its id and by the path it had`, async (t) => {
      const server = await startServer(t)
      const person = await server.guest('Ann')
      const project = await person.project()
      const { id } = await person.document(project.id, 'before.md', 'text')
      const ann = await opened(t, yjs, { person, project, name: id })
      await ann.sees('text')
      await person.json('PATCH', `/projects/${project.id}/documents/${id}`, { path: 'after/wards.md' })
      const ben = await opened(t, hocuspocus, { person, project, name: 'before.md' })
      const carol = await opened(t, hocuspocus, { person, project, name: 'after/wards.md' })
      await ben.insert(4, ' one')
      await ann.sees('text one')
      await carol.sees('text one')
      await agree([ann, ben, carol], person.stored(project.id, 'after/wards.md'))
    })
  }

  test('a token may come by the address or by the frame, and the frame\'s counts', async (t) => {
    const server = await startServer(t)
    const person = await server.guest('Ann')
    const project = await person.project()
    const [{ token }, { token: reading }] = [await person.token(project.id), await person.token(project.id, { role: 'viewer' })]
    const ann = await opened(t, YWS3, { person, project, name: 'a.md', token })
    await ann.insert(0, 'one')
    const byAddress = await opened(t, HP4, { person, project, name: 'a.md', token: '', query: `?token=${token}` })
    await byAddress.sees('one')
    await byAddress.insert(3, ' two')
    await ann.sees('one two')
    const byFrame = await opened(t, HP4, { person, project, name: 'a.md', token, query: `?token=${reading}` })
    await byFrame.sees('one two')
    await byFrame.insert(7, ' three')
    await ann.sees('one two three')
    const reader = await opened(t, HP4, { person, project, name: 'a.md', token: reading, query: `?token=${token}` })
    await reader.sees('one two three')
    assert.equal((await reader.status()).scopes[0], 'readonly')
  })
})
