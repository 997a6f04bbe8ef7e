// Looking for words in every file of a project, by keyboard alone and on a phone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, focused, inspect, reads, row, saved, TEXT, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

const LONG = Array.from({ length: 300 }, (_, i) => `line ${i + 1}`).join('\n')
const FILES = {
  'notes.md': `# Notes\n\n${LONG}\nThe Needle is here.\n`,
  'docs/plan.md': 'A needle, and another needle.\nnothing\nNEEDLE\n',
  'src/main.rs': 'fn main() {}\n',
}

/** Runs what a page does, with the answers of the server to searches replaced. */
async function answering(page, answer, during) {
  await page.route('**/search?*', answer)
  await during()
  await page.unroute('**/search?*')
}

test('words are found in all files and lead to their line', async (t) => {
  const [{ page: ann }, { page: bob }] = await stage.meet(t, 'Haystack', FILES, { name: 'Ann', expected: [/status of 503/] }, { name: 'Bob' })
  await row(bob, 'src/main.rs').click()
  await focused(bob, TEXT)
  await bob.keyboard.type('// a needle of the last second\n')
  await saved(bob)

  // By keyboard alone.
  await ann.keyboard.press('Control+Shift+F')
  await focused(ann, '#search-words')
  await inspect(ann, 'search-begun')
  await ann.keyboard.type('needle')
  await until(ann, () => document.querySelector('#search-news')?.textContent.startsWith('4 lines in 3 files.'))
  await inspect(ann, 'search')
  const found = await ann.getByTestId('search-line').allInnerTexts()
  assert.deepEqual(found.map((line) => line.replace(/\s+/g, ' ').trim()), [
    'Line 1 A needle, and another needle.', 'Line 3 NEEDLE', 'Line 303 The Needle is here.', 'Line 1 // a needle of the last second',
  ])
  for (let i = 0; i < 3; i += 1) await ann.keyboard.press('ArrowDown')
  await ann.keyboard.press('Enter')
  await reads(ann, 'The Needle is here.')
  // The caret stands at the words, and typing goes on there.
  await focused(ann, TEXT)
  await ann.keyboard.type('sharp ')
  await reads(ann, 'The sharp Needle is here.')
  await saved(ann)

  await ann.getByLabel('Match case').check()
  await until(ann, () => document.querySelector('#search-news')?.textContent.startsWith('2 lines in 2 files.'))
  await ann.getByTestId('search-words').fill('no such words')
  await ann.getByText('Nothing found for “no such words”.').waitFor()
  await inspect(ann, 'search-nothing')

  // What goes wrong is said, and can be tried again; a slow answer is waited for.
  await answering(ann, (route) => route.fulfill({ status: 503, json: { error: { code: 'unavailable', message: 'Too many searches at once.' } } }), async () => {
    await ann.getByTestId('search-words').fill('needle')
    await ann.getByText('Too many searches at once.').waitFor()
    await axe(ann, 'a search that failed')
  })
  let go
  const waits = new Promise((done) => (go = done))
  await answering(ann, async (route) => { await waits; await route.continue() }, async () => {
    await ann.getByRole('button', { name: 'Try again' }).click()
    await ann.getByText('Searching').waitFor()
    go()
    await ann.getByTestId('search-line').first().waitFor()
  })

  // Back to the files, as they were.
  await ann.getByTestId('search-words').press('Escape')
  await row(ann, 'docs/plan.md').waitFor()
  await focused(ann, TEXT)
})

test('a search on a phone', async (t) => {
  const [{ page: eve }] = await stage.meet(t, 'Haystack', FILES, { name: 'Eve', ...PHONE })
  await eve.getByTestId('search').tap()
  await eve.getByTestId('search-words').fill('needle')
  await eve.getByTestId('search-line').nth(2).waitFor()
  await inspect(eve, 'search-phone')
  await eve.getByTestId('search-line').nth(2).tap()
  await reads(eve, 'The Needle is here.')
  assert.ok(await eve.evaluate(() => document.documentElement.scrollWidth <= 390), 'nothing is wider than the window')
})

test('words are replaced everywhere by a proposal, and the list shows only files with a word in their path', async (t) => {
  const many = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`more/file-${i}.txt`, 'nothing\n']))
  const [{ page: ann, stored }] = await stage.meet(t, 'Haystack', { ...FILES, ...many }, { name: 'Ann' })

  // The list, by keyboard alone.
  await ann.getByTestId('file-filter').focus()
  await ann.keyboard.type('PLAN')
  await until(ann, () => document.querySelectorAll('[role=treeitem]').length === 2)
  await inspect(ann, 'files-filtered')
  await ann.keyboard.type('x')
  await ann.getByText('No file has “PLANx” in its path.').waitFor()
  await ann.keyboard.press('Backspace')
  await ann.keyboard.press('ArrowDown')
  await ann.keyboard.press('ArrowDown')
  await ann.keyboard.press('Enter')
  await reads(ann, 'another needle')
  await ann.getByTestId('file-filter').focus()
  await ann.keyboard.press('Escape')
  await row(ann, 'notes.md').waitFor()

  await ann.keyboard.press('Control+Shift+F')
  await focused(ann, '#search-words')
  await ann.keyboard.type('needle')
  await ann.getByTestId('replace-by').focus()
  await ann.keyboard.type('$& pin')
  await inspect(ann, 'search-replace')
  await ann.keyboard.press('Enter')
  await ann.getByTestId('review').waitFor()
  await ann.getByRole('heading', { name: 'Replace “needle” with “$& pin”' }).first().waitFor()
  await ann.getByText('4 times in 2 files, without regard to capitals.').waitFor()
  await until(ann, () => document.querySelectorAll('[data-testid=hunk]').length >= 2)
  assert.equal(await stored('docs/plan.md'), FILES['docs/plan.md'], 'it is only proposed')
  await ann.getByRole('button', { name: /^Accept all/ }).click()
  await until(ann, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Accepted')
  assert.equal(await stored('docs/plan.md'), 'A $& pin, and another $& pin.\nnothing\n$& pin\n')
})
