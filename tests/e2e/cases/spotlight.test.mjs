// Following and being followed: one asks, one comes along and one does not; everybody has a colour of their own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect, reads, row, shot, text, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

test('who asks to be followed is, by those who want to, until they end it', async (t) => {
  const files = { 'one.md': 'the first file\n', 'two.md': 'the second file\n' }
  const [{ page: ann }, { page: ben }, { page: cleo }] = await stage.meet(t, 'Walk', files, { name: 'Ann' }, { name: 'Ben', colorScheme: 'dark' }, { name: 'Cleo', ...PHONE })
  await row(ann, 'one.md').click()
  await row(ben, 'one.md').click()
  await reads(ben, 'the first file')

  // Their carets differ, and no style of an element says how.
  await text(ann).getByText('the first file').click()
  await ann.keyboard.press('Shift+End')
  await text(ben).getByText('the first file').click()
  await until(ann, () => document.querySelector('.caret-name')?.textContent === 'Ben')
  await until(ben, () => document.querySelector('.caret-name')?.textContent === 'Ann')
  const look = (page) => page.evaluate(() => {
    const caret = document.querySelector('.caret')
    return { style: caret.getAttribute('style'), who: /who-\d/.exec(caret.className)?.[0], color: getComputedStyle(caret).borderLeftColor }
  })
  const [bens, anns] = [await look(ann), await look(ben)]
  assert.deepEqual([bens.style, anns.style], [null, null])
  assert.ok(bens.who && anns.who && bens.who !== anns.who, `${bens.who} ${anns.who}`)
  assert.match(bens.color, /rgb/)

  await ann.getByTestId('people').getByRole('button').first().click()
  await ann.getByTestId('spotlight').click()
  await ann.getByText('nobody does yet').waitFor()
  await ben.getByText('Ann asks you to follow').waitFor()
  await cleo.getByText('Ann asks you to follow').waitFor()
  await inspect(ben, 'spotlight-asked')
  await shot(cleo, 'spotlight-asked-phone')
  await cleo.getByTestId('spotlight-decline').tap()
  await ben.getByTestId('spotlight-follow').click()
  await ann.getByText('You asked everybody to follow you: one does').waitFor()
  await inspect(ann, 'spotlight')
  await row(ann, 'two.md').click()
  await reads(ben, 'the second file')
  await ben.getByTestId('following').getByText('Following Ann').waitFor()
  assert.equal(await cleo.getByTestId('spotlight-asked').count(), 0)

  await ann.keyboard.press('Escape')
  await ann.getByTestId('spotlight-mine').waitFor({ state: 'detached' })
  await ben.getByTestId('following').waitFor({ state: 'detached' })
  await row(ann, 'one.md').click()
  await reads(ann, 'the first file')
  await reads(ben, 'the second file')
})
