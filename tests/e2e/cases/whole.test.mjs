// A project's files as a whole: in from an archive, out as one, and those that are no text; and what the assistant took.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { devices } from 'playwright-core'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { startServer } from '../server.mjs'
import { newPerson, startBrowser, until } from '../studio.mjs'

const LOOKS = {
  light: { colorScheme: 'light', viewport: { width: 1280, height: 800 } },
  'phone-dark': { ...devices['Pixel 7'], colorScheme: 'dark' },
}
/** A red dot. */
const DOT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64')

for (const [look, settings] of Object.entries(LOOKS)) {
  test(`files go out as an archive and come in as another project, with their pictures, ${look}`, async (t) => {
    const model = await startModel()
    t.after(model.stop)
    const server = await startServer(t, { env: { AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_PRICES: '2/10', AI_PROJECT_BUDGET: '100000' } })
    const browser = await startBrowser(t)
    const ann = await newPerson(t, browser, server, { ...settings, expected: [/status of 400/] })
    await ann.signIn('Ann')
    await ann.at('template-notes').check()
    await ann.createProjectAnywhere('Minutes')
    const project = /\/p\/([^/]+)/.exec(await until('its address', async () => /\/p\/[^/]+/.test(ann.page.url()) && ann.page.url()))[1]
    model.answer('Hello.')
    const post = (path, body) => ann.page.evaluate(async ([to, what]) => {
      const answer = await fetch(to, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(what) })
      if (!answer.ok) throw new Error(await answer.text())
      return answer.json()
    }, [path, body])
    await post(`/api/projects/${project}/messages`, { body: '@assistant hello' })
    await until('it answered', async () => (await (await ann.context.request.get(`/api/projects/${project}/usage`)).json()).items.length > 0)

    await ann.page.goto(`/p/${project}/settings`)
    await ann.at('upload').setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: DOT })
    await ann.page.getByText('dot.png is kept.').waitFor()
    const picture = ann.page.getByRole('link', { name: 'Look at dot.png' }).locator('img')
    await until('the picture is shown', () => picture.evaluate((img) => img.naturalWidth === 1))
    await ann.at('assistant-usage').getByText('small-model').waitFor()
    await ann.page.getByText('Left for this project today').waitFor()
    await ann.inspect(`${look}-16-whole`)
    const [download] = await Promise.all([ann.page.waitForEvent('download'), ann.at('export').click()])
    const archive = await readFile(await download.path())
    assert.equal(archive.subarray(0, 2).toString(), 'PK')
    await ann.page.getByRole('button', { name: 'Delete dot.png' }).press('Enter')
    await ann.page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).press('Enter')
    await ann.page.getByText('No pictures and attachments yet.').waitFor()

    // What is no archive makes no project.
    await ann.page.goto('/')
    await ann.at('project-import').setInputFiles({ name: 'broken.zip', mimeType: 'application/zip', buffer: Buffer.from('no zip') })
    await ann.page.getByText('not a zip archive').waitFor()
    await ann.page.reload()
    await ann.at('project-link').first().waitFor()
    assert.deepEqual(await ann.at('project-link').locator('.name').allInnerTexts(), ['Minutes'])
    await ann.at('project-import').setInputFiles({ name: 'Minutes of old.zip', mimeType: 'application/zip', buffer: archive })
    await ann.page.waitForURL((url) => url.pathname.startsWith('/p/') && !url.pathname.includes(project))
    await ann.page.getByText('Minutes of old').first().waitFor()
    const copy = /\/p\/([^/]+)/.exec(ann.page.url())[1]
    const paths = async (id) => (await (await ann.context.request.get(`/api/projects/${id}/documents`)).json()).items.map(({ path }) => path).sort()
    assert.deepEqual(await paths(copy), await paths(project))
    const blobs = await (await ann.context.request.get(`/api/projects/${copy}/blobs`)).json()
    assert.equal(blobs.items.length, 1)
    assert.match(blobs.items[0].name, /dot\.png$/)
  })
}
