// The studio without a server: it opens again, shows and keeps what is typed, and sends it when the server is back; and it says
// when the server has a newer studio.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import { eventually, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

/** Waits until the page is looked after by its service worker, which has kept what it needs. */
const kept = (one) => one.page.evaluate(async () => {
  await navigator.serviceWorker.ready
  if (!navigator.serviceWorker.controller) await new Promise((done) => navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }))
})
/** The paths of the files in the lists that are kept. */
const listed = (one) => one.page.evaluate(async () => {
  const cache = await caches.open('coterie-data')
  const lists = (await cache.keys()).filter(({ url }) => /\/documents$/.test(new URL(url).pathname))
  const answers = await Promise.all(lists.map(async (list) => (await cache.match(list, { ignoreVary: true })).json()))
  return answers.flatMap(({ items }) => items.map(({ path }) => path))
})
const names = (one) => one.page.evaluate(async () => {
  const cache = await caches.open('coterie-data')
  return (await cache.keys()).map(({ url }) => new URL(url).pathname)
})

test('a page that is opened again without a server goes on, and nothing is lost', async (t) => {
  const server = await startStage({}, t)
  const ann = await server.person(t, PHONE)
  await ann.signIn('Ann')
  await ann.createProject('Recipe book')
  await ann.createFile('soups/onion.md')
  await ann.editor().click()
  await ann.type('saved. ')
  await ann.says('Saved')
  await kept(ann)
  await eventually('the project is kept', async (saw) => {
    const all = await names(ann)
    saw(all)
    return ['/api/me', '/api/projects/[^/]+', '.*/feed'].every((path) => all.some((name) => new RegExp(`^${path}$`).test(name)))
      && (await listed(ann)).includes('soups/onion.md')
  })

  await server.kill()
  await ann.page.reload()
  await ann.sees('saved. ')
  await ann.says(/^Offline/)
  await ann.editor().click()
  await ann.type('typed alone. ')
  await ann.says('Offline – 13 changes kept here')
  await ann.inspect('phone-14-offline')
  await ann.page.reload()
  await ann.sees('saved. typed alone. ')
  await ann.says(/^Offline/)

  await server.start()
  await ann.says('Saved')
  assert.equal(await ann.stored(), 'saved. typed alone. ')
  await ann.page.reload()
  await ann.sees('saved. typed alone. ')
})

test('what is kept for being offline goes at the sign-out, and is nobody else’s', async (t) => {
  const server = await startStage({}, t)
  const ann = await server.person(t, { expected: [/status of 401/, /ERR_FAILED/] })
  await ann.signIn('Ann')
  await ann.createProject('Private')
  await ann.createFile('onion.md')
  await kept(ann)
  await ann.page.reload()
  await ann.editor().waitFor()
  await eventually('something is kept', async () => (await names(ann)).length > 3)
  assert.ok((await names(ann)).every((name) => !/\/documents\/|\/text$|\/update$|tokens|invites|keys|logins/.test(name)))
  await ann.at('me').click()
  await ann.at('sign-out').click()
  await ann.page.getByRole('dialog').getByRole('button', { name: 'Sign out' }).click()
  await ann.at('guest-name').waitFor()
  await eventually('nothing is kept', async (saw) => {
    const all = await names(ann)
    saw(all)
    return all.every((name) => ['/api/auth'].includes(name))
  })
  await server.kill()
  await ann.page.reload()
  await ann.page.getByText('The server does not answer').waitFor()
})

test('a newer studio is offered, and the older goes on until it is taken', async (t) => {
  const server = await startStage({}, t)
  const ann = await server.person(t)
  await ann.signIn('Ann')
  await ann.createProject('Recipe book')
  await kept(ann)
  // As after an upgrade of the server: another worker for the same pages.
  await ann.page.evaluate(() => navigator.serviceWorker.register('/sw.js?newer').then(() => undefined))
  await ann.page.getByText('There is a newer version of this page.').waitFor()
  await ann.inspect('15-newer')
  await ann.page.evaluate(() => { window.older = true })
  await ann.createFile('onion.md')
  assert.ok(await ann.page.evaluate(() => window.older))
  await ann.page.getByRole('button', { name: 'Reload it' }).click()
  // Which of the two workers looks after the page now is not told apart: the page has asked for its own again.
  await until(ann.page, () => window.older === undefined)
  await ann.editor().waitFor()
})

test('the worker knows everything that the page loads by itself', async () => {
  const dist = new URL('../../../client-sdk/app/dist/', import.meta.url)
  const worker = await readFile(new URL('sw.js', dist), 'utf8')
  const page = await readFile(new URL('index.html', dist), 'utf8')
  const files = JSON.parse(/^const FILES = (\[.*\])$/m.exec(worker)[1])
  const named = [...page.matchAll(/(?:src|href)="(\/[^"]+)"/g)].map(([, path]) => path)
  assert.ok(named.length > 1)
  for (const path of named) assert.ok(files.includes(path), path)
  for (const part of ['editor', 'Chat', 'Preview']) assert.ok(files.some((path) => path.includes(`/${part}-`)), part)
})
