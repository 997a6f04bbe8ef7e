// Random edits of every kind, the same ones for the same seed and the same document.

import * as Y from 'yjs'

/** Numbers in 0..1 from a seed (mulberry32). */
export function numbers(seed) {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
}

const WORDS = ['soup', 'Brühe', 'e\u0301', '👩‍👩‍👧', '𝒳', '\n', ' ', 'לחם', 'a'.repeat(40)]

export function randomEdits(doc, seed, count) {
  const next = numbers(seed)
  const below = (limit) => Math.floor(next() * limit)
  const word = () => WORDS[below(WORDS.length)]
  const value = () => [below(1000), word(), true, null, { deep: [word(), below(9)] }, new Uint8Array([1, 2, 3])][below(6)]
  // Never between the halves of a pair, as no editor does: Yjs puts U+FFFD in the place of both where it splits one, and
  // formatting that changes nothing splits on one replica alone.
  const range = (target, most) => {
    const whole = target.toString()
    const edge = (at) => (/[\udc00-\udfff]/.test(whole.charAt(at)) ? at - 1 : at)
    const at = edge(below(whole.length + 1))
    return [at, edge(Math.min(at + below(most), whole.length)) - at]
  }
  const text = (target) => {
    const [at, length] = range(target, 8)
    if (next() < 0.6 || length === 0) target.insert(at, word())
    else target.delete(at, length)
  }
  const kinds = [
    () => text(doc.getText('content')),
    () => {
      const rich = doc.getText('rich')
      const [at, length] = range(rich, 12)
      if (next() < 0.5 || length === 0) rich.insert(at, word(), next() < 0.3 ? { bold: true } : undefined)
      else if (next() < 0.7) rich.format(at, length, { [['bold', 'italic', 'link'][below(3)]]: next() < 0.5 ? null : true })
      else rich.delete(at, length)
    },
    () => {
      const list = doc.getArray('list')
      const at = below(list.length + 1)
      if (next() < 0.6 || at === list.length) list.insert(at, [value(), value()].slice(below(2)))
      else list.delete(at, 1)
    },
    () => {
      const map = doc.getMap('map')
      const name = `k${below(5)}`
      if (next() < 0.2) map.delete(name)
      else if (next() < 0.3) map.set(name, new Y.Text(word()))
      else if (next() < 0.3) map.set(name, Y.Array.from([value()]))
      else map.set(name, value())
      for (const inner of map.values()) if (inner instanceof Y.Text && next() < 0.5) text(inner)
    },
    () => {
      const xml = doc.getXmlFragment('xml')
      const at = below(xml.length + 1)
      const here = at < xml.length ? xml.get(at) : null
      if (!here || next() < 0.3) xml.insert(at, [next() < 0.5 ? new Y.XmlElement(['p', 'h1'][below(2)]) : new Y.XmlText(word())])
      else if (next() < 0.2) xml.delete(at, 1)
      else if (here instanceof Y.XmlElement) {
        here.setAttribute(['class', 'id'][below(2)], word())
        if (next() < 0.5) here.insert(below(here.length + 1), [new Y.XmlText(word())])
      } else if (here instanceof Y.XmlText) text(here)
    },
  ]
  for (let done = 0; done < count; done += 1) doc.transact(kinds[below(kinds.length)])
}
