// A proposal that two people look at together: made by editing, voted on, accepted hunk by hunk, taken back. By mouse, by
// keyboard alone, and on a phone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { inspect, reads, row, saved, shot, text, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

const GREETING = `fn main() {
    println!("hello");
    let name = "Ann";
    greet(name);
}

fn greet(name: &str) {
    println!("hello {name}");
}
`
const FILES = { 'src/main.rs': GREETING, 'notes.md': '# Notes\n' }

const hunks = (page) => page.getByTestId('hunk')
const states = (page, wanted) => until(page, (list) => {
  const found = [...document.querySelectorAll('[data-testid=hunk]')].map((hunk) => hunk.dataset.state)
  return found.length === list.length && found.every((state, i) => state === list[i])
}, wanted)

test('two people review a change together', async (t) => {
  const [owner, { page: bob }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann' }, { name: 'Bob', colorScheme: 'dark', expected: [/status of 409/] })
  const ann = owner.page
  await row(bob, 'src/main.rs').click()
  await reads(bob, 'fn greet')

  // Made by editing a copy.
  await row(ann, 'src/main.rs').click()
  await text(ann).waitFor()
  await ann.getByTestId('propose').click()
  const draft = ann.getByTestId('draft').locator('.cm-content')
  await draft.waitFor()
  await ann.getByTestId('propose-send').click()
  await ann.getByText('Change something in the text first.').waitFor()
  await draft.getByText('println!("hello");').click()
  await ann.keyboard.press('End')
  await ann.keyboard.press('Shift+Home')
  await ann.keyboard.type('println!("good morning");')
  await draft.getByText('println!("hello {name}");').click()
  await ann.keyboard.press('End')
  await ann.keyboard.type('\nprintln!("and good bye");')
  await ann.getByTestId('propose-summary').fill('Be more polite')
  await ann.locator('#propose-why').fill('People like to be told the time of the day.\nAnd to be seen off.')
  await inspect(ann, 'propose')
  await ann.getByTestId('propose-send').click()
  await ann.getByTestId('review').waitFor()
  await states(ann, ['pending', 'pending'])

  // Bob hears of it where he is, and opens it.
  await until(bob, () => document.querySelector('[data-testid=proposals-waiting]')?.textContent === '1')
  await bob.getByTestId('proposals').click()
  await shot(bob, 'proposals-list')
  await bob.getByTestId('proposal-link').click()
  await states(bob, ['pending', 'pending'])
  assert.equal(await bob.locator('h1:visible').last().textContent(), 'Be more polite')

  // By keyboard alone: the next change, and the next. The other sees where.
  await bob.keyboard.press(']')
  await bob.keyboard.press(']')
  await until(ann, () => document.querySelector('#hunk-2 [data-testid=looking]')?.textContent.includes('Bob looks at this'))
  await ann.getByTestId('vote-for').click()
  await until(bob, () => document.querySelector('[data-testid=vote-for]')?.getAttribute('aria-label') === 'For it: 1 (Ann)')
  await ann.keyboard.press(']')
  await inspect(ann, 'review')

  // Somebody types into one of the changes: it says so before anybody accepts it.
  const third = await stage.person(t, { name: 'Cat' })
  await third.join(owner)
  const cat = third.page
  await row(cat, 'src/main.rs').click()
  await text(cat).getByText('println!("hello");').click()
  await cat.keyboard.press('End')
  await cat.keyboard.type(' // as ever')
  await saved(cat)
  await until(ann, () => document.querySelector('#hunk-1 [data-testid=unfit]') !== null)
  await inspect(ann, 'review-unfit')

  // One is accepted, for everybody; the other is left.
  await bob.keyboard.press('y')
  await states(bob, ['pending', 'accepted'])
  await states(ann, ['pending', 'accepted'])
  await reads(cat, 'and good bye')
  await bob.keyboard.press('[')
  await bob.keyboard.press('y')
  await bob.getByText('The text has changed since: nothing was written').waitFor()
  await states(bob, ['stale', 'accepted'])
  await until(ann, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Partly accepted')
  await inspect(bob, 'review-over')

  // Taken back: what Cat wrote stays.
  await bob.getByTestId('review-undo').click()
  await until(bob, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Taken back')
  await until(cat, () => !document.querySelector('[role=tabpanel]:not([inert]) .cm-content')?.textContent.includes('good bye'))
  await reads(cat, '// as ever')
  await until(ann, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Taken back')
})

test('the toast after accepting takes it back, and nothing is offered to who may only read', async (t) => {
  const [{ page: ann, ask, project }, { page: vic }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann' }, { name: 'Vic', role: 'viewer' })
  await row(vic, 'notes.md').click()
  await reads(vic, 'Notes')
  assert.equal(await vic.getByTestId('propose').count(), 0)
  const { id } = await ask(`/api/projects/${project()}/proposals`, {
    summary: 'Tidy up',
    files: [
      { op: 'edit', document: 'notes.md', text: '# Notes\n\nNothing yet.\n' },
      { op: 'create', path: 'docs/new.md', content: '# New\n' },
      { op: 'rename', document: 'src/main.rs', path: 'src/hello.rs' },
    ],
  })
  for (const page of [ann, vic]) {
    await page.goto(page.url().replace(/\/p\/([^/]+).*/, `/p/$1/r/${id}`))
    await states(page, ['pending', 'pending', 'pending'])
  }
  assert.equal(await vic.getByTestId('hunk-accept').count() + (await vic.getByTestId('accept-all').count()), 0)
  await ann.getByTestId('accept-all').click()
  await states(vic, ['accepted', 'accepted', 'accepted'])
  await row(ann, 'docs/new.md').waitFor({ state: 'attached' })
  await shot(ann, 'review-accepted')
  await ann.getByTestId('toast-undo').click()
  await states(vic, ['undone', 'undone', 'undone'])
  await row(ann, 'src/main.rs').waitFor({ state: 'attached' })
})

test('a review on a phone', async (t) => {
  const [{ page: ann, ask, project }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann', ...PHONE })
  await ask(`/api/projects/${project()}/proposals`, {
    summary: 'Be more polite', rationale: 'People like it.', risk: 'low', confidence: 80,
    files: [{ op: 'edit', document: 'src/main.rs', text: GREETING.replace('println!("hello");', 'println!("good morning, and a very nice day to all of you");') }],
  })
  await ann.getByTestId('proposals').tap()
  await ann.getByTestId('proposal-link').waitFor()
  await inspect(ann, 'phone-proposals')
  await ann.getByTestId('proposal-link').tap()
  await states(ann, ['pending'])
  const wide = await ann.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `${wide} px too wide`)
  await inspect(ann, 'phone-review')
  await ann.getByTestId('hunk-accept').tap()
  await states(ann, ['accepted'])
  await shot(ann, 'phone-review-accepted')
})
