// The studio as people meet it: the first minute of two of them, then the tree, the tabs, and who may only read.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, focused, inspect, reads, row, saved, shot, tabTo, TEXT, text, undoOf, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

test('the first minute: one by keyboard alone, one on a phone, in one text', async (t) => {
  const { page: ann } = await stage.person(t)
  await ann.goto('/')
  await focused(ann, '[data-testid=guest-name]')
  await inspect(ann, 'sign-in')
  await ann.keyboard.type('Ann')
  await ann.keyboard.press('Enter')
  await ann.getByTestId('project-name').waitFor()
  await axe(ann, 'no projects')
  await tabTo(ann, '[data-testid=project-name]')
  await ann.keyboard.type('Recipe book')
  await ann.keyboard.press('Enter')
  await focused(ann, '[data-testid=file-path]')
  await inspect(ann, 'empty-project')
  await ann.keyboard.type('docs/soup.md')
  await ann.keyboard.press('Enter')
  await focused(ann, '.cm-content')
  await ann.keyboard.type('Boil water.')
  await saved(ann)

  await tabTo(ann, '[data-testid=invite]', { back: true })
  await ann.keyboard.press('Enter')
  await until(ann, () => document.querySelector('[data-testid=invite-url]')?.value)
  const invite = await ann.getByTestId('invite-url').inputValue()
  await axe(ann, 'inviting')
  await ann.keyboard.press('Escape')

  // Somebody who was sent a link: a name, one tap to join, one into the text.
  const { page: eve } = await stage.person(t, { ...PHONE, colorScheme: 'dark' })
  await eve.goto(invite)
  await eve.getByTestId('guest-name').fill('Eve')
  await eve.getByTestId('guest-enter').tap()
  await reads(eve, 'Boil water.')
  await text(eve).tap()
  await eve.keyboard.press('Control+End')
  await eve.keyboard.type(' Add salt.')
  await saved(eve)
  await reads(ann, 'Boil water. Add salt.')
  await until(ann, () => document.querySelector('.caret-name')?.textContent === 'Eve')
  await inspect(eve, 'phone-text')

  // Undo takes back one's own.
  await tabTo(ann, '.cm-content')
  await ann.keyboard.press('Control+z')
  await until(ann, () => !document.querySelector('.cm-content').textContent.includes('Boil'))
  await reads(ann, 'Add salt.')
  await ann.keyboard.press('Control+Shift+KeyZ')
  await reads(eve, 'Boil water. Add salt.')

  // The tree without a mouse; the phone hears of it at once.
  await tabTo(ann, '[role=treeitem]', { back: true })
  await until(ann, () => document.activeElement.getAttribute('aria-describedby') !== null)
  assert.match(await ann.evaluate(() => document.getElementById(document.activeElement.getAttribute('aria-describedby')).textContent), /Eve/)
  await ann.keyboard.press('ArrowUp')
  assert.equal(await ann.evaluate(() => document.activeElement.dataset.path), 'docs')
  await ann.keyboard.press('ArrowLeft')
  await until(ann, () => document.activeElement.getAttribute('aria-expanded') === 'false')
  assert.equal(await row(ann, 'docs/soup.md').count(), 0)
  await ann.keyboard.press('ArrowRight')
  await ann.keyboard.press('ArrowRight')
  await ann.keyboard.press('F2')
  await focused(ann, '#rename-path')
  await ann.keyboard.type('stew')
  await ann.keyboard.press('Enter')
  await row(ann, 'docs/stew.md').waitFor()
  await until(eve, () => document.querySelector('h1')?.textContent === 'docs/stew.md', null, 4_000)
  await inspect(ann, 'desk')

  // The phone's panes, and the way to somebody.
  const panes = eve.getByRole('navigation', { name: 'Panes' })
  await panes.getByRole('button', { name: /People/ }).tap()
  await eve.getByTestId('person').filter({ hasText: 'Ann' }).waitFor()
  await inspect(eve, 'phone-people')
  await panes.getByRole('link', { name: 'Files' }).tap()
  await row(eve, 'docs/stew.md').waitFor()
  await axe(eve, 'a phone, the files')
  await eve.getByRole('button', { name: 'Move, rename or delete docs/stew.md' }).tap()
  const menu = await eve.getByRole('group', { name: 'Actions' }).boundingBox()
  assert.ok(menu.x >= 0 && menu.x + menu.width <= 390, 'the menu is in the window')
  await shot(eve, 'phone-menu')
  await eve.keyboard.press('Escape')
  await shot(eve, 'phone-files')
  await panes.getByRole('button', { name: /People/ }).tap()
  await eve.getByRole('button', { name: /Go to Ann/ }).tap()
  await reads(eve, 'Boil water. Add salt.')
})

