// All of a day's work without a mouse: a project, a file, its text, the chat, the assistant, a proposal of one's own and a review.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { eventually, focused, reads, saved, tabTo, until } from '../look.mjs'
import { startStage } from '../stage.mjs'

const model = await startModel()
after(model.stop)
const stage = await startStage({ AI_BASE_URL: model.url, AI_MODEL: 'small-model' })

test('from the first page to a review that is over, by keyboard alone', async (t) => {
  const { page, context, at, stored } = await stage.person(t)
  const pointers = []
  await context.exposeBinding('pointed', (_, what) => void pointers.push(what))
  await context.addInitScript(() => {
    for (const kind of ['pointerdown', 'mousedown', 'touchstart']) addEventListener(kind, ({ target }) => globalThis.pointed(`${kind} on ${target.localName}`), true)
  })
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve())
  const type = (words) => page.keyboard.type(words)

  await page.goto('/')
  await focused(page, '[data-testid=guest-name]')
  await type('Ann')
  await press('Enter')
  await focused(page, '[data-testid=project-name]')
  await type('Recipe book')
  await press('Enter')
  await focused(page, '[data-testid=file-path]')
  await type('soup.md')
  await press('Enter')
  await focused(page, '[role=tabpanel] .cm-content')
  await type('Boil water.\nAdd salt.')
  await saved(page)

  // Something said to everybody, and something asked.
  await tabTo(page, '[data-testid=chat-open]', { back: true })
  await press('Enter')
  await focused(page, '[data-testid=chat-text]')
  await type('Is it *good*?')
  model.answer('It is fine.')
  await press('Enter')
  await page.getByTestId('message').filter({ hasText: 'It is fine.' }).waitFor()
  model.call('propose_edits', {
    summary: 'Add pepper', rationale: 'It tastes better.', confidence: 90, risk: 'low',
    files: [{ op: 'edit', path: 'soup.md', edits: [{ find: 'Add salt.', replace: 'Add salt and pepper.' }] }],
  })
  model.answer('I propose pepper.')
  await type('@cod')
  await at('mentions').waitFor()
  await press('Enter')
  await type('make it better')
  await press('Enter')
  await at('answer-proposal').waitFor()

  // What it proposes: into the review, to the change, accepted; then taken back.
  await tabTo(page, '[data-testid=answer-proposal]', { back: true })
  await press('Enter')
  await at('review').waitFor()
  await tabTo(page, '[data-testid=hunk-accept]', { most: 80 })
  await press(']', 'y')
  await until(page, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Accepted')
  assert.equal(await stored('soup.md'), 'Boil water.\nAdd salt and pepper.')
  await tabTo(page, '[data-testid=review-undo]', { back: true })
  await press('Enter')
  await eventually('it is taken back', async () => (await stored('soup.md')) === 'Boil water.\nAdd salt.')

  // One's own proposal, from the text.
  await press('Control+p')
  await focused(page, '[data-testid=palette]')
  await type('soup')
  await press('Enter')
  await focused(page, '[role=tabpanel] .cm-content')
  await reads(page, 'Add salt.')
  await tabTo(page, '[data-testid=propose]', { back: true })
  await press('Enter')
  await focused(page, '[data-testid=draft] .cm-content')
  await press('Control+End')
  await type('\nServe hot.')
  await press('Tab')
  await focused(page, '[data-testid=propose-summary]')
  await type('Say how to serve it')
  await press('Enter')
  await at('review').getByRole('heading', { name: 'Say how to serve it' }).waitFor()
  await tabTo(page, '[data-testid=hunk-accept]', { most: 80 })
  await press('Enter')
  await until(page, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Accepted')
  assert.equal(await stored('soup.md'), 'Boil water.\nAdd salt.\nServe hot.')
  assert.deepEqual(pointers, [])
})
