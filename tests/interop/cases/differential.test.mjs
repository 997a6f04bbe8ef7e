// The server against Yjs itself: many short random sessions of three people, whose edits also go to a Yjs document that no
// server stands before. In the end of each all say the same, to the clock.
//
// One process with bare Yjs documents and three sockets of many documents each, since a process for each client, as the
// other cases have it, would take hours. COTERIE_SESSIONS and COTERIE_SEED set how many, and from which seed on.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import WebSocket from 'ws'
import * as Y from 'yjs'
import { PATIENCE } from '../peer.mjs'
import { numbers, randomEdits } from '../random.mjs'
import { read } from '../roots.mjs'
import { startServer } from '../server.mjs'

const SESSIONS = Number(process.env.COTERIE_SESSIONS ?? 8_000)
const SEED = Number(process.env.COTERIE_SEED ?? Math.floor(Math.random() * 2 ** 31))
/** Sessions that one document sees, so that some begin with a history. */
const SESSIONS_A_DOCUMENT = 10
/** Documents at work at once. */
const AT_ONCE = 80
const PEERS = 3
/** Rounds until nobody has anything to add: Yjs tidies up format marks after others' edits. */
const ROUNDS = 8

/** A socket of many documents, as a provider uses it. */
async function openSocket(t, server) {
  const socket = new WebSocket(`${server.socketUrl}/hocuspocus`)
  t.after(() => socket.terminate())
  const places = new Map()
  socket.on('message', (data) => {
    const frame = new Uint8Array(data)
    if (frame.length === 1) return void socket.send(Uint8Array.of(10))
    const decoder = decoding.createDecoder(frame)
    places.get(decoding.readVarString(decoder))?.take(decoder)
  })
  let closed
  socket.on('close', (code) => {
    closed = new Error(`the socket was closed: ${code}`)
    for (const place of places.values()) place.fail(closed)
  })
  await new Promise((opened, failed) => socket.once('open', opened).once('error', failed))
  return { socket, places, closed: () => closed }
}

/** One person in one document. */
class Place {
  constructor(end, address, token, told) {
    Object.assign(this, { end, address, token, told, doc: null, sent: 0, answered: 0, edits: 0, vector: null, waiting: null, left: true })
    end.places.set(address, this)
  }

  /** Comes in with a document, which it may have written in before. */
  begin(doc) {
    this.doc = doc
    doc.on('update', (update, origin) => {
      if (origin === 'server') return
      this.told(update)
      this.edits += 1
      if (this.left) return
      this.sent += 1
      this.send(0, 2, (encoder) => encoding.writeVarUint8Array(encoder, update))
    })
  }

  enter() {
    this.left = false
    this.fresh = true
    this.send(2, 0, (encoder) => {
      encoding.writeVarString(encoder, this.token)
      encoding.writeVarString(encoder, '4.8.0')
    })
  }

  leave() {
    this.left = true
    this.send(7)
    this.sent = this.answered = 0
  }

  send(...tags) {
    const body = typeof tags.at(-1) === 'function' ? tags.pop() : () => {}
    this.end.socket.send(encoding.encode((encoder) => {
      encoding.writeVarString(encoder, this.address)
      tags.forEach((tag) => encoding.writeVarUint(encoder, tag))
      body(encoder)
    }))
  }

  /** Waits until all that was written is saved, also what was written while away, which the server asks for. */
  saved() {
    if (this.fresh) return this.settle()
    this.synced = true
    return this.wait()
  }

  /** Asks for what is missing, and waits until that has come and all that was sent is saved. */
  settle() {
    this.synced = this.fresh = false
    this.send(0, 0, (encoder) => encoding.writeVarUint8Array(encoder, Y.encodeStateVector(this.doc)))
    return this.wait()
  }

  async wait() {
    await new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`waited in vain: ${this.answered} of ${this.sent} saved, synced: ${this.synced}`)), PATIENCE)
      this.waiting = { done: () => (clearTimeout(late), done()), failed: (error) => (clearTimeout(late), failed(error)) }
      this.look()
    })
  }

  look() {
    if (!this.waiting || !this.synced || this.answered < this.sent) return
    this.waiting.done()
    this.waiting = null
  }

  fail(error) {
    this.waiting?.failed(error)
    this.waiting = null
  }

  take(decoder) {
    const type = decoding.readVarUint(decoder)
    if (type === 0) {
      const kind = decoding.readVarUint(decoder)
      const body = decoding.readVarUint8Array(decoder)
      if (kind === 0) {
        this.vector = Y.decodeStateVector(body)
        this.sent += 1
        const missing = Y.encodeStateAsUpdate(this.doc, body)
        this.send(0, 1, (encoder) => encoding.writeVarUint8Array(encoder, missing))
      } else {
        Y.applyUpdate(this.doc, body, 'server')
        if (kind === 1) this.synced = true
      }
    } else if (type === 8) {
      if (decoding.readVarInt(decoder) !== 1) return this.fail(new Error('an edit was refused'))
      this.answered += 1
    } else if (type === 5 || type === 7) {
      const told = decoding.readVarString(decoder)
      // A busy machine may keep edits waiting; they are asked about once they are saved.
      if (!told.includes('"saving"')) return this.fail(new Error(`told ${told}`))
    }
    this.look()
  }
}