/** Counts what a pointer does in a page, whoever moves it. */
async function countClicks({ context }) {
  let clicks = 0
  await context.exposeBinding('clicked', () => void (clicks += 1))
  await context.addInitScript(() => addEventListener('pointerdown', () => globalThis.clicked(), true))
  return () => clicks
}

test('a newcomer with a mouse types after three clicks', async (t) => {
  const ann = await stage.person(t)
  const clicks = await countClicks(ann)
  await ann.page.goto('/')
  await focused(ann.page, '[data-testid=guest-name]')
  await ann.page.keyboard.type('Ann')
  await ann.at('guest-enter').click()
  await focused(ann.page, '[data-testid=project-name]')
  await ann.page.keyboard.type('Recipe book')
  await ann.at('project-create').click()
  await ann.at('first-file').first().click()
  await focused(ann.page, '.cm-content')
  await ann.page.keyboard.type('Soup')
  await saved(ann.page)
  await reads(ann.page, 'Soup')
  assert.equal(clicks(), 3)
})

test('from the address to typing together it takes nobody more than three clicks', async (t) => {
  const [ann, ben] = [await stage.person(t), await stage.person(t)]
  const [clicksOfAnn, clicksOfBen] = [await countClicks(ann), await countClicks(ben)]
  // Who begins: two names, each with Enter as people do, a file, and a link.
  await ann.page.goto('/')
  await focused(ann.page, '[data-testid=guest-name]')
  await ann.page.keyboard.type('Ann')
  await ann.page.keyboard.press('Enter')
  await focused(ann.page, '[data-testid=project-name]')
  await ann.page.keyboard.type('Recipe book')
  await ann.page.keyboard.press('Enter')
  await ann.at('first-file').first().click()
  const link = await ann.invite()
  await ann.page.keyboard.press('Escape')
  // Who was sent it: a name, and into the text.
  await ben.page.goto(link)
  await ben.page.getByTestId('guest-name').fill('Ben')
  await ben.at('guest-enter').click()
  await ben.editor().click()
  await ben.page.keyboard.type('Soup')
  await ann.sees('Soup')
  await ann.editor().click()
  await ann.type(', hot')
  await ben.sees('Soup, hot')
  await ann.caretOf('Ben').waitFor({ state: 'attached' })
  await ben.caretOf('Ann').waitFor({ state: 'attached' })
  assert.deepEqual([clicksOfAnn(), clicksOfBen()], [3, 2])
})

test('the tree by pointer: drag, the button way, folders whole, undo; seen by others at once', async (t) => {
  const files = { 'a.md': 'text of a', 'b.md': 'b', 'docs/plan.md': 'plan', 'docs/old/x.md': 'x', 'src/main.rs': 'fn main() {}' }
  const ann0 = { name: 'Ann', colorScheme: 'dark', expected: [/status of 409/] }
  const [{ page: ann }, { page: bob }] = await stage.meet(t, 'Tree', files, ann0, { name: 'Bob' })
  await row(bob, 'a.md').waitFor()
  const seen = (path) => row(bob, path).waitFor({ timeout: 4_000 })

  await row(ann, 'a.md').dragTo(row(ann, 'docs'))
  await row(ann, 'docs/a.md').waitFor()
  await seen('docs/a.md')

  await row(ann, 'docs').click({ button: 'right' })
  await axe(ann, 'the menu')
  await ann.getByRole('button', { name: 'Move…' }).click()
  await axe(ann, 'moving')
  await ann.getByLabel('Into').selectOption('src')
  await ann.getByRole('button', { name: 'Move', exact: true }).click()
  await row(ann, 'src/docs/old/x.md').waitFor()
  await seen('src/docs/old/x.md')
  await shot(ann, 'moved')
  await undoOf(ann, 'Moved docs to src').click()
  await seen('docs/old/x.md')

  await row(ann, 'docs/a.md').focus()
  await ann.keyboard.press('Delete')
  await row(bob, 'docs/a.md').waitFor({ state: 'detached', timeout: 4_000 })
  await undoOf(ann, 'Deleted a.md').click()
  await seen('docs/a.md')
  await row(ann, 'docs/a.md').click()
  await reads(ann, 'text of a')

  // What concerns others is asked first.
  await row(bob, 'b.md').click()
  await ann.waitForFunction(() => document.querySelector('[data-path="b.md"]')?.getAttribute('aria-describedby'))
  await row(ann, 'b.md').hover()
  await ann.getByRole('button', { name: 'Move, rename or delete b.md' }).click()
  await ann.getByRole('button', { name: 'Delete…' }).click()
  await ann.getByRole('dialog').getByText('Bob').waitFor()
  await axe(ann, 'deleting')
  await ann.getByRole('button', { name: 'Cancel' }).click()

  // One name cannot be a file and a folder; the server's words are shown where it was asked.
  await row(ann, 'b.md').focus()
  await ann.keyboard.press('F2')
  await ann.locator('#rename-path').fill('docs')
  await ann.keyboard.press('Enter')
  await ann.getByRole('dialog').getByRole('alert').filter({ hasText: /\w/ }).waitFor()
})

