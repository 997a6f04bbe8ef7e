// Following and being followed: one asks, one comes along and one does not; everybody has a colour of their own.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, DESK, inviteFrom, PHONE, projectWith, reads, row, shot, signIn, startStage, text, until } from '../studio-stage.mjs'

test('who asks to be followed is, by those who want to, until they end it', async (t) => {
  const stage = await startStage(t)
  const ann = await stage.visitor({ ...DESK, colorScheme: 'light', reducedMotion: 'reduce' })
  await signIn(ann, stage.url, 'Ann')
  await ann.getByTestId('project-name').waitFor()
  await projectWith(ann, 'Walk', { 'one.md': 'the first file\n', 'two.md': 'the second file\n' })
  const invite = await inviteFrom(ann)
  const ben = await stage.visitor({ ...DESK, colorScheme: 'dark', reducedMotion: 'reduce' })
  const cleo = await stage.visitor({ ...PHONE, colorScheme: 'light' })
  for (const [page, name] of [[ben, 'Ben'], [cleo, 'Cleo']]) {
    await signIn(page, stage.url + invite, name)
    await row(page, 'one.md').waitFor()
  }
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
  await axe(ben, 'being asked to follow')
  await shot(ben, 'spotlight-asked-dark')
  await shot(cleo, 'spotlight-asked-phone')
  await cleo.getByTestId('spotlight-decline').tap()
  await ben.getByTestId('spotlight-follow').click()
  await ann.getByText('You asked everybody to follow you: one does').waitFor()
  await axe(ann, 'having the spotlight')
  await shot(ann, 'spotlight-light')
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
  stage.calm()
})
