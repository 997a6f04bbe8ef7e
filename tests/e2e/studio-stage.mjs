// For tests that were written for the stage as it was; new ones take look.mjs and stage.mjs.

import * as stages from './stage.mjs'

export { axe, reads, row, saved, shot, text, until } from './look.mjs'
export { DESK, PHONE } from './stage.mjs'

export async function startStage(t, env) {
  const stage = await stages.startStage(env, t)
  return { url: stage.url, visitor: async (options) => (await stage.person(t, { expected: [/./], ...options })).page, calm() {} }
}

export async function signIn(page, address, name) {
  await page.goto(address)
  await page.getByTestId('guest-name').fill(name)
  await page.getByTestId('guest-enter').click()
  await page.getByTestId('guest-enter').waitFor({ state: 'detached' })
}

async function ask(page, path, data) {
  const answer = await page.request.post(new URL(path, page.url()).href, { data })
  if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`)
  return answer.json()
}

export async function projectWith(page, name, files) {
  const { id } = await ask(page, '/api/projects', { name })
  for (const [path, content] of Object.entries(files)) await ask(page, `/api/projects/${id}/documents`, { path, content })
  await page.goto(new URL(`/p/${id}`, page.url()).href)
  await page.getByTestId('file-link').first().waitFor()
  return id
}

export async function inviteFrom(page, role = 'editor') {
  return `/join/${(await ask(page, `/api/projects/${/\/p\/([^/]+)/.exec(page.url())[1]}/invites`, { role })).token}`
}
