// A proposal that two people look at together: made by editing, voted on, accepted hunk by hunk, taken back. By mouse, by
// keyboard alone, and on a phone.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { axe, DESK, inviteFrom, PHONE, projectWith, reads, row, saved, shot, signIn, startStage, text, until } from '../studio-stage.mjs'

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

/** Suggests something through the API, as whoever is signed in on the page. */
async function proposed(page, proposal) {
  const project = /\/p\/([^/]+)/.exec(page.url())[1]
  return page.evaluate(async ({ project: id, proposal: body }) => {
    const answer = await fetch(`/api/projects/${id}/proposals`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(await answer.text())
    return (await answer.json()).id
  }, { project, proposal })
}

const hunks = (page) => page.getByTestId('hunk')
const states = (page, wanted) => until(page, (list) => {
  const found = [...document.querySelectorAll('[data-testid=hunk]')].map((hunk) => hunk.dataset.state)
  return found.length === list.length && found.every((state, i) => state === list[i])
}, wanted)

for (const colorScheme of ['light', 'dark']) {
  test(`two people review a change together, ${colorScheme}`, async (t) => {
    const stage = await startStage(t)
    const ann = await stage.visitor({ ...DESK, colorScheme })
    await signIn(ann, stage.url, 'Ann')
    await ann.getByTestId('project-name').waitFor()
    await projectWith(ann, 'Greetings', FILES)
    const bob = await stage.visitor({ ...DESK, colorScheme })
    await signIn(bob, stage.url + (await inviteFrom(ann)), 'Bob')
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
    await axe(ann, 'proposing')
    await shot(ann, `propose-${colorScheme}`)
    await ann.getByTestId('propose-send').click()
    await ann.getByTestId('review').waitFor()
    await states(ann, ['pending', 'pending'])

    // Bob hears of it where he is, and opens it.
    await until(bob, () => document.querySelector('[data-testid=proposals-waiting]')?.textContent === '1')
    await bob.getByTestId('proposals').click()
    await shot(bob, `proposals-list-${colorScheme}`)
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
    await axe(ann, 'a review')
    await shot(ann, `review-${colorScheme}`)

    // Somebody types into one of the changes: it says so before anybody accepts it.
    const cat = await stage.visitor()
    await signIn(cat, stage.url + (await inviteFrom(ann)), 'Cat')
    await row(cat, 'src/main.rs').click()
    await text(cat).getByText('println!("hello");').click()
    await cat.keyboard.press('End')
    await cat.keyboard.type(' // as ever')
    await saved(cat)
    await until(ann, () => document.querySelector('#hunk-1 [data-testid=unfit]') !== null)
    await axe(ann, 'a change that does not fit')
    await shot(ann, `review-unfit-${colorScheme}`)

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
    await axe(bob, 'a review that is over')
    await shot(bob, `review-over-${colorScheme}`)

    // Taken back: what Cat wrote stays.
    await bob.getByTestId('review-undo').click()
    await until(bob, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Taken back')
    await until(cat, () => !document.querySelector('[role=tabpanel]:not([inert]) .cm-content')?.textContent.includes('good bye'))
    await reads(cat, '// as ever')
    await until(ann, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Taken back')
    stage.calm()
  })
}

test('the toast after accepting takes it back, and nothing is offered to who may only read', async (t) => {
  const stage = await startStage(t)
  const ann = await stage.visitor()
  await signIn(ann, stage.url, 'Ann')
  await ann.getByTestId('project-name').waitFor()
  await projectWith(ann, 'Greetings', FILES)
  const vic = await stage.visitor()
  await signIn(vic, stage.url + (await inviteFrom(ann, 'viewer')), 'Vic')
  await row(vic, 'notes.md').click()
  await reads(vic, 'Notes')
  assert.equal(await vic.getByTestId('propose').count(), 0)
  const id = await proposed(ann, {
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
  stage.calm()
})

test('a review on a phone', async (t) => {
  const stage = await startStage(t)
  const ann = await stage.visitor(PHONE)
  await signIn(ann, stage.url, 'Ann')
  await ann.getByTestId('project-name').waitFor()
  await projectWith(ann, 'Greetings', FILES)
  await proposed(ann, {
    summary: 'Be more polite', rationale: 'People like it.', risk: 'low', confidence: 80,
    files: [{ op: 'edit', document: 'src/main.rs', text: GREETING.replace('println!("hello");', 'println!("good morning, and a very nice day to all of you");') }],
  })
  await ann.getByTestId('proposals').tap()
  await ann.getByTestId('proposal-link').waitFor()
  await axe(ann, 'proposals on a phone')
  await shot(ann, 'phone-proposals')
  await ann.getByTestId('proposal-link').tap()
  await states(ann, ['pending'])
  const wide = await ann.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `${wide} px too wide`)
  await axe(ann, 'a review on a phone')
  await shot(ann, 'phone-review')
  await ann.getByTestId('hunk-accept').tap()
  await states(ann, ['accepted'])
  await shot(ann, 'phone-review-accepted')
  stage.calm()
})
