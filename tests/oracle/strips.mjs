// Small states of one long struct each, to be cut at every clock: every content that can be longer than 1.
import * as Y from 'yjs'
import { insertJson } from './session.mjs'

const VALUES = [[undefined], null, 0, -0, 63, -64, 2147483647, -2147483648, 1.5, 0.1, 1e300, NaN, -Infinity, 9007199254740991, [12n, -(2n ** 63n)], true, false, '', 'é😀e\u0301', {}, { a: { b: [1, undefined] }, '': 'x' }, [], [[[]], new Uint8Array(3)], new Uint8Array([1, 0xff])]

const make = (name, gc, write) => {
  const doc = new Y.Doc({ gc })
  doc.clientID = 0x1_0000_0001
  write(doc)
  return [name, Y.encodeStateAsUpdate(doc)]
}

/** Pairs of a name and a state. */
export const strips = () => [
  make('string ascii', true, doc => doc.getText('t').insert(0, 'hello, world')),
  make('string astral', true, doc => doc.getText('t').insert(0, '😀a😀😀b👩‍👩‍👧‍👦𝒳')),
  make('string combining', true, doc => doc.getText('t').insert(0, 'e\u0301a\u0308\u0323ñ\u{1f3fd}क्षि')),
  make('string halves', true, doc => doc.getText('t').insert(0, 'a\ud83db\ude00c')),
  make('string marks', true, doc => doc.getText('t').insert(0, '\ufeffa\0b\u2028\r\n')),
  make('any', true, doc => {
    // One struct holds only plain values; byte strings end it.
    doc.getArray('a').insert(0, VALUES.filter(value => !(value instanceof Uint8Array)))
  }),
  make('any between', true, doc => {
    doc.getArray('a').insert(0, ['x', 'y'])
    doc.getArray('a').insert(1, [1, [2], 3])
  }),
  make('json', true, doc => doc.transact(transaction => insertJson(transaction, doc.getArray('a'), [1, undefined, 'é😀', { a: [null] }, [], -1.5e30]))),
  make('deleted', true, doc => {
    doc.getText('t').insert(0, 'abcdefgh')
    doc.getText('t').delete(1, 6)
  }),
  make('deleted kept', false, doc => {
    doc.getText('t').insert(0, 'ab😀defgh')
    doc.getText('t').delete(1, 6)
  }),
  make('gc', true, doc => {
    const inner = new Y.Array()
    doc.getArray('a').insert(0, [inner])
    inner.insert(0, [1, 2, 3, 4, 5, 6])
    doc.getArray('a').delete(0, 1)
  }),
  make('map entries', true, doc => {
    for (let i = 0; i < 7; i++) doc.getMap('m').set('k', i)
  }),
  make('map entries kept', false, doc => {
    for (let i = 0; i < 7; i++) doc.getMap('m').set('k', [i])
  }),
  make('map json kept', false, doc => {
    // Each alone, as no Yjs gives a map entry two values; overwritten ones become one struct.
    for (let i = 0; i < 5; i++) doc.transact(transaction => insertJson(transaction, doc.getMap('m'), [{ i }], 'k'))
  }),
  make('marks', true, doc => {
    doc.getText('t').insert(0, 'bold and plain', { bold: true })
    doc.getText('t').format(3, 4, { bold: null, color: { name: 'red', of: [1, { deep: '😀' }] } })
    doc.getText('t').insertEmbed(2, { image: 'x' })
  }),
  make('types', true, doc => {
    doc.getArray('a').insert(0, [new Y.Array(), new Y.Map(), new Y.Text('text'), new Y.XmlElement('p'), new Y.XmlFragment(), new Y.XmlText('xml'), new Y.XmlHook('hook'), new Y.Doc({ guid: 'g', meta: { a: 1 }, autoLoad: true }), new Uint8Array(5)])
  })
]
