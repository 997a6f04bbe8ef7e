// The finer points of the chat: what was said is found again, a part of a text goes along, code has its colours, and who has to
// wait is told how long.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { axe, inspect, reads, row, text, until } from '../look.mjs'
import { startStage } from '../stage.mjs'

const model = await startModel()
after(model.stop)
const stage = await startStage({ AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_RUNS_PER_MINUTE: '100' })
const begin = async (t, settings = {}) => (await stage.meet(t, 'Greetings', { 'main.js': 'const a = 1\nconst b = 2\nconst c = 3\n' }, { name: 'Ann', ...settings }))[0]

test('what was said long ago is found and shown in its place', async (t) => {
  const { page: ann, ask, project } = await begin(t)
  // Nobody answers what is not meant for them.
  await ask(`/api/projects/${project()}/conversations/${project()}`, { answers: 'mentioned' }, 'PATCH')
  for (let i = 1; i <= 70; i += 1) {
    await ask(`/api/projects/${project()}/messages`, { body: i === 3 ? 'The secret **word** is onion' : `Message ${i}` })
  }
  await ann.getByTestId('chat-open').click()
  await ann.getByText('Message 70').waitFor()
  assert.equal(await ann.getByText('The secret word is onion').count(), 0)
  await ann.getByTestId('chat-more').click()
  await ann.getByRole('button', { name: 'Search in the chat' }).click()
  await ann.keyboard.type('ONION')
  await ann.getByTestId('chat-found').getByRole('button').waitFor()
  await inspect(ann, 'chat-search')
  await ann.keyboard.press('ArrowDown')
  await ann.keyboard.press('Enter')
  await ann.getByTestId('message').filter({ hasText: 'The secret word is onion' }).waitFor()
  await until(ann, () => document.activeElement?.dataset.seq === '3' && document.activeElement.getBoundingClientRect().top > 0)
  await ann.getByTestId('chat-search').fill('no such words')
  await ann.getByText('Nobody said “no such words”.').waitFor()
  await ann.getByTestId('chat-search').press('Escape')
  await until(ann, () => document.querySelector('[data-testid=chat-search]') === null && document.activeElement?.dataset.testid === 'chat-text')
})

test('a part of a text goes along, and code in the answer has colours', async (t) => {
  const { page: ann } = await begin(t)
  await row(ann, 'main.js').click()
  await reads(ann, 'const b = 2')
  await text(ann).getByText('const b = 2').click()
  await ann.keyboard.press('Home')
  await ann.keyboard.press('Shift+ArrowDown')
  await ann.keyboard.press('Shift+End')
  await ann.getByTestId('chat-open').click()
  await ann.getByTestId('chat-text').focus()
  await ann.getByTestId('chat-selection').getByText('lines 2–3').waitFor()
  await ann.getByTestId('chat-attach').click()
  model.answer('It is:\n\n```js\nconst b = 2 // two\n```\n\n```nolanguage\nplain\n```\n')
  await ann.getByTestId('chat-text').fill('@assistant what is this?')
  await ann.keyboard.press('Enter')
  await ann.getByRole('list', { name: 'Attached' }).getByRole('link', { name: '2 lines of main.js' }).waitFor()
  await ann.locator('.tok-keyword').getByText('const').waitFor()
  await ann.locator('.tok-comment').getByText('// two').waitFor()
  assert.ok(JSON.stringify(model.asked).includes('const c = 3'), 'the model was shown it')
  await inspect(ann, 'chat-code')
})

test('who writes too often is told how long to wait, and keeps what was written', async (t) => {
  const { page: ann } = await begin(t, { expected: [/status of 429/] })
  await ann.getByTestId('chat-open').click()
  await ann.route('**/messages', (route) => route.request().method() === 'POST'
    ? route.fulfill({ status: 429, headers: { 'retry-after': '2' }, json: { error: { code: 'rate_limited', message: 'Too many requests.' } } })
    : route.continue())
  await ann.getByTestId('chat-text').fill('Hello')
  await ann.getByTestId('chat-text').press('Enter')
  await ann.getByText('Not sent: Too many requests.').waitFor()
  await ann.getByTestId('countdown').getByText(/You can try again in [12] seconds?\./).waitFor()
  await ann.getByTestId('countdown').getByText('You can try again now.').waitFor()
  await axe(ann, 'having to wait')
  await ann.unroute('**/messages')
  await ann.getByTestId('chat-send').click()
  await ann.getByTestId('message').getByText('Hello').waitFor()
})
