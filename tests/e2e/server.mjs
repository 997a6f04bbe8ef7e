// The real server as a child process, with a folder of its own, on a free port that it keeps.

import { spawn } from 'node:child_process'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const BINARY = resolve(process.env.COTERIE_BIN ?? fileURLToPath(new URL('../../target/debug/coterie', import.meta.url)))
const READY = /open (http:\/\/\S+)/

export async function startServer(t, { env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-e2e-'))
  const data = join(folder, 'data')
  let child
  let port = 0
  const run = (args) => spawn(BINARY, args, {
    cwd: folder,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...env, PATH: process.env.PATH, COTERIE_LISTEN: `127.0.0.1:${port}`, COTERIE_DATA_DIR: data, RUST_LOG: process.env.RUST_LOG ?? 'warn' },
  })
  const ended = (process) => new Promise((done) => process.once('exit', (code, signal) => done(code ?? signal)))
  const start = async () => {
    child = run([])
    const running = child
    const url = await new Promise((ready, failed) => {
      let said = ''
      for (const stream of [running.stdout, running.stderr]) {
        stream.on('data', (data) => {
          said += data
          const found = READY.exec(said)
          if (found) ready(found[1])
        })
      }
      running.on('error', failed)
      running.on('exit', (code, signal) => failed(new Error(`the server ended (${code ?? signal}): ${said}`)))
    })
    port = Number(new URL(url).port)
    return url
  }
  const end = async (signal) => {
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = ended(child)
    child.kill(signal)
    await gone
  }
  t.after(async () => {
    await end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const url = await start()
  return {
    url,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    /** Puts the database aside, as a backup does; the server must be stopped. */
    backUp: () => cp(data, join(folder, 'backup'), { recursive: true }),
    /** What the operator does after a disaster: the backup, and a new epoch for every document. */
    restore: async () => {
      await rm(data, { recursive: true })
      await cp(join(folder, 'backup'), data, { recursive: true })
      const command = run(['new-epoch'])
      const code = await ended(command)
      if (code !== 0) throw new Error(`coterie new-epoch: ${code}`)
    },
  }
}
