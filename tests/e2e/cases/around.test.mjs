// Getting around: files and commands by a few letters, the list of keys, following somebody; and a copy of what was refused.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, focused, inspect, reads, row, saved, TEXT, text, until } from '../look.mjs'
import { startStage } from '../stage.mjs'

const LONG = Array.from({ length: 300 }, (_, i) => `line ${i + 1}`).join('\n')
const stage = await startStage()

test('by keyboard to files and commands, and after somebody', async (t) => {
  const files = { 'docs/plan.md': LONG, 'docs/other.md': 'other', 'src/main.rs': 'fn main() {}\n' }
  const [{ page: ann }, { page: bob }] = await stage.meet(t, 'Around', files, { name: 'Ann' }, { name: 'Bob' })

  await ann.keyboard.press('Control+p')
  await focused(ann, '[data-testid=palette]')
  await ann.keyboard.type('mrs')
  await inspect(ann, 'palette')
  await ann.keyboard.press('Enter')
  await reads(ann, 'fn main')
  await ann.keyboard.press('Control+Shift+p')
  await focused(ann, '[data-testid=palette]')
  await ann.keyboard.type('keyb')
  await axe(ann, 'commands')
  await ann.keyboard.press('Enter')
  await ann.getByRole('heading', { name: 'Keyboard shortcuts' }).waitFor()
  await inspect(ann, 'shortcuts')
  await ann.keyboard.press('Escape')

  // Where Bob goes, Ann sees what he sees; Escape, and she stays.
  await ann.getByTestId('people').getByRole('button').click()
  await ann.getByTestId('follow').click()
  await ann.getByTestId('following').getByText('Following Bob').waitFor()
  await row(bob, 'docs/plan.md').click()
  await focused(bob, TEXT)
  await reads(ann, 'line 1')
  await bob.keyboard.press('Control+End')
  await bob.keyboard.type(' the end')
  await reads(ann, 'the end')
  await inspect(ann, 'following')
  await ann.keyboard.press('Escape')
  await ann.getByTestId('following').waitFor({ state: 'detached' })
  await row(bob, 'docs/other.md').click()
  await reads(bob, 'other')
  // She knows where he is now.
  await until(ann, () => document.querySelector('[data-path="docs/other.md"]')?.getAttribute('aria-describedby'))
  await reads(ann, 'the end')
})

test('a text that comes late leaves the focus to who has gone elsewhere with it', async (t) => {
  // A service worker would ask for the editor itself, past the test.
  const [{ page: ann }] = await stage.meet(t, 'Late', { 'a.md': 'the first', 'b.md': 'the second' }, { name: 'Ann', serviceWorkers: 'block' })
  const project = ann.url()
  /** Opens a file whose editor comes after what somebody does meanwhile. */
  async function openLate(meanwhile) {
    await ann.goto(project)
    let come
    const late = new Promise((done) => (come = done))
    await ann.route('**/assets/editor-*.js', async (route) => { await late; await route.continue() })
    await row(ann, 'a.md').click()
    await ann.getByText('Opening a.md').waitFor()
    await meanwhile()
    come()
    await reads(ann, 'the first')
    await ann.unroute('**/assets/editor-*.js')
  }

  await openLate(async () => {})
  await focused(ann, TEXT)

  await openLate(() => row(ann, 'b.md').focus())
  await ann.keyboard.press('F2')
  await focused(ann, '#rename-path')
  assert.equal(await ann.locator('#rename-path').inputValue(), 'b.md')
  await ann.keyboard.press('Escape')

  await openLate(() => ann.keyboard.press('Control+p'))
  await ann.keyboard.type('b.md')
  await ann.keyboard.press('Enter')
  await reads(ann, 'the second')
  await focused(ann, TEXT)

  // Who waits for the text where it will be gets it.
  await openLate(() => ann.locator('#main').focus())
  await focused(ann, TEXT)
})

test('edits that were refused are kept, shown, and become a file', async (t) => {
  const [owner, guest] = await stage.meet(t, 'Refused', { 'plan.md': 'one\ntwo\nthree\n' }, { name: 'Ann' }, { name: 'Bob' })
  const [ann, bob] = [owner.page, guest.page]
  await row(bob, 'plan.md').click()
  await text(bob).waitFor()
  await saved(bob)
  const { id } = await guest.ask('/api/me')
  const become = (role) => owner.ask(`/api/projects/${owner.project()}/members/${id}`, { role }, 'PATCH')

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
  await inspect(bob, 'refused')
  // It is there after a reload too.
  await bob.reload()
  await bob.getByTestId('copy-show').click()
  await bob.getByTestId('difference').getByText('typed in a train').waitFor()
  await inspect(bob, 'refused-difference')
  await bob.keyboard.press('Escape')

  await become('editor')
  await bob.getByTestId('copy-keep').click({ timeout: 30_000 })
  await reads(bob, 'typed in a train')
  await focused(bob, TEXT)
  await row(ann, 'plan (copy).md').waitFor()
  assert.equal(await bob.getByTestId('copy').count(), 0)
})
