// What client-sdk/README.md prints, as printed there: its examples one after the other in a page of the real server, and its
// page on another site.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { eventually } from '../look.mjs'
import { startStage } from '../stage.mjs'

const SDK = fileURLToPath(new URL('../../../client-sdk/', import.meta.url))
const readme = await readFile(`${SDK}README.md`, 'utf8')
const printed = (language) => [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n([^]*?)^\`\`\`$`, 'gm'))].map(([, block]) => block)

test('the examples of the SDK run, from the first to the last', async (t) => {
  const blocks = printed('ts')
  assert.ok(blocks.length >= 5, `${blocks.length} examples`)
  const example = `${blocks.join('\n')}\nconsole.log('all of it ran', meetings.items[0].participants.map(({ name }) => name).join())`
  const { build } = await import(pathToFileURL(createRequire(`${SDK}package.json`).resolve('vite')).href)
  const { output } = await build({
    root: SDK, configFile: false, logLevel: 'error',
    resolve: { alias: { coterie: `${SDK}src/index.ts` } },
    plugins: [{
      name: 'example',
      resolveId: (id) => (id === 'example' ? '\0example.ts' : null),
      load: (id) => (id === '\0example.ts' ? example : null),
    }],
    build: { write: false, minify: false, target: 'es2023', modulePreload: false, rollupOptions: { input: 'example' } },
  })
  const stage = await startStage({}, t)
  const { page } = await stage.person(t, { bypassCSP: true, expected: [/Yjs was already imported/] })
  const said = []
  page.on('console', (message) => said.push(message.text()))
  await page.goto('/')
  await page.addScriptTag({ type: 'module', content: output[0].code })
  const heard = (words) => eventually(words, (saw) => {
    saw(said)
    return said.some((line) => line.includes(words))
  })
  for (const words of ['Saving…', 'Saved', 'cookbook/soup.md:1', 'Less salt', 'Ann: @assistant', 'file.deleted', 'all of it ran Ann']) await heard(words)
  const texts = await page.evaluate(async () => {
    const ask = async (path) => (await fetch(`/api/projects${path}`)).json()
    const { items: [project] } = await ask('')
    const { items } = await ask(`/${project.id}/documents`)
    return Promise.all(items.map(async ({ path, id }) => [path, await (await fetch(`/api/projects/${project.id}/documents/${id}/text`)).text()]))
  })
  assert.deepEqual(texts, [['cookbook/soup.md', '# A soup with less salt\n']])
})

test('the page of ten lines runs on another site, from what the server serves', async (t) => {
  const [written] = printed('html')
  assert.ok(written.trim().split('\n').length <= 12)
  let page = ''
  const site = createServer((_, answer) => answer.setHeader('content-type', 'text/html').end(page))
  await new Promise((ready) => site.listen(0, '127.0.0.1', ready))
  t.after(() => site.close())
  const address = `http://127.0.0.1:${site.address().port}`
  const stage = await startStage({ COTERIE_ORIGINS: address }, t)
  page = written.replaceAll('http://localhost:3000', stage.url)

  const entry = await fetch(`${stage.url}/sdk/v1/index.js`)
  assert.deepEqual(['access-control-allow-origin', 'cache-control', 'content-type'].map((name) => entry.headers.get(name)), ['*', 'no-cache', 'text/javascript'])
  const again = await fetch(entry.url, { headers: { 'if-none-match': entry.headers.get('etag') } })
  assert.equal(again.status, 304)
  for (const [, part] of (await entry.text()).matchAll(/from\s*"\.\/([^"]+)"/g)) {
    const { headers } = await fetch(new URL(part, entry.url))
    assert.equal(headers.get('cache-control'), 'public, max-age=31536000, immutable')
    assert.equal(headers.get('access-control-allow-origin'), '*')
  }
  assert.equal((await fetch(`${stage.url}/sdk/v1/none.js`, { headers: { accept: 'text/html' } })).status, 404)

  const [{ page: ann, ask: asAnn }, { page: ben, ask: asBen }] = [await stage.person(t, { name: 'Ann' }), await stage.person(t, { name: 'Ben' })]
  const { id } = await asAnn('/api/projects', { name: 'Notes' })
  await asAnn(`/api/projects/${id}/documents`, { path: 'notes.md', content: '' })
  await asBen(`/api/invites/${(await asAnn(`/api/projects/${id}/invites`, { role: 'editor' })).token}/accept`, {})
  for (const [visitor, ask] of [[ann, asAnn], [ben, asBen]]) {
    await visitor.goto(`${address}/#${id}/${(await ask(`/api/projects/${id}/tokens`, {})).token}`)
    await visitor.locator('.cm-content[aria-readonly=false]').waitFor()
  }
  await ann.locator('.cm-content').click()
  await ann.keyboard.type('by Ann, ')
  await ben.locator('.cm-line', { hasText: 'by Ann,' }).waitFor()
  await ben.locator('.cm-content').click()
  await ben.keyboard.press('Control+End')
  await ben.keyboard.type('by Ben')
  await ann.locator('.cm-line', { hasText: /by Ann, .*by Ben/ }).waitFor()
  await ann.locator('.caret-name', { hasText: 'Ben' }).waitFor({ state: 'attached' })
})
