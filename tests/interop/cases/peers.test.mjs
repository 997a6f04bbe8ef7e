// What other servers of these clients test of themselves, written anew: frames that only servers send, tokens that change
// while a document is open, sessions that share a socket, and what is sent before anybody was let in.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { HP3, HP4, opened, openIn, pause, startClient, until } from '../peer.mjs'
import { textOf } from '../roots.mjs'
import { startServer } from '../server.mjs'

async function setUp(t, name) {
  const server = await startServer(t)
  const person = await server.guest('Ann')
  const project = await person.project()
  const stored = async () => textOf(await person.update(project.id, (await person.find(project.id, name)).id))
  return { server, person, project, stored, address: `${project.id}/${name}` }
}

/** A frame of Hocuspocus from tags, texts and byte strings. */
const frame = (address, ...parts) => encoding.encode((encoder) => {
  encoding.writeVarString(encoder, address)
  for (const part of parts) {
    if (typeof part === 'number') encoding.writeVarUint(encoder, part)
    else if (typeof part === 'string') encoding.writeVarString(encoder, part)
    else encoding.writeVarUint8Array(encoder, part)
  }
})

/** A bare socket, and the types of what came on it. */
async function bare(t, server) {
  const socket = new WebSocket(`${server.socketUrl}/hocuspocus`)
  t.after(() => socket.terminate())
  const heard = []
  socket.on('message', (data) => {
    if (data.length === 1) return
    const decoder = decoding.createDecoder(new Uint8Array(data))
    decoding.readVarString(decoder)
    heard.push([decoding.readVarUint(decoder), decoding.hasContent(decoder) ? decoding.readVarUint(decoder) : null])
  })
  const closed = new Promise((done) => socket.on('close', (code) => done(code)))
  await new Promise((open, failed) => socket.once('open', open).once('error', failed))
  return { socket, heard, closed, send: (...parts) => socket.send(frame(...parts)) }
}

function letters(text) {
  const doc = new Y.Doc()
  const updates = []
  doc.on('update', (update) => updates.push(update))
  for (const [at, letter] of [...text].entries()) doc.getText('content').insert(at, letter)
  return updates
}

