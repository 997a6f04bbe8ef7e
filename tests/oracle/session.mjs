// A random session of several Yjs clients: they edit, undo, and sync pairwise in random order.
import * as Y from 'yjs'

/** mulberry32: the same numbers for the same seed, everywhere. */
const generator = seed => () => {
  seed = (seed + 0x6d2b79f5) | 0
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed)
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296
}

const WORDS = ['a', 'hello ', 'wörld', 'e\u0301', '😀', '👩‍👩‍👧', '\n', '\r\n', 'naïve ', '日本', '𝒳y', 'function () {}', '\ufeff']
const KEYS = ['k', 'title', 'é', '']

/** Puts JSON content, which no Yjs of today writes by itself, at the start of a type (or under a key of it). */
export const insertJson = (transaction, type, values, key = null) => {
  const { doc } = transaction
  const left = key === null ? null : type._map.get(key) ?? null
  const right = key === null ? type._start : null
  const id = Y.createID(doc.clientID, Y.getState(doc.store, doc.clientID))
  new Y.Item(id, left, left && left.lastId, right, right && right.id, type, key, new Y.ContentJSON(values)).integrate(transaction, 0)
  // Positions that Yjs remembers are wrong now.
  if (type._searchMarker) type._searchMarker.length = 0
}

class Session {
  constructor (seed, gc, rare) {
    this.random = generator(seed)
    this.rare = rare
    this.rows = []
    this.others = []
    this.vectors = []
    this.clients = Array.from({ length: 2 + this.below(4) }, (_, index) => this.client(gc, index))
  }

  below (end) { return Math.floor(this.random() * end) }
  one (list) { return list[this.below(list.length)] }

  client (gc, index) {
    const doc = new Y.Doc({ gc })
    // Ids of one, five and eight bytes; those in use today have 32 bits.
    doc.clientID = [1 + index, 0x10000000 + this.below(0xe0000000), 2 ** 52 + this.below(2 ** 32)][this.below(8) % 3]
    while (this.clients?.some(other => other.doc.clientID === doc.clientID)) doc.clientID++
    const roots = { t: doc.getText('t'), a: doc.getArray('a'), m: doc.getMap('m'), x: doc.getXmlFragment('x') }
    doc.on('update', (update, origin) => (origin === 'sync' ? this.others : this.rows).push(update))
    const undo = new Y.UndoManager(Object.values(roots), { captureTimeout: 0, trackedOrigins: new Set(['edit']) })
    return { doc, roots, undo }
  }

  value (depth = 0) {
    const scalars = [undefined, null, true, false, this.below(100) - 50, 2 ** 31 + this.below(9), this.random(), 0.5, -0, 12n, this.one(WORDS), new Uint8Array(this.below(4))]
    if (depth > 3 || this.random() < 0.7) return this.one(scalars)
    const list = Array.from({ length: this.below(4) }, () => this.value(depth + 1))
    return this.random() < 0.5 ? list : Object.fromEntries(list.map((value, i) => [this.one(KEYS) + i, value]))
  }

  listed () {
    const value = this.value()
    return value === undefined || typeof value === 'bigint' ? [value] : value
  }

  nested () {
    const text = this.one(WORDS)
    const types = [() => new Y.Array(), () => Y.Array.from([1, text]), () => new Y.Map([['n', text]]), () => new Y.Text(text), () => new Y.XmlElement(this.one(['p', 'div'])), () => new Y.XmlFragment(), () => new Y.XmlText(text),
      () => new Y.Doc({ guid: `doc-${this.below(1e6)}`, meta: this.random() < 0.5 ? { n: this.below(9) } : null, autoLoad: this.random() < 0.3, gc: this.random() < 0.8 })]
    if (this.rare) types.push(() => new Y.XmlHook('hook'))
    return this.one(types)()
  }

  element () {
    const types = [() => new Y.XmlElement(this.one(['p', 'li'])), () => new Y.XmlText(this.one(WORDS))]
    if (this.rare) types.push(() => new Y.XmlHook('hook'))
    return this.one(types)()
  }

  /** Some type of the document: a root, or one nested in it. */
  target (type) {
    while (this.random() < 0.6) {
      const inner = []
      for (let item = type._start; item !== null; item = item.right) if (!item.deleted && item.content instanceof Y.ContentType) inner.push(item.content.type)
      for (const item of type._map.values()) if (!item.deleted && item.content instanceof Y.ContentType) inner.push(item.content.type)
      if (inner.length === 0) break
      type = this.one(inner)
    }
    return type
  }

