// The real server as a child process: a folder of its own, and a free port that it keeps when it is started again. For all
// tests in JavaScript, whatever package they are in.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

export const BINARY = resolve(process.env.COTERIE_BIN ?? fileURLToPath(new URL('../target/debug/coterie', import.meta.url)))
const READY = /open (http:\/\/\S+)/

export async function startProcess(env = {}) {
  if (!existsSync(BINARY)) throw new Error(`There is no server at ${BINARY}: run cargo build, or set COTERIE_BIN.`)
  const folder = await mkdtemp(join(tmpdir(), 'coterie-test-'))
  const dataDir = join(folder, 'data')
  let child
  let port = 0
  let log = ''

  const run = (args) => spawn(BINARY, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env.PATH, RUST_LOG: process.env.RUST_LOG ?? 'warn', ...env,
      COTERIE_LISTEN: `127.0.0.1:${port}`, COTERIE_DATA_DIR: dataDir,
    },
  })
  const ended = (process) => new Promise((done) => process.once('exit', (code, signal) => done(code ?? signal)))

  async function start() {
    const running = (child = run([]))
    const url = await new Promise((ready, failed) => {
      let said = ''
      running.stdout.on('data', (data) => {
        said += data
        const found = READY.exec(said)
        if (found) ready(found[1])
      })
      running.stderr.on('data', (data) => (log += data))
      running.on('error', failed)
      running.on('exit', (code, signal) => failed(new Error(`the server ended (${code ?? signal}): ${said}${log}`)))
    })
    port = Number(new URL(url).port)
    return url
  }

  async function end(signal) {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = ended(child)
    child.kill(signal)
    await gone
  }

  return {
    url: await start(),
    folder,
    dataDir,
    log: () => log,
    isRunning: () => child.exitCode === null && child.signalCode === null,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    /** Runs another command of the program, while the server does not run, and answers how it ended. */
    command: (...args) => ended(run(args)),
    /** Ends it, and leaves nothing. */
    async remove() {
      await end('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}
