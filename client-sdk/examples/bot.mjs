// A bot that joins a project and keeps count of the words of its README in words.txt, as people type.
//
//   COTERIE_URL=http://localhost:3000 COTERIE_PROJECT=… COTERIE_TOKEN=… node examples/bot.mjs
//
// The token comes from POST /api/projects/{id}/tokens.

import { createClient } from 'coterie/node'

const client = createClient({ url: process.env.COTERIE_URL ?? 'http://localhost:3000', token: process.env.COTERIE_TOKEN ?? '' })
await client.me()
const project = await client.open(process.env.COTERIE_PROJECT ?? '')
const [readme, words] = await Promise.all(['README.md', 'words.txt'].map((path) => project.files.open(path)))
await Promise.all([readme.whenSynced(), words.whenSynced()])

function count() {
  const said = `${readme.text.toString().split(/\s+/).filter(Boolean).length} words\n`
  if (words.text.toString() === said) return
  words.doc.transact(() => {
    words.text.delete(0, words.text.length)
    words.text.insert(0, said)
  })
}
readme.text.observe(count)
count()
