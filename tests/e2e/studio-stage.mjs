// What the studio's tests play on: a server of their own, a browser, people in it, and axe.

import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import axeCore from 'axe-core'
import { startServer } from './server.mjs'
import { startBrowser } from './studio.mjs'

const OUT = fileURLToPath(new URL('out/', import.meta.url))

export const DESK = { viewport: { width: 1280, height: 800 } }
export const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }

/** A server with these settings and a browser; both end with the test. */
export async function startStage(t, env = {}) {
  const { url } = await startServer(t, { env })
  const browser = await startBrowser(t)
  const faults = []
  return {
    url,
    /** A page in a browser profile of its own. What breaks in it fails the test at `calm`. */
    async visitor(options = DESK) {
      const page = await (await browser.newContext(options)).newPage()
      page.setDefaultTimeout(15_000)
      page.on('pageerror', (error) => faults.push(error.stack ?? error.message))
      return page
    },
    calm: () => assert.deepEqual(faults, []),
  }
}

/** Signs in on whatever page asks for a name. */
export async function signIn(page, address, name) {
  await page.goto(address)
  await page.getByTestId('guest-name').fill(name)
  await page.getByTestId('guest-enter').click()
  await page.getByTestId('guest-enter').waitFor({ state: 'detached' })
}

/** Makes a project with files, through the API, as whoever is signed in on the page; the page goes there. */
export async function projectWith(page, name, files) {
  const id = await page.evaluate(async ({ name: called, files: wanted }) => {
    const post = async (path, body) => {
      const answer = await fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })
      if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
      return answer.json()
    }
    const project = await post('/api/projects', { name: called })
    for (const [path, content] of Object.entries(wanted)) await post(`/api/projects/${project.id}/documents`, { path, content })
    return project.id
  }, { name, files })
  await page.goto(new URL(`/p/${id}`, page.url()).href)
  await page.getByTestId('file-link').first().waitFor()
  return id
}

/** The address of an invite into the project that is open on the page. */
export async function inviteFrom(page, role = 'editor') {
  const project = /\/p\/([^/]+)/.exec(page.url())[1]
  return page.evaluate(async ({ project: id, role: wanted }) => {
    const answer = await fetch(`/api/projects/${id}/invites`, {
      method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ role: wanted }),
    })
    return `/join/${(await answer.json()).token}`
  }, { project, role })
}

export const row = (page, path) => page.locator(`[role=treeitem][data-path="${path}"]`)
export const text = (page) => page.locator('[role=tabpanel]:not([inert]) .cm-content')

export async function until(page, what, argument, timeout = 10_000) {
  await page.waitForFunction(what, argument, { timeout })
}

export const saved = (page) => until(page, () => document.querySelector('[data-testid=save-state]')?.textContent.trim() === 'Saved')
/** Waits until the text in sight has these words; the names at carets are no part of it. */
export const reads = (page, words) => until(page, (wanted) => {
  const shown = document.querySelector('[role=tabpanel]:not([inert]) .cm-content')?.cloneNode(true)
  shown?.querySelectorAll('.caret').forEach((caret) => caret.remove())
  return shown?.textContent.includes(wanted)
}, words)

/** No violation on what the page shows now. */
export async function axe(page, screen) {
  // What is still fading in has the contrast of a ghost.
  await page.evaluate(() => Promise.all(document.getAnimations().filter((a) => a.effect?.getComputedTiming().iterations !== Infinity)
    .map((a) => a.finished.catch(() => undefined))))
  await page.evaluate(axeCore.source)
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ['violations'] })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`)
  })
  assert.deepEqual(violations, [], screen)
}

/** A picture for people to look at. */
export async function shot(page, name) {
  await mkdir(OUT, { recursive: true })
  await page.screenshot({ path: `${OUT}studio-${name}.png` })
}