/** What is deleted in a document, equal strings for equal sets. */
function deletions(doc) {
  const { ds } = Y.decodeUpdate(Y.encodeStateAsUpdate(doc))
  return JSON.stringify([...ds.clients].sort(([a], [b]) => a - b))
}

/** The sessions of one document. Answers how many edits there were. */
async function play(ends, address, token, seed, sessions) {
  const next = numbers(seed)
  const control = new Y.Doc()
  // As if all were typed here: a document that takes others' edits tidies up format marks, and nobody would hear of that.
  const told = (update) => control.transact((transaction) => {
    Y.applyUpdate(control, update)
    transaction.local = true
  })
  let clients = 0
  const fresh = () => {
    const doc = new Y.Doc()
    doc.clientID = 1 + ((seed * 64 + clients++) % 0xfffffff0)
    return doc
  }
  const places = ends.map((end) => new Place(end, address, token, told))
  for (const place of places) {
    place.begin(fresh())
    place.enter()
  }
  for (let session = 0; session < sessions; session += 1) {
    const about = `seed ${seed}, session ${session} of ${address}`
    for (const place of places) {
      const what = next()
      if (what < 0.08) {
        // Away for a while, writing on.
        place.leave()
        randomEdits(place.doc, Math.floor(next() * 2 ** 31), 1 + Math.floor(next() * 3))
        place.enter()
      } else if (what < 0.16) {
        // Somebody new, who may write before anything has come.
        place.leave()
        place.begin(fresh())
        if (next() < 0.3) randomEdits(place.doc, Math.floor(next() * 2 ** 31), 1)
        place.enter()
        place.send(0, 0, (encoder) => encoding.writeVarUint8Array(encoder, Y.encodeStateVector(place.doc)))
      }
    }
    for (const place of places) {
      if (next() < 0.8) randomEdits(place.doc, Math.floor(next() * 2 ** 31), 1 + Math.floor(next() * 2))
      // Sometimes others' edits come in between.
      if (next() < 0.2) await new Promise((done) => setImmediate(done))
    }
    try {
      let before
      let rounds = 0
      do {
        assert.ok((rounds += 1) <= ROUNDS, 'it comes to rest')
        before = places.map((place) => place.edits).join()
        // All of everybody's is saved before anybody asks what there is.
        await Promise.all(places.map((place) => place.saved()))
        await Promise.all(places.map((place) => place.settle()))
      } while (before !== places.map((place) => place.edits).join())
      const said = places.map((place) => read(place.doc))
      said.push(read(control))
      said.forEach((one) => assert.equal(one, said[0]))
      for (const place of places) assert.equal(deletions(place.doc), deletions(control), 'what is deleted')
      const clocks = (vector) => JSON.stringify([...vector].sort(([a], [b]) => a - b))
      for (const place of places) assert.equal(clocks(place.vector), clocks(Y.decodeStateVector(Y.encodeStateVector(control))), "the server's own clocks")
    } catch (error) {
      error.message = `${about}: ${error.message}`
      throw error
    }
  }
  for (const place of places) {
    place.leave()
    place.end.places.delete(address)
  }
  return places.reduce((sum, place) => sum + place.edits, 0)
}

test(`${SESSIONS} random sessions say what Yjs says, seed ${SEED}`, { timeout: 1_500_000 }, async (t) => {
  const server = await startServer(t)
  const person = await server.guest('Ann')
  const project = await person.project()
  const { token } = await person.token(project.id)
  const ends = await Promise.all(Array.from({ length: PEERS }, () => openSocket(t, server)))
  const began = Date.now()
  const documents = Math.ceil(SESSIONS / SESSIONS_A_DOCUMENT)
  let started = 0
  let edits = 0
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, documents) }, async () => {
    while (started < documents) {
      const number = started++
      const made = await play(ends, `${project.id}/random/${number}`, token, (SEED + number) >>> 0, SESSIONS_A_DOCUMENT)
      edits += made
    }
  }))
  t.diagnostic(`${documents * SESSIONS_A_DOCUMENT} sessions in ${documents} documents, ${edits} edits, ${Date.now() - began} ms`)
  assert.ok(edits > SESSIONS * 2)
})