test('tabs keep their undo and their place; a file is followed to whoever is in it', async (t) => {
  const long = Array.from({ length: 400 }, (_, i) => `line ${i + 1}`).join('\n')
  const [owner] = await stage.meet(t, 'Tabs', { 'long.txt': long, 'short.js': 'const a = 1\n' }, { name: 'Ann' })
  const ann = owner.page
  await row(ann, 'long.txt').click()
  await focused(ann, TEXT)
  await ann.keyboard.type('mine ')
  const place = () => ann.locator('[role=tabpanel]:not([inert]) .cm-scroller').evaluate((element) => element.scrollTop)
  await ann.mouse.move(700, 400)
  await ann.mouse.wheel(0, 3_000)
  await reads(ann, 'line 140')
  // The editor measures lines as they come into sight, and corrects itself.
  await text(ann).evaluate(async (content) => {
    const frame = () => new Promise(requestAnimationFrame)
    for (let same = 0, last = -1; same < 10; await frame()) {
      const now = content.parentElement.scrollTop
      same = now === last ? same + 1 : 0
      last = now
    }
  })
  const before = await place()
  await row(ann, 'short.js').click()
  await reads(ann, 'const a')
  await focused(ann, TEXT)
  await ann.keyboard.type('also mine ')
  await ann.getByRole('tab', { name: 'long.txt' }).click()
  await reads(ann, 'line 140')
  assert.equal(await place(), before, 'the place is kept')
  await focused(ann, TEXT)
  await ann.keyboard.press('Control+z')
  await ann.keyboard.press('Control+Home')
  await until(ann, () => document.querySelector('[role=tabpanel]:not([inert]) .cm-line').textContent === 'line 1')
  await ann.getByRole('tab', { name: 'long.txt' }).focus()
  await ann.keyboard.press('ArrowRight')
  await focused(ann, '[role=tab][aria-selected=true]')
  await reads(ann, 'also mine')

  const guest = await stage.person(t, { name: 'Bob' })
  await guest.join(owner)
  const bob = guest.page
  await row(bob, 'long.txt').click()
  await focused(bob, TEXT)
  await bob.keyboard.press('Control+End')
  await bob.keyboard.type(' the end')
  await saved(bob)
  await ann.getByTestId('people').getByRole('button').click()
  await axe(ann, 'the people')
  await ann.getByRole('button', { name: /Go to Bob/ }).click()
  await reads(ann, 'the end')
  await until(ann, () => document.querySelector('[role=tabpanel]:not([inert]) .caret-name')?.textContent === 'Bob')

  await ann.getByRole('tab', { name: 'short.js' }).focus()
  await ann.keyboard.press('Delete')
  await until(ann, () => document.querySelectorAll('[role=tab]').length === 1)
  await ann.reload()
  await reads(ann, 'line 1')
  assert.deepEqual((await ann.getByRole('tab').allTextContents()).map((label) => label.trim()), ['long.txt'])
})

test('a reader reads, and every screen says so', async (t) => {
  const long = { name: 'Eve with a name that is far too long for a phone of this size', role: 'viewer', viewport: { width: 320, height: 640 }, colorScheme: 'dark' }
  const [{ project }, { page: eve }] = await stage.meet(t, 'Read', { 'page.md': '# Title' }, { name: 'Ann' }, long)
  assert.equal(await eve.getByTestId('file-path').count(), 0)
  await axe(eve, 'a reader, the files')
  await row(eve, 'page.md').click()
  await until(eve, () => document.querySelector('[data-testid=save-state]')?.textContent.trim() === 'Read-only')
  await text(eve).click()
  await eve.keyboard.type('graffiti')
  assert.equal(await text(eve).evaluate((element) => element.textContent.includes('graffiti')), false)
  assert.ok(await eve.evaluate(() => document.documentElement.scrollWidth <= 320), 'nothing is wider than the window')
  await inspect(eve, 'reader')

  // Whoever was not invited learns nothing.
  const stranger = await stage.person(t, { expected: [/status of 404/] })
  const zed = stranger.page
  await stranger.signIn('Zed', `/p/${project()}`)
  await zed.getByText('This project is not here').waitFor()
  await axe(zed, 'not here')
})
