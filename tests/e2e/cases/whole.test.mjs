// A project's files as a whole: in from an archive, out as one, and those that are no text; and what the assistant took.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { eventually } from '../look.mjs'
import { startStage } from '../stage.mjs'

/** A red dot. */
const DOT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64')

test('files go out as an archive and come in as another project, with their pictures', async (t) => {
  const model = await startModel()
  t.after(model.stop)
  const stage = await startStage({ AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_PRICES: '2/10', AI_PROJECT_BUDGET: '100000' }, t)
  const ann = await stage.person(t, { expected: [/status of 400/] })
  await ann.signIn('Ann')
  await ann.at('template-notes').check()
  await ann.createProject('Minutes')
  const project = ann.project()
  model.answer('Hello.')
  await ann.ask(`/api/projects/${project}/messages`, { body: '@assistant hello' })
  await eventually('it answered', async () => (await ann.ask(`/api/projects/${project}/usage`)).items.length > 0)

  await ann.page.goto(`/p/${project}/settings`)
  await ann.at('upload').setInputFiles({ name: 'dot.png', mimeType: 'image/png', buffer: DOT })
  await ann.page.getByText('dot.png is kept.').waitFor()
  const picture = ann.page.getByRole('link', { name: 'Look at dot.png' }).locator('img')
  await eventually('the picture is shown', () => picture.evaluate((img) => img.naturalWidth === 1))
  await ann.at('assistant-usage').getByText('small-model').waitFor()
  await ann.page.getByText('Left for this project today').waitFor()
  await ann.inspect('16-whole')
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
  const copy = ann.project()
  const paths = async (id) => (await ann.ask(`/api/projects/${id}/documents`)).items.map(({ path }) => path).sort()
  assert.deepEqual(await paths(copy), await paths(project))
  const blobs = await ann.ask(`/api/projects/${copy}/blobs`)
  assert.equal(blobs.items.length, 1)
  assert.match(blobs.items[0].name, /dot\.png$/)
})
