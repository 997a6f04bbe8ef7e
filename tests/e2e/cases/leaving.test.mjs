// Giving things up in the studio: other browsers' logins, the ownership of a project, and one's place in it.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startGithub } from '../github.mjs'
import { eventually } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

test('one person signs out everywhere else', async (t) => {
  const github = await startGithub(t)
  const { person } = await startStage(github.env, t)
  github.as(1, 'ann', 'Ann')
  const [here, there] = [
    await person(t),
    await person(t, { expected: [/status of 401/], colorScheme: 'dark' }),
  ]
  for (const one of [here, there]) {
    await one.page.goto('/')
    await one.page.getByRole('link', { name: 'Sign in with GitHub' }).click()
    await one.at('project-name').waitFor()
  }
  await there.createProject('Recipe book')
  await there.createFile('onion.md')
  await there.editor().click()
  await there.type('by Ann')
  await there.says('Saved')

  await here.at('me').click()
  await here.at('account').click()
  await eventually('both are listed', async (saw) => {
    const found = await here.page.getByRole('list', { name: 'Where you are signed in' }).getByRole('listitem').count()
    saw(found)
    return found === 2
  })
  await here.at('end-others').press('Enter')
  await here.inspect('12-sign-out-others')
  await here.page.getByRole('dialog').getByRole('button', { name: 'Sign out', exact: true }).press('Enter')
  await here.page.getByText('Every other browser is signed out.').waitFor()
  assert.equal(await here.page.getByRole('list', { name: 'Where you are signed in' }).getByRole('listitem').count(), 1)

  // It bites in the file that is open there; what is written stays.
  await there.page.getByRole('link', { name: 'Sign in with GitHub' }).waitFor()
  await there.inspect('13-signed-out')
  await there.page.getByRole('link', { name: 'Sign in with GitHub' }).click()
  await there.sees('by Ann')
})

test('a project is handed over and left, on a phone', async (t) => {
  const expected = [/status of 40[349]/]
  const ann = await stage.person(t, { expected, ...PHONE })
  await ann.signIn('Ann')
  await ann.createProject('Recipe book')
  await ann.createFile('onion.md')
  const project = ann.page.url().replace(/\/f\/.*/, '')
  const link = await ann.invite('editor')
  await ann.closeDialog()
  const ben = await stage.person(t, { expected, ...PHONE })
  await ben.signIn('Ben', new URL(link).pathname)
  await ben.page.waitForURL(/\/p\//)

  // The last owner does not leave.
  await ann.page.goto(`${project}/settings`)
  await ann.at('leave').press('Enter')
  await ann.page.getByRole('dialog').getByRole('button', { name: 'Leave', exact: true }).press('Enter')
  await ann.page.getByText('a project needs an owner').waitFor()
  await ann.page.keyboard.press('Escape')

  await ann.page.getByRole('button', { name: 'Hand over to Ben' }).press('Enter')
  await ann.inspect('phone-14-hand-over')
  await ann.page.getByRole('dialog').getByRole('button', { name: 'Hand over', exact: true }).press('Enter')
  await ann.page.getByText('Ben owns the project now; you are an editor.').waitFor()
  assert.equal(await ann.at('member-role').count(), 0, 'she manages nothing any more')
  assert.equal(await ann.at('delete-project').count(), 0)

  await ben.page.goto(`${project}/settings`)
  await ben.at('member-role').waitFor()
  await ben.page.getByText('handed the project over').waitFor()
  // An owner sees what the project takes.
  assert.match(await ben.at('usage').innerText(), /1 of 2,000/)
  await ben.inspect('phone-15-new-owner')
  await ben.at('usage').scrollIntoViewIfNeeded()
  await ben.inspect('phone-16-usage')

  await ann.at('leave').press('Enter')
  await ann.page.getByRole('dialog').getByRole('button', { name: 'Leave', exact: true }).press('Enter')
  await ann.at('project-name').waitFor()
  assert.equal(await ann.page.getByText('Recipe book').count(), 0)
  await ann.page.goto(project)
  await ann.page.getByText('This project is not here').waitFor()
  await ann.inspect('phone-17-left')
  await ben.page.reload()
  await ben.page.getByText('Ann left').waitFor()
  assert.equal(await ben.at('member-role').count(), 0, 'nobody else is there')
})
