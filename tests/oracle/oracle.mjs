// Yjs, asked over stdin and answering over stdout. Each frame: 4 bytes of length (little endian), then lib0 values;
// the first byte of a request says what is asked. An exception in here ends the process: it is a fault of the oracle.
import * as Y from 'yjs'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { session } from './session.mjs'
import { strips } from './strips.mjs'
import { coverage, count, facts, load, structsOf } from './facts.mjs'

const readList = (d, read) => Array.from({ length: decoding.readVarUint(d) }, () => read(d))
const readBlob = d => decoding.readVarUint8Array(d).slice()
const readBlobs = d => readList(d, readBlob)
const writeList = (e, list, write) => {
  encoding.writeVarUint(e, list.length)
  list.forEach(one => write(e, one))
}
const writeBlobs = (e, list) => writeList(e, list, encoding.writeVarUint8Array)

/** What a call throws becomes the empty answer; `attempt` is only for questions where that is an answer. */
const attempt = call => {
  try { return call() } catch { return null }
}

const questions = {
  // A random session: seed, gc, whether with contents that yrs misreads.
  1: (d, e) => {
    const { rows, others, state, vectors } = session(decoding.readVarUint(d), decoding.readUint8(d) === 1, decoding.readUint8(d) === 1)
    rows.forEach(count)
    others.forEach(count)
    writeBlobs(e, rows)
    writeBlobs(e, others)
    encoding.writeVarUint8Array(e, state)
    writeBlobs(e, vectors)
  },
  // Does each candidate (updates applied in order) give the document of the reference? '' or the difference.
  2: (d, e) => {
    const gc = decoding.readUint8(d) === 1
    const expected = facts(load(readBlobs(d), gc))
    writeList(e, readList(d, readBlobs), (e, updates) => {
      const found = facts(load(updates, gc))
      const wrong = Object.keys(expected).find(key => expected[key] !== found[key])
      encoding.writeVarString(e, wrong === undefined ? '' : `${wrong}: expected ${expected[wrong]}, found ${found[wrong]}`)
    })
  },
  // For a state and state vectors: the state as this Yjs writes it, its deleted ids, then for each vector the
  // difference as the document writes it and as diffUpdate does.
  3: (d, e) => {
    const gc = decoding.readUint8(d) === 1
    const doc = load([readBlob(d)], gc)
    const state = Y.encodeStateAsUpdate(doc)
    encoding.writeVarUint8Array(e, state)
    encoding.writeVarString(e, facts(doc).deleted)
    writeList(e, readBlobs(d), (e, vector) => {
      encoding.writeVarUint8Array(e, Y.encodeStateAsUpdate(doc, vector))
      encoding.writeVarUint8Array(e, Y.diffUpdate(state, vector))
    })
  },
  // mergeUpdates of each list, and the state vector of what it gives.
  4: (d, e) => writeList(e, readList(d, readBlobs), (e, updates) => {
    const merged = Y.mergeUpdates(updates.length === 1 ? [...updates, new Uint8Array([0, 0])] : updates)
    encoding.writeVarUint8Array(e, merged)
    encoding.writeVarUint8Array(e, Y.encodeStateVectorFromUpdate(merged))
  }),
  // The structs and deletions each update decodes to (empty: Yjs throws).
  5: (d, e) => writeList(e, readBlobs(d), (e, update) => {
    encoding.writeVarString(e, attempt(() => structsOf(Y.decodeUpdate(update))) ?? '')
  }),
  // For each update and state vector: diffUpdate, and the state vector of the update.
  6: (d, e) => writeList(e, readList(d, d => [readBlob(d), readBlob(d)]), (e, [update, vector]) => {
    encoding.writeVarUint8Array(e, Y.diffUpdate(update, vector))
    encoding.writeVarUint8Array(e, Y.encodeStateVectorFromUpdate(update))
  }),
  // The part of a state (of a document without gc) below each vector, as Yjs cuts it for a snapshot; all deletions.
  7: (d, e) => {
    const state = readBlob(d)
    writeList(e, readBlobs(d), (e, vector) => {
      const doc = load([state], false)
      const past = Y.createDocFromSnapshot(doc, new Y.Snapshot(Y.snapshot(doc).ds, Y.decodeStateVector(vector)))
      encoding.writeVarUint8Array(e, Y.encodeStateAsUpdate(past))
    })
  },
  // How often each kind of content was seen in honest updates.
  8: (d, e) => writeList(e, [...coverage].sort(), (e, [name, times]) => {
    encoding.writeVarString(e, name)
    encoding.writeVarUint(e, times)
  }),
  // Small states that between them hold every content of a length above 1, as (name, state).
  9: (d, e) => writeList(e, strips(), (e, [name, state]) => {
    encoding.writeVarString(e, name)
    encoding.writeVarUint8Array(e, state)
  }),
  // Each state as a Yjs that loaded it writes it.
  10: (d, e) => writeList(e, readBlobs(d), (e, state) => {
    const doc = load([state], true)
    encoding.writeVarUint8Array(e, Y.encodeStateAsUpdate(doc))
    doc.destroy()
  }),
  // Of each list of updates, loaded in order: 1, the text `content` and the state vector, or 0 when Yjs throws.
  11: (d, e) => writeList(e, readList(d, readBlobs), (e, updates) => {
    const said = attempt(() => {
      const doc = new Y.Doc()
      for (const update of updates) Y.applyUpdate(doc, update)
      return [doc.getText('content').toString(), Y.encodeStateVector(doc)]
    })
    encoding.writeVarUint(e, said === null ? 0 : 1)
    if (said !== null) {
      encoding.writeVarString(e, said[0])
      encoding.writeVarUint8Array(e, said[1])
    }
  })
}

let input = Buffer.alloc(0)
process.stdin.on('data', chunk => {
  input = input.length === 0 ? chunk : Buffer.concat([input, chunk])
  while (input.length >= 4 && input.length >= 4 + input.readUInt32LE(0)) {
    const end = 4 + input.readUInt32LE(0)
    const decoder = decoding.createDecoder(new Uint8Array(input.subarray(4, end)))
    const encoder = encoding.createEncoder()
    questions[decoding.readUint8(decoder)](decoder, encoder)
    const answer = encoding.toUint8Array(encoder)
    const head = Buffer.alloc(4)
    head.writeUInt32LE(answer.length)
    process.stdout.write(Buffer.concat([head, answer]))
    input = input.subarray(end)
  }
})
process.stdin.on('end', () => process.exit(0))
