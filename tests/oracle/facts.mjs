// What Yjs says a document is: comparable texts of its state vector, deletions and content, and counts of contents.
import * as Y from 'yjs'

// On remote changes Yjs tidies format marks away, in a transaction of its own. Then what a document holds would
// depend on how many updates brought it, so the judge's documents do not do it. (Sessions do: clients send that.)
let tidy = true
const callObserver = Y.Text.prototype._callObserver
Y.Text.prototype._callObserver = function (transaction, keys) {
  const before = transaction._needFormattingCleanup
  callObserver.call(this, transaction, keys)
  if (!tidy) transaction._needFormattingCleanup = before
}

/** A document made of these updates, applied in order. */
export const load = (updates, gc) => {
  tidy = false
  const doc = new Y.Doc({ gc })
  updates.forEach(update => Y.applyUpdate(doc, update))
  tidy = true
  return doc
}

const plain = value => {
  if (typeof value === 'bigint') return { bigint: value.toString() }
  if (value === undefined) return { undefined: true }
  if (typeof value === 'number' && (!Number.isFinite(value) || Object.is(value, -0))) return { number: String(value) }
  if (value instanceof Uint8Array) return { bytes: [...value] }
  if (value instanceof Y.Doc) return { doc: value.guid, meta: plain(value.meta), autoLoad: value.autoLoad, gc: value.gc }
  if (value instanceof Y.AbstractType) return dump(value)
  if (Array.isArray(value)) return value.map(plain)
  if (value !== null && typeof value === 'object') return Object.fromEntries(Object.keys(value).sort().map(key => [key, plain(value[key])]))
  return value
}

// A pair of surrogates that was ever split is two U+FFFD in one Yjs and whole in another, by the order in which they
// came to it; so halves are compared by their number. What a split writes is compared as bytes.
const halves = text => text.replace(/[\ud800-\udfff]/g, '\ufffd')

/** All that is not deleted in a type, whatever the type: list content (with format marks) and map content. */
const dump = type => {
  const list = []
  for (let item = type._start; item !== null; item = item.right) {
    if (item.deleted) continue
    const content = item.content
    if (content instanceof Y.ContentString && typeof list.at(-1) === 'string') {
      list[list.length - 1] += halves(content.str)
    } else if (content instanceof Y.ContentString) {
      list.push(halves(content.str))
    } else if (content instanceof Y.ContentFormat) {
      list.push({ mark: content.key, value: plain(content.value) })
    } else if (content instanceof Y.ContentEmbed) {
      list.push({ embed: plain(content.embed) })
    } else {
      content.getContent().forEach(value => list.push([plain(value)]))
    }
  }
  const map = {}
  for (const key of [...type._map.keys()].sort()) {
    const item = type._map.get(key)
    if (!item.deleted) map[key] = plain(item.content.getContent()[item.length - 1])
  }
  return { type: type.constructor.name, name: type.nodeName ?? type.hookName, list, map }
}

const ids = ds => [...ds.clients].sort((a, b) => a[0] - b[0]).map(([client, list]) => `${client}:${list.map(one => `${one.clock}+${one.len}`)}`).join(' ')

/** What must be equal for two documents to be the same. */
export const facts = doc => ({
  vector: [...Y.decodeStateVector(Y.encodeStateVector(doc))].sort((a, b) => a[0] - b[0]).join(' '),
  deleted: ids(Y.createDeleteSetFromStructStore(doc.store)),
  pending: String(doc.store.pendingStructs !== null || doc.store.pendingDs !== null),
  content: JSON.stringify([...doc.share.keys()].sort().map(name => [name, dump(doc.share.get(name))]))
})

const REFS = [Y.GC, Y.ContentDeleted, Y.ContentJSON, Y.ContentBinary, Y.ContentString, Y.ContentEmbed, Y.ContentFormat, Y.ContentType, Y.ContentAny, Y.ContentDoc, Y.Skip]
const kindOf = struct => REFS.indexOf(struct instanceof Y.Item ? struct.content.constructor : struct.constructor)

/** The structs of a decoded update as text, one `client clock length kind` each, then its deletions. */
export const structsOf = ({ structs, ds }) => {
  const id = one => one === null ? '-' : `${one.client}:${one.clock}`
  const list = structs.map(one => {
    const item = one instanceof Y.Item
    const refs = item ? `${id(one.origin)} ${id(one.rightOrigin)} ${one.parent instanceof Y.ID ? id(one.parent) : '-'}` : '- - -'
    return `${one.id.client} ${one.id.clock} ${one.length} ${kindOf(one)} ${refs}`
  })
  const deleted = [...Y.mergeDeleteSets([ds]).clients].sort((a, b) => a[0] - b[0]).flatMap(([client, ranges]) => ranges.map(one => `${client}:${one.clock}+${one.len}`))
  return `${list.join('\n')}\n\n${deleted.join(' ')}`
}

/** How often each kind of content was seen. */
export const coverage = new Map()
const seen = name => coverage.set(name, (coverage.get(name) ?? 0) + 1)

const refOf = type => {
  let ref = -1
  type._write({ writeTypeRef: one => { ref = one }, writeKey: () => {} })
  return ref
}

const TYPES = ['Array', 'Map', 'Text', 'XmlElement', 'XmlFragment', 'XmlHook', 'XmlText']
const anySeen = value => {
  if (value === null) return seen('any null')
  if (typeof value === 'number') {
    return seen(Number.isInteger(value) && Math.abs(value) <= 0x7fffffff ? 'any integer' : Object.is(Math.fround(value), value) ? 'any float32' : 'any float64')
  }
  if (value instanceof Uint8Array) return seen('any bytes')
  if (typeof value !== 'object') return seen(typeof value === 'boolean' ? `any ${value}` : `any ${typeof value}`)
  seen(Array.isArray(value) ? 'any array' : 'any object')
  Object.values(value).forEach(anySeen)
}

/** Counts what an honest update holds. */
export const count = update => {
  const { structs, ds } = Y.decodeUpdate(update)
  if (ds.clients.size > 0) seen('delete set')
  for (const struct of structs) {
    const name = (struct instanceof Y.Item ? struct.content : struct).constructor.name.replace(/^_/, '')
    seen(name)
    if (!(struct instanceof Y.Item)) continue
    if (struct.parentSub !== null) seen('map entry')
    if (struct.parent instanceof Y.ID) seen('nested')
    if (struct.origin !== null && struct.rightOrigin !== null) seen('between')
    const content = struct.content
    if (content instanceof Y.ContentType) seen(`type ${TYPES[refOf(content.type)]}`)
    if (content instanceof Y.ContentAny) content.arr.forEach(anySeen)
    if (content instanceof Y.ContentString && /[\ud800-\udfff]/.test(content.str)) seen('string astral')
    if (content instanceof Y.ContentString && /\p{M}/u.test(content.str)) seen('string combining')
  }
}