  edit (type, transaction) {
    const at = this.below((type.length ?? 0) + 1)
    const some = Math.min(this.below(5), (type.length ?? 0) - at)
    if (type instanceof Y.Text) {
      const marks = this.one([{ bold: true }, { bold: null }, { color: { name: 'red' } }, { color: null, em: 1 }])
      return this.one([
        () => type.insert(at, this.one(WORDS)), () => type.insert(at, this.one(WORDS)), () => type.insert(at, this.one(WORDS), marks),
        () => type.insert(at, this.one(WORDS) + this.one(WORDS)), () => some > 0 && type.delete(at, some), () => some > 0 && type.delete(at, some),
        () => some > 0 && type.format(at, some, marks),
        () => type.insertEmbed(at, this.random() < 0.8 ? { image: this.one(WORDS), size: [this.below(9)] } : new Y.Map([['in', 1]])),
        () => type.applyDelta([{ retain: at }, { insert: this.one(WORDS), attributes: marks }])
      ])()
    }
    if (type instanceof Y.Map) {
      const key = this.one(KEYS)
      return this.one([
        () => type.set(key, this.value()), () => type.set(key, this.value()), () => type.set(key, this.nested()), () => type.delete(key),
        () => this.rare && insertJson(transaction, type, [this.below(9)], key)
      ])()
    }
    if (type instanceof Y.XmlFragment) {
      if (type instanceof Y.XmlElement && this.random() < 0.4) return this.random() < 0.7 ? type.setAttribute(this.one(KEYS), this.one(WORDS)) : type.removeAttribute(this.one(KEYS))
      return some > 0 && this.random() < 0.3 ? type.delete(at, some) : type.insert(at, [this.element()])
    }
    return this.one([
      // A list takes `undefined` and a bigint only inside a value.
      () => type.insert(at, Array.from({ length: 1 + this.below(4) }, () => this.listed())), () => type.insert(at, [this.listed(), this.nested()]),
      () => type.insert(at, [this.nested()]), () => some > 0 && type.delete(at, some), () => some > 0 && type.delete(at, some),
      () => this.rare && insertJson(transaction, type, [this.below(9), undefined, { a: [this.one(WORDS)] }])
    ])()
  }

  sync (from, to) {
    if (from === to) return
    const update = Y.encodeStateAsUpdate(from.doc, Y.encodeStateVector(to.doc))
    this.others.push(update)
    Y.applyUpdate(to.doc, update, 'sync')
    if (this.random() < 0.2) this.vectors.push(Y.encodeStateVector(from.doc))
  }

  step () {
    const client = this.one(this.clients)
    const kind = this.random()
    if (kind < 0.15) return this.sync(client, this.one(this.clients))
    if (kind < 0.22) return client.undo.undo()
    if (kind < 0.25) return client.undo.redo()
    client.doc.transact(transaction => {
      const edits = this.random() < 0.8 ? 1 : 1 + this.below(6)
      for (let i = 0; i < edits; i++) this.edit(this.target(this.one(Object.values(client.roots))), transaction)
    }, 'edit')
  }

  run (steps) {
    for (let i = 0; i < steps; i++) this.step()
    // Twice around, so that what the first round tidies reaches everyone.
    for (let round = 0; round < 2; round++) {
      for (const from of this.clients) for (const to of this.clients) this.sync(from, to)
    }
    // What a client sends that holds parts: merged rows with gaps, and what is missing of them.
    const some = this.rows.filter(() => this.random() < 0.5)
    if (some.length > 1) this.others.push(Y.mergeUpdates(some))
    if (this.vectors.length > 0) this.others.push(Y.diffUpdate(Y.encodeStateAsUpdate(this.clients[0].doc), this.one(this.vectors)))
  }
}

/** Plays a session. Rows are what clients wrote, in causal order; others is all else that went over the wire. */
export const session = (seed, gc, rare) => {
  const played = new Session(seed, gc, rare)
  played.run(60 + played.below(80))
  const { rows, others, vectors, clients } = played
  return { rows, others, state: Y.encodeStateAsUpdate(clients[0].doc), vectors }
}
