// Every screen, light and dark, on a desk and on a phone: usable by all, and pictures in out/ to be looked at.

import { test } from 'node:test'
import { DESK, PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

const LOOKS = { desk: DESK, phone: PHONE }

const TEXT = `# Onion soup

- 1 kg onions
- **butter**, and a *little* patience

> Slowly. [More](https://example.org)

\`\`\`js
const soup = cook(onions, { slowly: true }) // an hour
\`\`\`
`

for (const [look, settings] of Object.entries(LOOKS)) {
  test(`every screen, ${look}`, async (t) => {
    const expected = [/status of 404/]
    const ann = await stage.person(t, { expected, ...settings })
    const shot = (name) => ann.inspect(`${look}-${name}`)
    await ann.page.goto('/')
    await ann.at('guest-name').waitFor()
    await shot('1-sign-in')
    await ann.at('guest-enter').click()
    await ann.page.getByText('Type the name others should see.').waitFor()
    await shot('1-sign-in-fault')
    await ann.signIn('Ann')
    await ann.at('project-name').waitFor()
    await shot('2-projects-empty')
    await ann.createProject('Recipe book')
    await ann.at('file-path').waitFor()
    await shot('3-project-empty')
    await ann.createFile('soups/onion.md')
    const address = ann.page.url()
    await ann.editor().click()
    // In one piece: the editor would go on with lists by itself.
    await ann.page.keyboard.insertText(TEXT)
    await ann.says('Saved')
    const link = await ann.invite()
    await shot('5-invite')
    await ann.closeDialog()
    const ben = await stage.person(t, { expected, ...settings })
    await ben.page.goto(link)
    await ben.at('guest-name').waitFor()
    await ben.inspect(`${look}-6-invited`)
    await ben.at('guest-name').fill('Benedikt Königswusterhausen')
    await ben.at('guest-enter').click()
    await ben.editor().waitFor()
    await ben.editor().click()
    await ben.type('Ben was here.')
    await ann.caretOf('Benedikt').waitFor({ state: 'attached' })
    await shot('4-file')
    await ann.at('people').getByRole('button').first().click()
    await ann.page.getByText('In this file').waitFor()
    await shot('4-file-people')
    await ann.page.keyboard.press('Escape')
    await ann.at('save-state').click()
    await shot('4-file-saved')
    await ann.page.keyboard.press('Escape')
    await ann.page.goto(address.replace(/\/f\/.*/, ''))
    await ann.at('file-link').first().waitFor()
    await shot('3-project')
    await ann.page.getByRole('button', { name: 'Rename or delete soups/onion.md' }).click()
    await ann.page.getByRole('button', { name: 'Rename…' }).waitFor()
    await shot('3-project-menu')
    await ann.page.getByRole('button', { name: 'Rename…' }).click()
    await shot('3-project-rename')
    await ann.page.getByRole('button', { name: 'Cancel' }).click()
    await ann.page.goto('/')
    await ann.at('project-link').first().waitFor()
    await shot('2-projects')
    for (const [name, where] of [['no-project', '/p/019a0000-0000-7000-8000-000000000000'], ['no-file', `${address.slice(0, -1)}z`], ['no-invite', '/join/nothing'], ['no-page', '/a/b/c/d/e']]) {
      await ann.page.goto(where)
      await ann.page.getByRole('heading', { name: /not here|no longer valid|Nothing lives/ }).waitFor()
      await shot(`7-${name}`)
    }
  })
}
