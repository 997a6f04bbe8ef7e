// Getting around: files and commands by a few letters, the list of keys, following somebody; and a copy of what was refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, DESK, inviteFrom, projectWith, reads, row, saved, shot, signIn, startStage, text, until } from '../studio-stage.mjs'

const LONG = Array.from({ length: 300 }, (_, i) => `line ${i + 1}`).join('\n')

for (const colorScheme of ['light', 'dark']) {
  test(`by keyboard to files and commands, and after somebody, ${colorScheme}`, async (t) => {
    const stage = await startStage(t)
    const ann = await stage.visitor({ ...DESK, colorScheme })
    await signIn(ann, stage.url, 'Ann')
    await ann.getByTestId('project-name').waitFor()
    await projectWith(ann, 'Around', { 'docs/plan.md': LONG, 'docs/other.md': 'other', 'src/main.rs': 'fn main() {}\n' })
    const bob = await stage.visitor()
    await signIn(bob, stage.url + (await inviteFrom(ann)), 'Bob')
    await row(bob, 'docs/plan.md').waitFor()

    await ann.keyboard.press('Control+p')
    await until(ann, () => document.activeElement?.dataset.testid === 'palette')
    await ann.keyboard.type('mrs')
    await axe(ann, 'files by letters')
    await shot(ann, `palette-${colorScheme}`)
    await ann.keyboard.press('Enter')
    await reads(ann, 'fn main')
    await ann.keyboard.press('Control+Shift+p')
    await ann.keyboard.type('keyb')
    await axe(ann, 'commands')
    await ann.keyboard.press('Enter')
    await ann.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor()
    await axe(ann, 'shortcuts')
    await shot(ann, `shortcuts-${colorScheme}`)
    await ann.keyboard.press('Escape')

    // Where Bob goes, Ann sees what he sees; Escape, and she stays.
    await ann.getByTestId('people').getByRole('button').click()
    await ann.getByTestId('follow').click()
    await ann.getByTestId('following').getByText('Following Bob').waitFor()
    await row(bob, 'docs/plan.md').click()
    await text(bob).waitFor()
    await reads(ann, 'line 1')
    await bob.keyboard.press('Control+End')
    await bob.keyboard.type(' the end')
    await reads(ann, 'the end')
    await axe(ann, 'following')
    await shot(ann, `following-${colorScheme}`)
    await ann.keyboard.press('Escape')
    await ann.getByTestId('following').waitFor({ state: 'detached' })
    await row(bob, 'docs/other.md').click()
    await reads(bob, 'other')
    await ann.waitForTimeout(500)
    await reads(ann, 'the end')
    stage.calm()
  })
}

test('edits that were refused are kept, shown, and become a file', async (t) => {
  const stage = await startStage(t)
  const ann = await stage.visitor()
  await signIn(ann, stage.url, 'Ann')
  await ann.getByTestId('project-name').waitFor()
  const id = await projectWith(ann, 'Refused', { 'plan.md': 'one\ntwo\nthree\n' })
  const bob = await stage.visitor()
  await signIn(bob, stage.url + (await inviteFrom(ann)), 'Bob')
  await row(bob, 'plan.md').click()
  await text(bob).waitFor()
  await saved(bob)
  const bobId = await bob.evaluate(async () => (await (await fetch('/api/me')).json()).id)
  const become = (role) => ann.evaluate(async ([project, user, wanted]) => {
    const answer = await fetch(`/api/projects/${project}/members/${user}`, {
      method: 'PATCH', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ role: wanted }),
    })
    if (!answer.ok) throw new Error(await answer.text())
  }, [id, bobId, role])

  await bob.context().setOffline(true)
  await until(bob, () => document.querySelector('[data-testid=save-state]').textContent.startsWith('Offline'))
  await text(bob).click()
  await bob.keyboard.press('Control+End')
  await bob.keyboard.type('typed in a train')
  await become('viewer')
  await bob.context().setOffline(false)
  await bob.getByTestId('copy').waitFor()
  await until(bob, () => document.querySelector('[data-testid=save-state]')?.textContent.trim() === 'Read-only')
  assert.equal(await text(bob).evaluate((element) => element.textContent.includes('train')), false)
  await axe(bob, 'edits that were refused')
  await shot(bob, 'refused')
  // It is there after a reload too.
  await bob.reload()
  await bob.getByTestId('copy-show').click()
  await bob.getByTestId('difference').getByText('typed in a train').waitFor()
  await axe(bob, 'the difference')
  await shot(bob, 'refused-difference')
  await bob.keyboard.press('Escape')

  await become('editor')
  await bob.getByTestId('copy-keep').click({ timeout: 30_000 })
  await reads(bob, 'typed in a train')
  await row(ann, 'plan (copy).md').waitFor()
  assert.equal(await bob.getByTestId('copy').count(), 0)
  stage.calm()
})
