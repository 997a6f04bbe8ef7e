// Runs the cases on the real server; then on one that relays nothing, where every case must fail.
//
//   npm test            both
//   npm run test:stub   the second alone
//   node run.mjs --only cases/sync.test.mjs   some cases on the real server alone

import { spawn } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const binary = resolve(process.env.COTERIE_BIN ?? `${HERE}/../../target/debug/coterie`)
if (!existsSync(binary)) {
  console.error(`There is no server at ${binary}. Build it with \`cargo build\`, or set COTERIE_BIN.`)
  process.exit(1)
}
const [how, ...named] = process.argv.slice(2)
const cases = named.length > 0 ? named : readdirSync(`${HERE}/cases`).map((name) => `cases/${name}`)

let failed = false
if (how !== '--stub') failed = (await run(cases, 'spec', {})).code !== 0
if (how !== '--only') failed = (await runOnStub()) || failed
process.exit(failed ? 1 : 0)

async function runOnStub() {
  const { output } = await run(cases, './outcomes.mjs', { COTERIE_STUB: '1', COTERIE_PATIENCE: '1200', COTERIE_SEED: '1', COTERIE_TEST_POSTGRES: '' })
  const outcomes = output.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line))
  const passed = outcomes.filter(({ passed }) => passed)
  console.log(`\nOn a server that accepts everything and relays nothing, ${outcomes.length - passed.length} of ${outcomes.length} cases fail, as all should.`)
  for (const { name } of passed) console.log(`  does not notice: ${name}`)
  return passed.length > 0 || outcomes.length === 0
}

/** Four files at a time: most of it is waiting. */
function run(files, reporter, env) {
  // What waits for something that never comes fails; the longest case takes two minutes, or 25 with many sessions.
  const limits = ['--test-concurrency=4', `--test-timeout=${30 * 60_000}`]
  const child = spawn(process.execPath, ['--test', ...limits, `--test-reporter=${reporter}`, ...files], {
    cwd: HERE,
    env: { ...process.env, COTERIE_BIN: binary, ...env },
    stdio: ['ignore', reporter === 'spec' ? 'inherit' : 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout?.on('data', (data) => (output += data))
  return new Promise((done) => child.on('close', (code) => done({ code, output })))
}
