// Looking after rights in the studio, by keyboard too: members, invites, keys, logins, and the end of a project and back.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../look.mjs'
import { DESK, PHONE, startStage } from '../stage.mjs'

/** As it looks in a window of either size. */
async function inspect(one, name) {
  await one.inspect(`phone-${name}`)
  await one.page.setViewportSize(DESK.viewport)
  await one.inspect(name)
  await one.page.setViewportSize(PHONE.viewport)
}

test('members, invites, keys and logins', async (t) => {
  const server = await startStage({}, t)
  const expected = [/status of 40[34]/]
  const ann = await server.person(t, { expected, ...PHONE })
  await ann.signIn('Ann')
  await ann.createProject('Recipe book')
  await ann.createFile('onion.md')
  const file = ann.page.url()

  // An invite for one person, made and used.
  await ann.at('settings').click()
  await ann.page.getByRole('heading', { name: 'Members', exact: true }).waitFor()
  await ann.at('new-invite-role').selectOption('editor')
  await ann.page.getByLabel('For', { exact: true }).selectOption('1 person')
  await ann.at('new-invite').press('Enter')
  const link = await eventually('a link', async () => {
    const field = ann.at('new-invite-url')
    return (await field.count()) > 0 && field.inputValue()
  })
  const ben = await server.person(t, { expected, ...PHONE })
  await ben.signIn('Ben', new URL(link).pathname)
  await ben.page.waitForURL(/\/p\//)
  await ben.page.goto(file)
  await ben.editor().click()
  await ben.type('by Ben')
  await ben.says('Saved')

  // What is changed here bites in the page he has open.
  await ann.page.reload()
  await ann.at('member-role').selectOption('viewer')
  await ann.page.getByText('Ben is Reader now').waitFor()
  await ben.says('Read-only')
  await inspect(ann, '8-settings')
  await ann.at('member-remove').press('Enter')
  await ann.page.getByRole('button', { name: 'Remove', exact: true }).press('Enter')
  await ann.page.getByText('Ben is no member any more.').waitFor()
  await ben.page.getByText('This project is not here').waitFor()
  await ann.page.getByText('removed a member').waitFor()
  await ann.at('invite-revoke').first().click()
  await ann.page.getByText('That link opens nothing any more.').waitFor()

  // A key, shown once.
  await ann.at('me').click()
  await ann.at('account').click()
  await ann.page.getByRole('heading', { name: 'API keys' }).waitFor()
  await ann.at('new-key').click()
  await ann.at('key-name').fill('Build server')
  await ann.at('key-name').press('Enter')
  const key = await ann.at('secret').inputValue()
  const asked = await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${key}` } })
  assert.equal(asked.status, 200)
  await inspect(ann, '9-account')
  await ann.page.getByRole('button', { name: 'Revoke Build server' }).press('Enter')
  await ann.page.getByRole('button', { name: 'Revoke', exact: true }).press('Enter')
  await ann.page.getByText('Build server opens nothing any more.').waitFor()
  assert.equal((await fetch(`${server.url}/api/me`, { headers: { authorization: `Bearer ${key}` } })).status, 401)

  // Gone for everybody, and back.
  await ann.page.goto(`${file.replace(/\/f\/.*/, '')}/settings`)
  await ann.at('delete-project').press('Enter')
  await ann.page.getByRole('button', { name: 'Delete', exact: true }).press('Enter')
  await ann.at('project-name').waitFor()
  await ann.page.goto('/me')
  await ann.page.getByRole('button', { name: 'Restore Recipe book' }).press('Enter')
  await ann.page.waitForURL(/\/p\//)
  await ann.page.goto(file)
  await ann.sees('by Ben')
})
