// The roots that all tests use, each with its type, and how a document is read for comparison.

import * as Y from 'yjs'

export const ROOTS = { content: 'text', rich: 'text', list: 'array', map: 'map', xml: 'xml' }

/** The root of that name, as the type that all tests give it. */
export function root(doc, name) {
  switch (ROOTS[name]) {
    case 'text': return doc.getText(name)
    case 'array': return doc.getArray(name)
    case 'map': return doc.getMap(name)
    case 'xml': return doc.getXmlFragment(name)
    default: throw new Error(`no root is called ${name}`)
  }
}

/** Everything the document says: equal strings, equal documents. */
export function read(doc) {
  const said = {}
  for (const [name, type] of Object.entries(ROOTS)) {
    const shared = root(doc, name)
    said[name] = type === 'text' ? shared.toDelta() : type === 'xml' ? shared.toString() : shared.toJSON()
  }
  const vector = Y.decodeStateVector(Y.encodeStateVector(doc))
  const clocks = [...vector].filter(([, clock]) => clock > 0).sort(([a], [b]) => a - b)
  return JSON.stringify({ said: sorted(said), clocks })
}

/** The same for an update in bytes, read by Yjs. */
export function readUpdate(update) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  if (doc.store.pendingStructs || doc.store.pendingDs) throw new Error('the update is not whole: something it builds on is missing')
  return read(doc)
}

export function textOf(update) {
  const doc = new Y.Doc()
  Y.applyUpdate(doc, update)
  return doc.getText('content').toString()
}

// Keys of a map come in the order in which a replica saw them, which is not part of the content.
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])]))
}
