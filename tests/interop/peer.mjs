// The test's end of a client process, and waiting for what should become true.

import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openPool } from './pool.mjs'

export const YWS2 = 'y-websocket 2.1.0'
export const YWS3 = 'y-websocket 3.1.0'
export const HP2 = 'hocuspocus 2.15.3'
export const HP3 = 'hocuspocus 3.4.4'
export const HP4 = 'hocuspocus 4.8.0'
export const PY_YWS = 'pycrdt y-websocket'
export const PY_HP = 'pycrdt hocuspocus'

/** Every client that is served. */
export const CLIENTS = [YWS2, YWS3, HP2, HP3, HP4]

/** Who meets whom: the current clients in every order, and each older provider with one of either dialect. */
export const PAIRS = [YWS2, YWS3, HP4].flatMap((one) => [YWS2, YWS3, HP4].map((other) => [one, other]))
  .concat([[HP2, HP4], [YWS3, HP2], [HP3, HP3], [HP3, YWS2]])

/** How long to wait for what should become true, in milliseconds. */
export const PATIENCE = Number(process.env.COTERIE_PATIENCE ?? 20_000)

const CLIENT = fileURLToPath(new URL('client.mjs', import.meta.url))
const PYTHON = fileURLToPath(new URL('../python/venv/bin/python', import.meta.url))
const PYTHON_CLIENT = fileURLToPath(new URL('../python/client.py', import.meta.url))

export const isYjs = (kind) => kind.endsWith('y-websocket') || kind.startsWith('y-websocket')

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

/** Waits until `look` answers something true, and answers that. */
export async function until(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience
  let seen
  for (;;) {
    let found
    try {
      found = await look((value) => (seen = value))
    } catch (error) {
      seen = error
    }
    if (found) return found
    if (Date.now() > deadline) {
      throw new Error(`waited ${patience} ms in vain: ${what}${seen === undefined ? '' : `; last seen: ${seen instanceof Error ? seen.stack : JSON.stringify(seen)}`}`)
    }
    await pause(25)
  }
}

const processes = openPool((client) => client.kill())

/** A client process for one test: of Node, or of Python for a kind of pycrdt. */
export function startClient(t, kind = '') {
  const python = kind.startsWith('pycrdt')
  const client = (python ? undefined : processes.take('node')) ?? spawnClient(python ? [PYTHON, PYTHON_CLIENT] : [process.execPath, CLIENT])
  t.after(async () => {
    const tidy = !python && (await client.reset().then(() => true, () => false))
    if (tidy) processes.leave('node', client)
    else client.kill()
  })
  return client
}

function spawnClient(command) {
  if (!existsSync(command[0])) throw new Error(`${command[0]} is missing: run \`make tests/python/venv/.installed\` (\`make test\` does)`)
  const child = spawn(command[0], command.slice(1), { stdio: ['pipe', 'pipe', 'pipe'] })
  const waiting = new Map()
  let last = 0
  let complaints = ''
  child.stderr.on('data', (data) => (complaints += data))
  child.stdin.on('error', () => {}) // it was killed; the exit says so
  createInterface({ input: child.stdout }).on('line', (line) => {
    let said
    try {
      said = JSON.parse(line)
    } catch {
      return // a client's own console.log
    }
    const { id, value, error } = said
    const { resolve, reject } = waiting.get(id)
    waiting.delete(id)
    if (error) reject(new Error(error))
    else resolve(value)
  })
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`the client process ended (${code ?? signal}): ${complaints}`))
    waiting.clear()
  })
  const call = (verb, given = {}) => new Promise((resolve, reject) => {
    if (child.exitCode !== null || child.signalCode !== null) return void reject(new Error('the client process has ended'))
    last += 1
    waiting.set(last, { resolve, reject })
    child.stdin.write(`${JSON.stringify({ id: last, verb, ...given })}\n`)
  })
  const verbs = ['open', 'edit', 'insertUnits', 'random', 'type', 'text', 'state', 'units', 'read', 'setPresence', 'setPresenceField',
    'presence', 'presenceLog', 'status', 'wire', 'cut', 'connect', 'disconnect', 'destroy', 'attach', 'detach', 'setToken',
    'sendToken', 'startSync', 'forceSync', 'reset']
  const client = Object.fromEntries(verbs.map((verb) => [verb, (given) => call(verb, given)]))
  return {
    ...client,
    kill: () => child.kill('SIGKILL'),
    complaints: () => complaints,
    insert: (at, text, key) => call('edit', { key, edits: [{ call: 'insert', with: [at, text] }] }),
    remove: (at, length, key) => call('edit', { key, edits: [{ call: 'delete', with: [at, length] }] }),
    sees: (text, key) => until(`the text ${JSON.stringify(text.slice(0, 60))}`, async (saw) => {
      const now = await call('text', { key })
      saw(now.slice(0, 200))
      return now === text
    }),
    synced: (key) => until('the client is synced', async (saw) => {
      const status = await call('status', { key })
      saw(status)
      return status.synced
    }),
    /** Everything edited here is saved, as far as this client can know. */
    saved: (key) => until('nothing is unsynced', async (saw) => {
      const { unsynced, synced } = await call('status', { key })
      saw({ unsynced, synced })
      // Providers before version 3 count down for updates they had queued and never counted.
      return unsynced === null || (synced && unsynced <= 0)
    }),
  }
}

/** A new client process with one document open. */
export async function opened(t, kind, { person, project, name, token, ...more }) {
  const client = startClient(t, kind)
  await openIn(client, kind, { person, project, name, token, ...more })
  return client
}

/** Opens a document in a client process. The clientID is answered. */
export async function openIn(client, kind, { person, project, name, token, ...more }) {
  const credential = token ?? (await person.token(project.id)).token
  const server = person.server.socketUrl
  return isYjs(kind)
    // The room goes into the address as it is; encoding it is the app's affair.
    ? client.open({ kind, server, room: `${project.id}/${encodeURI(name)}`, token: credential, ...more })
    : client.open({ kind, server, name: `${project.id}/${name}`, token: credential, ...more })
}

/** All say the same, and it is what the server has. */
export async function agree(clients, stored) {
  return until('all clients and the server say the same', async (saw) => {
    const said = await Promise.all(clients.map((client) => client.read()))
    said.push(await stored())
    saw(differing(said))
    return said.every((one) => one === said[0]) && said[0]
  })
}

/** Where texts that should be equal part, and how each goes on. */
function differing(texts) {
  let at = 0
  while (texts.every((text) => text[at] === texts[0][at]) && at < texts[0].length) at += 1
  return texts.map((text) => `${at}: ${text.slice(Math.max(0, at - 80), at + 160)}`)
}
