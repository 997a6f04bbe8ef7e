// The example in client-sdk/README.md, as printed there, in a page of the real server.

import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { DESK, startStage } from '../studio-stage.mjs'

const SDK = fileURLToPath(new URL('../../../client-sdk/', import.meta.url))

test('the example of the SDK runs: a file is made, saved and moved, and people are told', async (t) => {
  const example = /```ts\n([\s\S]*?)```/.exec(await readFile(`${SDK}README.md`, 'utf8'))[1]
  const { build } = await import(pathToFileURL(createRequire(`${SDK}package.json`).resolve('vite')).href)
  const { output } = await build({
    root: SDK, configFile: false, logLevel: 'error',
    resolve: { alias: { coterie: `${SDK}src/index.ts` } },
    plugins: [{
      name: 'example',
      resolveId: (id) => (id === 'example' ? '\0example' : null),
      load: (id) => (id === '\0example' ? example : null),
    }],
    build: { write: false, minify: false, target: 'es2023', modulePreload: false, rollupOptions: { input: 'example' } },
  })
  const stage = await startStage(t)
  const page = await stage.visitor({ ...DESK, bypassCSP: true })
  const said = []
  page.on('console', (message) => said.push(message.text()))
  await page.goto(stage.url)
  await page.addScriptTag({ type: 'module', content: output[0].code })
  const heard = async (words) => {
    for (let i = 0; i < 100 && !said.some((line) => line.includes(words)); i += 1) await page.waitForTimeout(100)
    assert.ok(said.some((line) => line.includes(words)), `${words} in ${JSON.stringify(said)}`)
  }
  await heard('Saving…')
  await heard('Ann')
  for (let i = 0; i < 100 && said.filter((line) => line === 'Saved').length < 1; i += 1) await page.waitForTimeout(100)
  await page.waitForFunction(async () => {
    const { items: [project] } = await (await fetch('/api/projects')).json()
    const { items } = await (await fetch(`/api/projects/${project.id}/documents`)).json()
    return items.map((file) => file.path).join() === 'cookbook/soup.md'
  })
  await heard('Saved')
  stage.calm()
})
