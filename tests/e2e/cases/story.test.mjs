// The whole story, as two people live it: sign in with GitHub, begin, invite, type together, talk, have the assistant propose,
// look at it together, accept a part, take it back; then the server is killed and comes back, and everything is there.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { startGithub } from '../github.mjs'
import { axe, eventually, reads, shot } from '../look.mjs'
import { startStage } from '../stage.mjs'

test('two people work together from the first click, and through the death of the server', async (t) => {
  const github = await startGithub(t)
  const model = await startModel()
  t.after(model.stop)
  const server = await startStage({ ...github.env, AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_RUNS_PER_MINUTE: '100' }, t)
  // With everything that moves, as it comes out of the box.
  const ann = await server.person(t, { reducedMotion: 'no-preference' })
  const ben = await server.person(t, { reducedMotion: 'no-preference', colorScheme: 'dark' })

  // In, and a project that begins as a page: three clicks and a name.
  github.as(1, 'ann', 'Ann')
  await ann.page.goto('/')
  await axe(ann.page, 'sign in')
  await ann.page.getByRole('link', { name: 'Sign in with GitHub' }).click()
  await ann.at('template-page').check()
  await ann.createProject('Our page')
  await ann.editor().waitFor()
  await reads(ann.page, 'Hello, all of you')

  // The link leads the second person into the very file.
  const link = await ann.invite()
  await ann.closeDialog()
  github.as(2, 'ben', 'Ben')
  await ben.page.goto(link)
  await ben.page.getByRole('link', { name: 'Sign in with GitHub' }).click()
  await ben.editor().waitFor()
  await reads(ben.page, 'Hello, all of you')
  await eventually('Ann sees him', async () => (await ann.people()).includes('Ben'))

  // Both type at once, at two ends.
  await ann.editor().getByText('Hello, all of you').click()
  await ann.page.keyboard.press('End')
  await ben.editor().getByText('Open the preview').click()
  await ben.page.keyboard.press('End')
  await Promise.all([ann.page.keyboard.type('<!-- by Ann -->', { delay: 20 }), ben.page.keyboard.type('<!-- by Ben -->', { delay: 20 })])
  for (const one of [ann, ben]) for (const words of ['<!-- by Ann -->', '<!-- by Ben -->']) await reads(one.page, words)
  await ann.caretOf('Ben').waitFor({ state: 'attached' })
  await Promise.all([ann.says('Saved'), ben.says('Saved')])
  await shot(ann.page, 'story-1-together')

  // They talk, and see the assistant's answer grow.
  const messages = (one) => one.at('message')
  const lastSays = (one, words) => eventually(`${words} is said`, async (saw) => {
    const said = await messages(one).last().innerText().catch(() => '')
    saw(said)
    return said.includes(words)
  })
  const send = async (one, words) => {
    await one.at('chat-text').fill(words)
    await one.at('chat-text').press('Enter')
  }
  await ann.at('chat-open').click()
  await send(ann, 'Shall the button count in words?')
  await ben.at('chat-open').click()
  await lastSays(ben, 'Shall the button count in words?')
  const fed = model.feed()
  await send(ben, '@assistant what does the page do?')
  await fed.say('It greets **everybody** ')
  for (const one of [ann, ben]) await lastSays(one, 'It greets everybody')
  await shot(ben.page, 'story-2-streaming')
  await fed.say('and counts.')
  await fed.end()
  for (const one of [ann, ben]) await lastSays(one, 'and counts.')
  model.call('propose_edits', {
    summary: 'Greet friends', rationale: 'It is warmer.', confidence: 80, risk: 'low',
    files: [{
      op: 'edit', path: 'index.html',
      edits: [{ find: '<title>A page</title>', replace: '<title>Our page</title>' }, { find: 'Pressed 0 times', replace: 'Not pressed yet' }],
    }],
  })
  model.answer('I propose two changes.')
  await send(ann, '@coder make it warmer')
  await lastSays(ben, 'Greet friends')

  // They look at it together; one hunk is accepted, by key.
  await ann.at('answer-proposal').click()
  await ben.at('answer-proposal').click()
  const states = async (one) => one.at('hunk').evaluateAll((all) => all.map((hunk) => hunk.dataset.state))
  for (const one of [ann, ben]) await eventually('two changes wait', async () => (await states(one)).join() === 'pending,pending')
  await ben.page.locator('#hunk-1').click({ position: { x: 5, y: 5 } })
  await ben.page.keyboard.press(']')
  await ben.page.keyboard.press('y')
  for (const one of [ann, ben]) await eventually('one is accepted', async (saw) => {
    const now = await states(one)
    saw(now)
    return now.filter((state) => state === 'accepted').length === 1
  })
  await axe(ann.page, 'a review together')
  await shot(ann.page, 'story-3-review')
  const accepted = await ann.stored('index.html')
  assert.ok(accepted.includes('Our page') !== accepted.includes('Not pressed yet'), 'the one, and not the other')
  assert.ok(accepted.includes('<!-- by Ann -->') && accepted.includes('<!-- by Ben -->'))

  // And taken back.
  await ann.at('review-undo').click()
  await eventually('it is taken back', async () => {
    const text = await ann.stored('index.html')
    return !text.includes('Our page') && !text.includes('Not pressed yet')
  })

  // The server dies while they type; nothing is lost.
  for (const one of [ann, ben]) await one.at('tab').filter({ hasText: 'index.html' }).click()
  await ann.editor().getByText('</html>').click()
  await ann.page.keyboard.press('End')
  await ann.page.keyboard.type('<!-- saved -->')
  await ann.says('Saved')
  await server.kill()
  await ann.page.keyboard.type('<!-- while it was dead -->')
  await ann.says(/^Offline/)
  await server.start()
  for (const one of [ann, ben]) {
    await reads(one.page, '<!-- saved --><!-- while it was dead -->')
    await one.says('Saved')
  }
  await eventually('the chat is there', async () => (await messages(ben).allInnerTexts()).some((text) => text.includes('and counts.')))
  const text = await ann.stored('index.html')
  for (const words of ['<!-- by Ann -->', '<!-- by Ben -->', '<!-- saved --><!-- while it was dead -->']) assert.equal(text.split(words).length, 2, words)
  await ann.page.reload()
  await reads(ann.page, '<!-- while it was dead -->')
  await shot(ann.page, 'story-4-back')
})
