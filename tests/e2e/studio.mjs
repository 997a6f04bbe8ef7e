// A browser, and people who use the studio in it. Whatever the page complains about is a failure.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import axe from 'axe-core'
import { chromium } from 'playwright-core'
import * as Y from 'yjs'

const OUT = fileURLToPath(new URL('out/', import.meta.url))
const PATIENCE = 30_000
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
const BROWSER = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync)

/** What Chromium itself writes while no server answers. */
const NO_SERVER = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|ERR_FAILED|WebSocket connection to .* failed/

/** And what it writes when a stranger's page asks who it is. */
const STRANGER = /status of 401 \(Unauthorized\) \S+\/api\/me$/

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

export async function until(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience
  let seen
  for (;;) {
    const found = await look((value) => (seen = value))
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms in vain: ${what}; last seen: ${JSON.stringify(seen)}`)
    await pause(50)
  }
}

export async function startBrowser(t) {
  if (!BROWSER) throw new Error('There is no Chromium here: install the package chromium, or set CHROMIUM to its path.')
  const browser = await chromium.launch({ executablePath: BROWSER, args: FLAGS })
  t.after(() => browser.close())
  return browser
}

/** Somebody with a browser profile of their own. `expected` are complaints that the test provokes. */
export async function newPerson(t, browser, server, { expected = [], ...settings } = {}) {
  const context = await browser.newContext({ baseURL: server.url, reducedMotion: 'reduce', ...settings })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`CSP violation: ${violatedDirective} ${blockedURI}`)
    })
  })
  const complaints = []
  const watch = (page) => {
    page.setDefaultTimeout(PATIENCE)
    page.on('console', (message) => {
      const said = `${message.text()} ${message.location().url}`
      if (message.type() === 'error' && ![NO_SERVER, STRANGER, ...expected].some((one) => one.test(said))) complaints.push(said)
    })
    page.on('pageerror', (error) => complaints.push(error.stack))
    page.on('dialog', (dialog) => void dialog.accept())
  }
  context.on('page', watch)
  const page = await context.newPage()
  t.after(() => assert.deepEqual(complaints, [], 'the page complained'))
  return person(context, page)
}

function person(context, page) {
  const at = (id) => page.getByTestId(id)
  const me = {
    context,
    page,
    at,
    /** Another tab of the same browser. */
    newTab: async () => person(context, await context.newPage()),
    signIn: async (name, where = '/') => {
      await page.goto(where)
      await at('guest-name').fill(name)
      await at('guest-enter').click()
    },
    createProject: async (name) => {
      await at('project-name').fill(name)
      await at('project-create').click()
      await page.waitForURL(/\/p\/[^/]+$/)
    },
    /** As `createProject`, where it begins in a file of its template. */
    createProjectAnywhere: async (name) => {
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
    invite: async (role) => {
      await at('invite').click()
      if (role) await at('invite-role').selectOption(role)
      const url = await until('an invite', async () => {
        const value = await at('invite-url').inputValue()
        return value.includes('/join/') && value
      })
      return url
    },
    closeDialog: () => page.getByRole('button', { name: 'Done' }).click(),
    editor: () => page.locator('.cm-content'),
    /** Types at the end, as fingers do. */
    type: async (text, delay = 0) => {
      await page.keyboard.press('Control+End')
      await page.keyboard.type(text, { delay })
    },
    /** The text as it is on screen, without other people's carets. */
    text: () => page.locator('.cm-content').evaluate((content) => {
      const copy = content.cloneNode(true)
      copy.querySelectorAll('.caret, .cm-placeholder').forEach((one) => one.remove())
      return [...copy.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n')
    }),
    sees: (text) => until(`the text ${JSON.stringify(text)}`, async (saw) => {
      const now = await me.text()
      saw(now)
      return now === text
    }),
    saveState: () => at('save-state').innerText(),
    says: (words) => until(`the word ${words}`, async (saw) => {
      const now = await me.saveState()
      saw(now)
      return words instanceof RegExp ? words.test(now) : now === words
    }),
    caretOf: (name) => page.locator('.caret', { has: page.locator('.caret-name', { hasText: name }) }),
    people: async () => (await at('people').locator('.hidden').first().innerText()),
    /** What the server has of the open file, or of one by its path. */
    stored: async (path) => {
      const [, project, open] = /\/p\/([^/]+)(?:\/f\/([^/#?]+))?/.exec(page.url())
      const file = path === undefined ? open : (await (await context.request.get(`/api/projects/${project}/documents`)).json()).items.find((one) => one.path === path).id
      const answer = await context.request.get(`/api/projects/${project}/documents/${file}/update`)
      assert.equal(answer.status(), 200)
      const doc = new Y.Doc()
      Y.applyUpdate(doc, new Uint8Array(await answer.body()))
      return doc.getText('content').toString()
    },
    /** No serious barrier on this screen, and a picture of it. */
    inspect: async (name) => {
      await mkdir(OUT, { recursive: true })
      await page.screenshot({ path: `${OUT}${name}.png` })
      // The policy allows no script of another origin; the debugger may evaluate all the same.
      if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source)
      const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }))
      const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical')
      assert.deepEqual(serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html).join(' | ')}`), [], name)
    },
  }
  return me
}
