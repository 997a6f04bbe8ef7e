// Where the studio's tests play: the real server, one browser for all tests of a file, and people in it, each with a profile of
// their own. Whatever a page complains about fails the test.

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { after } from 'node:test'
import { chromium } from 'playwright-core'
import { startProcess } from '../server.mjs'
import { person } from './person.mjs'

export const DESK = { viewport: { width: 1280, height: 800 } }
export const PHONE = { viewport: { width: 390, height: 780 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 }

const PATIENCE = 60_000
const FLAGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync']
// The shell is Chromium without the windows around its pages, which nobody would see here and which cost half of the time.
const BROWSER = process.env.CHROMIUM ?? ['chromium-headless-shell', 'chromium', 'google-chrome'].map((name) => `/usr/bin/${name}`).find(existsSync)

/** What Chromium itself writes while no server answers. */
const NO_SERVER = /ERR_CONNECTION_REFUSED|ERR_CONNECTION_RESET|ERR_EMPTY_RESPONSE|ERR_SOCKET_NOT_CONNECTED|ERR_FAILED|WebSocket connection to .* failed/

/** And what it writes when a stranger's page asks who it is. */
const STRANGER = /status of 401 \(Unauthorized\) \S+\/api\/me$/

let launched
after(async () => (await launched)?.close())

function browser() {
  if (!BROWSER) throw new Error('There is no Chromium here: install the package chromium, or set CHROMIUM to its path.')
  return (launched ??= chromium.launch({ executablePath: BROWSER, args: FLAGS }))
}

/**
 * A server with these settings. It ends with the test; without one, begun beside the tests, with the file, whose tests share it
 * as people share a server: each has people and projects of its own.
 */
export async function startStage(env = {}, t = { after }) {
  const server = await startProcess(env)
  t.after(server.remove)
  const backup = join(server.folder, 'backup')
  return {
    ...server,
    /** Somebody in a browser of their own until the test ends, signed in where they have a name. */
    person: (test, settings) => newPerson(test, server.url, settings),
    /** People in one project, which the first of them begins with these files; the others have their `role` in it, or edit. */
    async meet(test, project, files, ...people) {
      const all = await Promise.all(people.map(({ role: _, ...who }) => newPerson(test, server.url, who)))
      const [first, ...others] = all
      await first.begin(project, files)
      await Promise.all(others.map((one, at) => one.join(first, people[at + 1].role)))
      return all
    },
    /** Puts the database aside, as a backup does; the server must be stopped. */
    backUp: () => cp(server.dataDir, backup, { recursive: true }),
    /** What the operator does after a disaster: the backup, and a new epoch for every document. */
    restore: async () => {
      await rm(server.dataDir, { recursive: true })
      await cp(backup, server.dataDir, { recursive: true })
      const code = await server.command('new-epoch')
      if (code !== 0) throw new Error(`coterie new-epoch: ${code}`)
    },
  }
}

/** `expected` are complaints that the test provokes; all other settings are those of a browser's context. */
export async function newPerson(t, address, { name, expected = [], ...settings } = {}) {
  const context = await (await browser()).newContext({ baseURL: address, reducedMotion: 'reduce', ...DESK, ...settings })
  await context.grantPermissions(['clipboard-read', 'clipboard-write'])
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
      console.error(`CSP violation: ${violatedDirective} ${blockedURI}`)
    })
  })
  const complaints = []
  context.on('page', (page) => {
    page.setDefaultTimeout(PATIENCE)
    page.on('console', (message) => {
      const said = `${message.text()} ${message.location().url}`
      if (message.type() === 'error' && ![NO_SERVER, STRANGER, ...expected].some((one) => one.test(said))) complaints.push(said)
    })
    page.on('pageerror', (error) => complaints.push(error.stack ?? error.message))
    page.on('dialog', (dialog) => void dialog.accept())
  })
  t.after(async () => {
    await context.close()
    assert.deepEqual(complaints, [], 'the page complained')
  })
  const one = person(context, await context.newPage())
  if (name !== undefined) await one.ask('/auth/guest', { name })
  return one
}
