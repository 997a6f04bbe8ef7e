// People in two browsers write in one file, whatever happens to the server.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { eventually } from '../look.mjs'
import { startStage } from '../stage.mjs'

const stage = await startStage()

/** Two who have one file open, on a server that they share with others, or have to themselves. */
async function meet(t, { server = stage, role, expected } = {}) {
  const [ann, ben] = [await server.person(t, { expected }), await server.person(t, { expected })]
  await ann.signIn('Ann')
  await ann.createProject('Recipe book')
  await ann.createFile('soup.md')
  const link = await ann.invite(role)
  await ann.closeDialog()
  await ben.signIn('Ben', link)
  await ben.editor().waitFor()
  assert.equal(ben.page.url(), ann.page.url())
  return { ann, ben }
}

test('two guests write together, and through a crash of the server', async (t) => {
  const server = await startStage({}, t)
  const { ann, ben } = await meet(t, { server })
  await ann.editor().click()
  await ann.type('# Soup\nby Ann\n')
  await ben.sees('# Soup\nby Ann\n')
  await ben.editor().click()
  await ben.type('and Ben\n')
  await ann.sees('# Soup\nby Ann\nand Ben\n')
  await Promise.all([ann.says('Saved'), ben.says('Saved')])
  // Each sees where the other is, and who that is.
  await ben.caretOf('Ann').waitFor({ state: 'attached' })
  await ann.caretOf('Ben').waitFor({ state: 'attached' })
  assert.match(await ann.people(), /Ann \(you\)/)
  assert.match(await ann.people(), /Ben/)
  await ann.inspect('together')

  const typing = Promise.all([ann.type('Ann types through the crash. ', 80), ben.type('Ben does too. ', 120)])
  await eventually('they are in the midst of it', async () => (await ben.text()).includes('Ann types'))
  await server.kill()
  await typing
  await Promise.all([ann.says(/^Offline – \d+ changes? kept here$/), ben.says(/^Offline/)])
  await ann.inspect('offline')
  await server.start()
  await Promise.all([ann.says('Saved'), ben.says('Saved')])
  await eventually('both read the same', async (saw) => {
    const texts = [await ann.text(), await ben.text(), await ann.stored()]
    saw(texts)
    return texts.every((text) => text === texts[0])
  })
  // Not a letter is lost or doubled, whatever the order in which the two met.
  const letters = (text) => [...text].sort().join('')
  assert.equal(letters(await ann.text()), letters('# Soup\nby Ann\nand Ben\nAnn types through the crash. Ben does too. '))
  // Presence comes back too.
  await ann.type('x')
  await ben.caretOf('Ann').waitFor({ state: 'attached' })
})

test('what was typed without a server is sent when the page is opened again', async (t) => {
  const server = await startStage({}, t)
  const { ann, ben } = await meet(t, { server })
  await ann.editor().click()
  await ann.type('saved. ')
  await ben.sees('saved. ')
  await Promise.all([ann.says('Saved'), ben.says('Saved')])
  await server.kill()
  await ann.type('only here')
  await ann.says(/^Offline – 9 changes kept here$/)
  const address = ann.page.url()
  await ann.page.goto('about:blank')
  await server.start()
  await ann.page.goto(address)
  await ann.sees('saved. only here')
  await ann.says('Saved')
  await ben.sees('saved. only here')
  assert.equal(await ben.stored(), 'saved. only here')
})

test('a reader is told so and cannot type', async (t) => {
  const { ann, ben } = await meet(t, { role: 'viewer' })
  await ann.editor().click()
  await ann.type('to be read')
  await ben.sees('to be read')
  await ben.says('Read-only')
  await ben.editor().click()
  await ben.page.keyboard.type('forged')
  await ben.page.keyboard.press('Control+V')
  await ben.page.keyboard.press('Backspace')
  // What comes after it is all that came.
  await ann.type(', and read')
  await ben.sees('to be read, and read')
  assert.equal(await ann.text(), 'to be read, and read')
  assert.equal(await ben.at('file-path').count(), 0, 'nor make files')
  assert.equal(await ben.at('invite').count(), 0, 'nor invite')
  await ben.inspect('reader')
})

test('a file that is deleted says so to who has it open', async (t) => {
  const { ann, ben } = await meet(t, { expected: [/status of 404/] })
  await ann.editor().click()
  await ann.type('doomed')
  await ben.sees('doomed')
  await ann.page.getByRole('button', { name: 'Rename or delete soup.md' }).click()
  await ann.page.getByRole('button', { name: 'Delete…' }).click()
  await ann.page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
  await ben.page.getByText('This file was deleted.').waitFor()
  await ben.says(/deleted/)
  assert.equal(await ben.text(), 'doomed', 'what one was reading stays to be copied')
  await ben.inspect('deleted')
  await ben.page.reload()
  await ben.page.getByText(/not here|was deleted/).first().waitFor()
  await ben.inspect('deleted-reloaded')
})

test('a copy from before a restored backup is not merged into the new history', async (t) => {
  const server = await startStage({}, t)
  const { ann, ben } = await meet(t, { server })
  await ann.editor().click()
  await ann.type('in the backup. ')
  await ben.sees('in the backup. ')
  await Promise.all([ann.says('Saved'), ben.says('Saved')])
  await server.stop()
  await server.backUp()
  await server.start()
  await ann.says('Saved')
  await ann.type('after the backup.')
  await ann.says('Saved')
  await ben.sees('in the backup. after the backup.')
  await ben.says('Saved')
  // Ben closes a tab and keeps his copy, and has another open; Ann's stays open, and she types on.
  const address = ben.page.url()
  const tab = await ben.newTab()
  await tab.page.goto(address)
  await tab.sees('in the backup. after the backup.')
  await tab.says('Saved')
  await ben.page.goto('about:blank')
  await server.kill()
  await ann.type(' Lost?')
  await ann.says(/^Offline/)
  await server.restore()
  await server.start()
  await ben.page.goto(address)
  await ben.sees('in the backup. ')
  await ben.says('Saved')
  assert.equal(await ben.stored(), 'in the backup. ')
  // A tab that was open all the time, with nothing unsaved, goes over by itself.
  await tab.sees('in the backup. ')
  await tab.says('Saved')
  // Ann's has something unsaved: she is asked, and meanwhile sends nothing of the old history.
  await ann.says(/^Cannot save/)
  assert.equal(await ann.text(), 'in the backup. after the backup. Lost?')
  await ann.inspect('replaced')
  assert.equal(await ben.stored(), 'in the backup. ')
  await ann.page.getByRole('button', { name: 'Go on from the saved text' }).click()
  await ann.sees('in the backup. ')
  await ann.says('Saved')
  await ann.editor().click()
  await ann.type('new')
  await ben.sees('in the backup. new')
})