describe('what peers test', { concurrency: 3 }, () => {
  test('what only servers send reaches nobody when a client sends it', async (t) => {
    const { server, person, project, stored, address } = await setUp(t, 'bypass.md')
    const ben = await opened(t, HP4, { person, project, name: 'bypass.md' })
    await ben.insert(0, 'all is well')
    await ben.saved()
    const { token } = await person.token(project.id)
    const before = (await ben.status()).stateless
    const { send, heard } = await bare(t, server)
    send(address, 2, 0, token, '4.8.0')
    await until('let in', async () => heard.some(([type, kind]) => type === 2 && kind === 2))
    for (const type of [4, 5, 6, 8]) {
      send(address, type, JSON.stringify({ event: 'deleted' }))
      send(address, type, 1)
      send(address, type, 0, 2, letters('forged')[0])
    }
    send(address, 2, 1, 'go away')
    send(address, 2, 2, 'read-write')
    // Answered behind all of it: nothing of it ended the document or the socket.
    const asked = heard.length
    send(address, 0, 0, Uint8Array.of(0))
    await until('the question is answered', async () => heard.slice(asked).some(([type, kind]) => type === 0 && kind === 1))
    await ben.insert(0, 'still ')
    await ben.saved()
    assert.equal(await ben.text(), 'still all is well')
    assert.equal(await stored(), 'still all is well')
    assert.deepEqual((await ben.status()).stateless, before)
    assert.deepEqual((await ben.status()).failures, [])
  })

  for (const kind of [HP3, HP4]) {
    test(`${kind} is given another right by another token, while the document is open`, async (t) => {
      const { person, project, stored } = await setUp(t, 'token.md')
      const ann = await opened(t, kind, { person, project, name: 'token.md' })
      await ann.insert(0, 'mine')
      await ann.saved()
      const reading = (await person.token(project.id, { role: 'viewer' })).token
      await ann.setToken({ token: reading })
      await ann.sendToken()
      await until('it may only read', async (saw) => saw((await ann.status()).scopes) ?? (await ann.status()).scopes.at(-1) === 'readonly')
      const ben = await opened(t, kind, { person, project, name: 'token.md' })
      await ben.sees('mine')
      await ann.insert(0, 'forged ')
      await until('the edit is refused', async (saw) => saw(await ann.wire()) ?? (await ann.wire()).refused > 0)
      assert.ok((await ann.status()).unsynced > 0, 'and not reported as saved')
      await ben.insert(4, '!')
      await ben.saved()
      assert.equal(await stored(), 'mine!')
      assert.ok((await ann.wire()).tried <= 2, 'another right may take another socket, and no more than one')
    })
  }

  test('sessions on one socket have rights, counts and presence of their own', async (t) => {
    const { person, project, stored } = await setUp(t, 'sessions.md')
    await person.document(project.id, 'sessions.md', 'text')
    const reading = (await person.token(project.id, { role: 'viewer' })).token
    const both = startClient(t)
    const common = { person, project, name: 'sessions.md', socket: 'one', sessionAwareness: true }
    await openIn(both, HP4, { ...common, key: 'writer' })
    await openIn(both, HP4, { ...common, key: 'reader', token: reading })
    await Promise.all(['writer', 'reader'].map((key) => both.sees('text', key)))
    await both.setPresence({ key: 'writer', state: { user: {}, cursor: 'of the writer' } })
    await until('one session sees the other', async (saw) => {
      const seen = Object.values(await both.presence({ key: 'reader' }))
      saw(seen)
      return seen.some((one) => one.cursor === 'of the writer' && one.user.name === 'Ann')
    })
    await both.insert(0, 'more ', 'writer')
    await both.saved('writer')
    await both.sees('more text', 'reader')
    await both.insert(0, 'forged ', 'reader')
    await pause(500)
    assert.equal(await stored(), 'more text')
    assert.ok((await both.status({ key: 'reader' })).unsynced > 0)
    // One is let go of; the other goes on.
    await both.destroy({ key: 'reader' })
    await both.insert(0, 'even ', 'writer')
    await both.saved('writer')
    assert.equal(await stored(), 'even more text')
    assert.equal((await both.wire()).tried, 1)
  })

  test('what is sent before the token waits for it, in order', async (t) => {
    const { server, person, project, stored, address } = await setUp(t, 'early.md')
    await person.document(project.id, 'early.md', '')
    const { token } = await person.token(project.id)
    const { send, heard } = await bare(t, server)
    const updates = letters('a letter for each frame')
    for (const update of updates.slice(0, 10)) send(address, 0, 2, update)
    await pause(300)
    assert.equal(await stored(), '')
    send(address, 2, 0, token, '4.8.0')
    for (const update of updates.slice(10)) send(address, 0, 2, update)
    await until('each is saved', async (saw) => {
      const saved = heard.filter(([type, status]) => type === 8 && status === 1).length
      saw(saved)
      return saved === updates.length
    })
    assert.equal(await stored(), 'a letter for each frame')
  })

  test('who is not let in leaves little behind, and nothing of it is saved', async (t) => {
    const { server, person, project, stored, address } = await setUp(t, 'queue.md')
    await person.document(project.id, 'queue.md', 'text')
    const many = await bare(t, server)
    const update = letters('x')[0]
    const sending = setInterval(() => {
      for (let n = 0; n < 200 && many.socket.readyState === WebSocket.OPEN; n += 1) many.send(address, 0, 2, update)
    }, 5)
    t.after(() => clearInterval(sending))
    let code
    many.closed.then((said) => (code = said))
    await until('it is sent away', async () => code !== undefined)
    clearInterval(sending)
    assert.equal(code, 1009, 'more than may wait')
    const wrong = await bare(t, server)
    wrong.send(address, 0, 2, update)
    wrong.send(address, 2, 0, 'wrong', '4.8.0')
    wrong.send(address, 0, 2, update)
    await until('refused', async () => wrong.heard.some(([type, kind]) => type === 2 && kind === 1))
    wrong.send(address, 0, 2, update)
    await pause(300)
    assert.equal(await stored(), 'text')
    // The same socket is let in with a better token; what was sent under the wrong one stays unsaid.
    const { token } = await person.token(project.id)
    wrong.send(address, 2, 0, token, '4.8.0')
    await until('let in', async () => wrong.heard.some(([type, kind]) => type === 2 && kind === 2))
    await pause(200)
    assert.equal(await stored(), 'text')
  })
})
