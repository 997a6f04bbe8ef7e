// The example of the README runs as it stands there.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { HP4, opened, until, YWS3 } from '../peer.mjs'
import { startServer } from '../server.mjs'

const README = fileURLToPath(new URL('../../../README.md', import.meta.url))
const MODULES = fileURLToPath(new URL('../node_modules', import.meta.url))
const NAME = 'live.mjs'

async function example() {
  const text = await readFile(README, 'utf8').catch(() => '')
  const blocks = [...text.matchAll(/^```js\n([^]*?)^```$/gm)].map(([, block]) => block)
  const found = blocks.find((block) => block.startsWith(`// example: ${NAME}\n`))
  assert.ok(found, `README.md has no block that begins with \`\`\`js and the line "// example: ${NAME}"`)
  return found
}

test('the example of the README connects, and others see what it writes', async (t) => {
  const code = await example()
  const path = /\/([\w.-]+\.md)/.exec(code)?.[1]
  assert.ok(path, 'the example opens some *.md')
  const server = await startServer(t)
  const person = await server.guest('Ann')
  const project = await person.project()
  const { token } = await person.token(project.id)
  // Outside the project, with nothing but the packages that the example names.
  const folder = await mkdtemp(join(tmpdir(), 'coterie-example-'))
  t.after(() => rm(folder, { recursive: true, force: true }))
  await symlink(MODULES, join(folder, 'node_modules'))
  await writeFile(join(folder, NAME), code)
  const watcher = await opened(t, YWS3, { person, project, name: path })
  const child = spawn(process.execPath, [NAME], {
    cwd: folder,
    env: { PATH: process.env.PATH, COTERIE_URL: server.socketUrl, COTERIE_TOKEN: token, COTERIE_PROJECT: project.id },
  })
  t.after(() => child.kill('SIGKILL'))
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data))
  const written = await until('the example has written something', async (saw) => {
    saw(said)
    return watcher.text()
  })
  await until('the example says that it is saved', (saw) => saw(said) ?? said.includes('saved'))
  const other = await opened(t, HP4, { person, project, name: path })
  await other.sees(written)
  assert.equal(child.exitCode, null, `the example ended: ${said}`)
})
