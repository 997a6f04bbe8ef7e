// What an answer is good for: its code in the file or in a proposal, a link to it, another model; and pictures and files of the device.

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { axe, inspect, reads, row, saved, text, until } from '../look.mjs'
import { DESK, PHONE, startStage } from '../stage.mjs'

const DOT = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==', 'base64')

const FILES = { 'main.js': 'const a = 1\n', 'notes.md': 'notes\n' }
const model = await startModel()
after(model.stop)
const folder = await mkdtemp(join(tmpdir(), 'coterie-models-'))
after(() => rm(folder, { recursive: true }))
const models = ['quick', 'careful'].map((name) => ({ name, model: name, base_url: model.url }))
await writeFile(join(folder, 'models.json'), JSON.stringify(models))
const stage = await startStage({ AI_MODELS: join(folder, 'models.json'), AI_MODEL: 'quick', AI_RUNS_PER_MINUTE: '100' })

test('code of an answer goes to the caret, or into a proposal; who answers and by which model is chosen', async (t) => {
  const [{ page: ann }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann' })
  await row(ann, 'main.js').click()
  await reads(ann, 'const a = 1')
  await text(ann).click()
  await ann.keyboard.press('Control+End')
  await ann.getByTestId('chat-open').click()
  model.answer('Try this:\n\n```js\nconst b = 2\n```\n')
  await ann.getByTestId('chat-to').selectOption('debugger')
  await ann.getByTestId('chat-model').selectOption('careful')
  await ann.getByTestId('chat-text').fill('what comes next?')
  await inspect(ann, 'chat-choose')
  await ann.keyboard.press('Enter')
  await ann.locator('.code', { hasText: 'const b = 2' }).getByRole('button', { name: 'Insert' }).waitFor()
  assert.equal(model.asked.at(-1).model, 'careful')
  await ann.getByTestId('answer-account').getByText('careful').waitFor()
  assert.equal(await ann.getByTestId('chat-to').inputValue(), '')
  const code = ann.locator('.code', { hasText: 'const b = 2' })
  await inspect(ann, 'chat-use')
  await code.getByRole('button', { name: 'Insert' }).click()
  await reads(ann, 'const b = 2')
  await saved(ann)
  await code.getByRole('button', { name: 'Propose' }).click()
  await ann.getByTestId('draft').getByText('const b = 2const b = 2').waitFor()
  await ann.getByTestId('propose-summary').fill('Once more')
  await ann.getByTestId('propose-send').click()
  await ann.getByText('Once more').first().waitFor()
})

test('what one model could not answer is asked of another', async (t) => {
  const [{ page: ann }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann' })
  await ann.getByTestId('chat-open').click()
  model.refuse(401, { message: 'Incorrect API key' })
  await ann.getByTestId('chat-text').fill('what is the word?')
  await ann.keyboard.press('Enter')
  await ann.getByTestId('answer-broken').waitFor()
  await ann.getByTestId('answer-retry-with').click()
  await inspect(ann, 'chat-another-model')
  model.answer('The word is onion.')
  await ann.getByRole('button', { name: 'careful' }).click()
  await ann.getByTestId('message').getByText('The word is onion.').waitFor()
  await ann.getByTestId('answer-broken').waitFor({ state: 'detached' })
  assert.deepEqual(model.asked.slice(-2).map(({ model }) => model), ['quick', 'careful'])
})

test('a link leads to a message, on a phone too; the title counts what was not read; the chat is downloaded', async (t) => {
  const [owner, { page: bob }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann', expected: [/status of 404/] }, { name: 'Bob', ...PHONE })
  const [ann, project] = [owner.page, owner.project()]
  const say = async (body) => (await owner.ask(`/api/projects/${project}/messages`, { body })).id
  // Nobody answers what is not meant for them.
  await owner.ask(`/api/projects/${project}/conversations/${project}`, { answers: 'mentioned' }, 'PATCH')
  const wanted = await say('The word is onion')
  for (let i = 0; i < 3; i += 1) await say(`More ${i}`)
  await until(bob, () => document.title.startsWith('(4) '))
  await bob.goto(`${stage.url}/p/${project}/m/${wanted}`)
  await until(bob, () => document.activeElement?.dataset.seq === '1')
  await bob.getByText('The word is onion').waitFor()
  await until(bob, () => !document.title.startsWith('('))
  await axe(bob, 'a message that was linked to')

  await ann.getByTestId('chat-open').click()
  const message = ann.getByTestId('message').filter({ hasText: 'The word is onion' })
  await message.hover()
  await message.getByTestId('message-more').click()
  await ann.getByRole('button', { name: 'Copy a link to it' }).click()
  await ann.getByText('The link leads members').waitFor()
  assert.equal(await ann.evaluate(() => navigator.clipboard.readText()), `${stage.url}/p/${project}/m/${wanted}`)
  await ann.getByTestId('chat-more').click()
  const [download] = await Promise.all([ann.waitForEvent('download'), ann.getByRole('button', { name: 'Download as Markdown' }).click()])
  assert.equal(download.suggestedFilename(), 'chat.md')
  await ann.goto(`${stage.url}/p/${project}/m/0190f7a0-0000-7000-8000-000000000000`)
  await ann.getByText('That message is not here').waitFor()
})

for (const [look, options] of Object.entries({ desk: DESK, phone: PHONE })) {
  test(`files of the device come in, pictures open as tabs, ${look}`, async (t) => {
    const [{ page: ann }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann', ...options })
    await row(ann, 'notes.md').waitFor()
    if (look === 'desk') {
      const data = await ann.evaluateHandle(() => {
        const carried = new DataTransfer()
        carried.items.add(new File(['dropped text'], 'dropped.md'))
        return carried
      })
      // Chromium gives entries only to what people drop: the browser's own drop is not to be had here.
      await ann.evaluate(() => {
        DataTransferItem.prototype.webkitGetAsEntry = function () {
          const file = this.getAsFile()
          return { isFile: true, name: file.name, file: (done) => done(file) }
        }
      })
      for (const type of ['dragover', 'drop']) await row(ann, 'notes.md').dispatchEvent(type, { dataTransfer: data })
      await row(ann, 'dropped.md').waitFor()
      await reads(ann, 'dropped text')
    } else {
      await ann.getByRole('navigation', { name: 'Panes' }).getByRole('link', { name: 'Files' }).tap()
    }
    await ann.getByTestId('bring').setInputFiles([
      { name: 'dot.png', mimeType: 'image/png', buffer: DOT }, { name: 'list.txt', mimeType: 'text/plain', buffer: Buffer.from('one\ntwo\n') },
    ])
    await row(ann, 'list.txt').waitFor()
    await ann.getByTestId('pictures').click()
    await inspect(ann, `pictures-list-${look}`)
    await ann.getByTestId('picture-link').click()
    await until(ann, () => document.querySelector('[role=tabpanel]:not([inert]) [data-testid=picture]')?.naturalWidth === 1)
    await until(ann, () => document.title.startsWith('dot.png'))
    await inspect(ann, `picture-${look}`)
    await ann.reload()
    await ann.getByTestId('picture').waitFor()
  })
}

test('projects are found, put in order, and say who is in them', async (t) => {
  const [{ page: ann, ask }] = await stage.meet(t, 'A room', { 'a.md': 'a' }, { name: 'Ann' }, { name: 'Bob' })
  for (let i = 1; i <= 7; i += 1) await ask('/api/projects', { name: `Project ${i}` })
  await ann.goto('/')
  const names = () => ann.getByTestId('project-link').locator('.name').allInnerTexts()
  const card = ann.getByTestId('project-link').filter({ hasText: 'A room' })
  await card.waitFor()
  assert.equal((await names())[0], 'Project 7')
  await ann.getByTestId('project-order').selectOption('name')
  assert.equal((await names())[0], 'A room')
  // In sight now, it is asked about.
  await card.getByTestId('project-inside').getByText('Bob is there now').waitFor({ timeout: 40_000 })
  await inspect(ann, 'projects-inside')
  await ann.getByTestId('project-search').fill('project 3')
  await until(ann, () => document.querySelectorAll('[data-testid=project-link]').length === 1)
  assert.deepEqual(await names(), ['Project 3'])
  await ann.getByTestId('project-search').fill('nothing of this name')
  await ann.getByText('No project has “nothing of this name”').waitFor()
  await ann.keyboard.press('Escape')
  await until(ann, () => document.querySelectorAll('[data-testid=project-link]').length === 8)
})
