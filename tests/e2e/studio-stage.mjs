// What the studio's tests play on: a server of their own, a browser, people in it, and axe.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium } from 'playwright-core'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const BINARY = resolve(process.env.COTERIE_BIN ?? join(HERE, '../../target/debug/coterie'))
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/google-chrome', '/usr/bin/chromium-browser']
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js')

export const DESK = { viewport: { width: 1280, height: 800 } }
export const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }

/** A server on a free port and a browser; both end with the test. COTERIE_URL names a server that runs already. */
export async function startStage(t) {
  const url = process.env.COTERIE_URL ?? (await startServer(t))
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? BROWSERS.find((path) => existsSync(path)),
    args: ['--no-sandbox'],
  })
  t.after(() => browser.close())
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

async function startServer(t) {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-studio-'))
  const child = spawn(BINARY, [], {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, COTERIE_LISTEN: '127.0.0.1:0', COTERIE_DATA_DIR: join(folder, 'data'), RUST_LOG: 'warn' },
  })
  t.after(async () => {
    child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  let log = ''
  child.stderr.on('data', (data) => (log += data))
  return new Promise((ready, failed) => {
    let said = ''
    child.stdout.on('data', (data) => {
      const found = /open (http:\/\/\S+)/.exec((said += data))
      if (found) ready(found[1])
    })
    child.on('error', failed)
    child.on('exit', (code, signal) => failed(new Error(`the server ended (${code ?? signal}): ${log}`)))
  })
}

/** Signs in on whatever page asks for a name. */
export async function signIn(page, address, name) {
  await page.goto(address)
  await page.getByTestId('guest-name').fill(name)
  await page.getByTestId('guest-enter').click()
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
  await page.evaluate(await readFile(AXE, 'utf8'))
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ['violations'] })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join(' | ')}`)
  })
  assert.deepEqual(violations, [], screen)
}

/** A picture for people to look at, when COTERIE_SHOTS names a folder. */
export async function shot(page, name) {
  if (process.env.COTERIE_SHOTS) await page.screenshot({ path: join(process.env.COTERIE_SHOTS, `${name}.png`) })
}
