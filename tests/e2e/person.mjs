// What somebody does in the studio, by its buttons and keys, and what they have the server do without them.

import assert from 'node:assert/strict'
import * as Y from 'yjs'
import { eventually, inspect, saved, shown } from './look.mjs'

export function person(context, page) {
  const at = (id) => page.getByTestId(id)
  /** Asks the server as they are signed in, without the page: with a body, to do something. */
  async function ask(path, data, method = data === undefined ? 'GET' : 'POST') {
    const answer = await context.request.fetch(path, { method, ...(data === undefined ? {} : { data }) })
    if (!answer.ok()) throw new Error(`${method} ${path}: ${answer.status()} ${await answer.text()}`)
    return answer.status() === 204 ? null : answer.json()
  }
  /** The project that is open. */
  const project = () => /\/p\/([^/]+)/.exec(page.url())[1]

  const me = {
    context,
    page,
    at,
    ask,
    project,
    /** Another tab of the same browser. */
    newTab: async () => person(context, await context.newPage()),
    signIn: async (name, where = '/') => {
      await page.goto(where)
      await at('guest-name').fill(name)
      await at('guest-enter').click()
      await at('guest-enter').waitFor({ state: 'detached' })
    },
    createProject: async (name) => {
      await at('project-name').fill(name)
      await at('project-create').click()
      await page.waitForURL(/\/p\//)
    },
    createFile: async (path) => {
      await at('file-path').fill(path)
      await at('file-create').click()
      await page.waitForURL(/\/f\//)
      await me.editor().waitFor()
    },
    /** A project of theirs with these files, which the page shows. */
    begin: async (name, files = {}) => {
      const { id } = await ask('/api/projects', { name })
      const operations = Object.entries(files).map(([path, content]) => ({ op: 'create', path, content }))
      if (operations.length > 0) await ask(`/api/projects/${id}/changes`, { operations })
      await page.goto(`/p/${id}`)
      await at(operations.length > 0 ? 'file-link' : 'file-path').first().waitFor()
      return id
    },
    /** Comes into the project that somebody has open, by an invite of theirs. */
    join: async (other, role = 'editor') => {
      const { token } = await other.ask(`/api/projects/${other.project()}/invites`, { role })
      await ask(`/api/invites/${token}/accept`, {})
      await page.goto(`/p/${other.project()}`)
      await at('file-link').first().waitFor()
    },
    /** A link into the project, as the dialog makes it. */
    invite: async (role) => {
      await at('invite').click()
      if (role) await at('invite-role').selectOption(role)
      return eventually('an invite', async () => {
        const value = await at('invite-url').inputValue()
        return value.includes('/join/') && value
      })
    },
    closeDialog: () => page.getByRole('button', { name: 'Done' }).click(),
    editor: () => page.locator('.cm-content'),
    /** Types at the end, as fingers do. */
    type: async (text, delay = 0) => {
      await page.keyboard.press('Control+End')
      await page.keyboard.type(text, { delay })
    },
    /** The text as it is on screen, without other people's carets. */
    text: () => page.evaluate(shown),
    sees: (text) => eventually(`the text ${JSON.stringify(text)}`, async (saw) => {
      const now = await me.text()
      saw(now)
      return now === text
    }),
    says: (words) => eventually(`the word ${words}`, async (saw) => {
      const now = await at('save-state').innerText()
      saw(now)
      return words instanceof RegExp ? words.test(now) : now === words
    }),
    saved: () => saved(page),
    caretOf: (name) => page.locator('.caret', { has: page.locator('.caret-name', { hasText: name }) }),
    people: () => at('people').locator('.hidden').first().innerText(),
    /** What the server has of the open file, or of one by its path. */
    stored: async (path) => {
      const open = path === undefined
        ? /\/f\/([^/#?]+)/.exec(page.url())[1]
        : (await ask(`/api/projects/${project()}/documents`)).items.find((one) => one.path === path).id
      const answer = await context.request.get(`/api/projects/${project()}/documents/${open}/update`)
      assert.equal(answer.status(), 200)
      const doc = new Y.Doc()
      Y.applyUpdate(doc, new Uint8Array(await answer.body()))
      return doc.getText('content').toString()
    },
    inspect: (name) => inspect(page, name),
  }
  return me
}
