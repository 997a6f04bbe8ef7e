// Markdown that grows: what counts as finished reads the same alone as it does in the whole.

import { Marked } from 'marked'
import { expect, it } from 'vitest'
import { finished } from '../app/chat/markdown.ts'

const marked = new Marked({ gfm: true, breaks: true })
const html = (text: string) => marked.parse(text, { async: false }).replace(/\s+/g, ' ').trim()

const ANSWER = `Here is what I found.
It goes on in a second line.

A title
=======

- one
- two

  still two

1. first
2. second

\`\`\`rust
fn main() {

    let fence = "\`\`";
}
\`\`\`

> quoted

lazily

| a | b |
|---|---|
| 1 | 2 |

---

The \`end\`, with **strong** words and a [link](https://example.org).
`

it('is shown in the end as if it had come at once, whatever the pieces', () => {
  for (const step of [1, 3, 7, 40]) {
    let [done, shown] = ['', '']
    for (let end = step; ; end += step) {
      const text = ANSWER.slice(0, end)
      const rest = text.slice(done.length)
      const length = finished(rest)
      expect(length).toBeLessThanOrEqual(rest.length)
      shown += html(rest.slice(0, length)) + ' '
      done += rest.slice(0, length)
      if (end >= ANSWER.length) break
    }
    expect((shown + html(ANSWER.slice(done.length))).replace(/\s+/g, ' ').trim()).toBe(html(ANSWER))
    expect(done.length, 'most of it is finished').toBeGreaterThan(ANSWER.length / 2)
  }
})

it('is nothing while one block is being written, such as a long list or code', () => {
  for (const open of ['', 'word', '- a\n- b\n- c', '```js\nlet a\n\nlet b\n\n', 'a\r\nb']) expect(finished(open)).toBe(0)
  expect(finished('one\n\ntwo')).toBe('one\n\n'.length)
})
