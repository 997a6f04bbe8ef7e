// The examples of the package, as they are, with two people in each.

import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { eventually } from '../look.mjs'
import { newPerson, startStage } from '../stage.mjs'

const SDK = fileURLToPath(new URL('../../../client-sdk/', import.meta.url))

/** What the browser says of pages without an icon. */
const EXPECTED = [/favicon/]

/** Serves the examples beside a server, as `npm run examples` does. */
async function serve(t, server) {
  process.env.COTERIE_URL = server.url
  const { build, preview } = await import(pathToFileURL(createRequire(`${SDK}package.json`).resolve('vite')).href)
  const outDir = await mkdtemp(join(tmpdir(), 'coterie-examples-'))
  t.after(() => rm(outDir, { recursive: true, force: true }))
  const config = { configFile: `${SDK}examples/vite.config.ts`, logLevel: 'error', build: { outDir, emptyOutDir: true } }
  await build(config)
  const pages = await preview({ ...config, preview: { port: 0, host: '127.0.0.1' } })
  t.after(() => pages.close())
  return `http://127.0.0.1:${pages.httpServer.address().port}`
}

test('the examples run: an editor, a page in React, and rich text', async (t) => {
  const server = await startStage({}, t)
  const address = await serve(t, server)

  async function person(name) {
    const { ask, newTab } = await newPerson(t, address, { name, expected: EXPECTED })
    return {
      ask,
      async open(path) {
        const { page } = await newTab()
        await page.goto(path)
        return page
      },
    }
  }

  const ann = await person('Ann')
  const ben = await person('Ben')
  const { id } = await ann.ask('/api/projects', { name: 'Examples' })
  await ann.ask(`/api/projects/${id}/documents`, { path: 'notes.md', content: 'one\n' })
  const { token } = await ann.ask(`/api/projects/${id}/invites`, { role: 'editor' })
  await ben.ask(`/api/invites/${token}/accept`, {})
  const says = (page, selector, words) => eventually(`${selector} says ${words}`, async (saw) => {
    const text = await page.locator(selector).first().innerText().catch(() => '')
    saw(text)
    return text.includes(words)
  })

  const plain = [await ann.open(`/plain/#${id}/notes.md`), await ben.open(`/plain/#${id}/notes.md`)]
  await says(plain[0], '#people', 'Ann, Ben')
  await plain[0].locator('.cm-content').click()
  await plain[0].keyboard.type('Typed by Ann. ')
  await says(plain[1], '.cm-content', 'Typed by Ann.')
  await says(plain[0], '#save', 'Saved')
  await plain[1].locator('.caret-name', { hasText: 'Ann' }).waitFor({ state: 'attached' })

  const react = await ben.open(`/react/#${id}`)
  await eventually('the text in React', async () => (await react.locator('textarea').inputValue().catch(() => '')).includes('Typed by Ann.'))
  await says(react, 'p', 'Ann')
  await plain[0].keyboard.type('And more. ')
  await eventually('the text follows', async () => (await react.locator('textarea').inputValue()).includes('And more.'))

  const rich = [await ann.open(`/tiptap/#${id}/page`)]
  await says(rich[0], '#save', 'Saved')
  rich.push(await ben.open(`/tiptap/#${id}/page`))
  await says(rich[0], '#people', 'Ann, Ben')
  await rich[0].locator('.tiptap').click()
  await rich[0].keyboard.type('Plain and ')
  await rich[0].locator('#bold').click()
  await rich[0].keyboard.type('bold')
  await rich[1].locator('.tiptap strong', { hasText: 'bold' }).waitFor()
  await says(rich[1], '.collaboration-carets__label', 'Ann')
  await rich[1].locator('.tiptap').click()
  await rich[1].keyboard.press('Control+End')
  await rich[1].keyboard.type('!')
  await says(rich[0], '.tiptap', 'Plain and bold!')
  // One's own edits are undone, and nobody else's.
  await rich[0].locator('.tiptap').click()
  await rich[0].keyboard.press('Control+z')
  await eventually('Ben’s mark alone stays', async (saw) => {
    const text = await rich[1].locator('.tiptap').innerText()
    saw(text)
    return text.includes('!') && !text.includes('bold')
  })
  await says(rich[0], '#save', 'Saved')
})
