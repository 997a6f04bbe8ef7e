// The real server for one test, and people who use its API.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { startProcess } from '../server.mjs'
import { pause } from './peer.mjs'
import { openPool } from './pool.mjs'
import { readUpdate } from './roots.mjs'
import { startStub } from './stub.mjs'

/** The databases that core cases run on. */
export const ENGINES = process.env.COTERIE_TEST_POSTGRES ? ['sqlite', 'postgres'] : ['sqlite']

const servers = openPool((server) => server.remove())

/** A server for one test: nobody else does anything on it meanwhile. */
export async function startServer(t, { engine = 'sqlite', env = {} } = {}) {
  const settings = {
    COTERIE_USER_RATE: '10000/100000',
    COTERIE_PROJECT_RATE: '10000/100000',
    ...(engine === 'postgres' ? { DATABASE_URL: process.env.COTERIE_TEST_POSTGRES } : {}),
    ...env,
  }
  const sort = JSON.stringify(settings)
  const running = servers.take(sort) ?? (await startProcess(settings))
  t.after(() => (running.isRunning() ? servers.leave(sort, running) : running.remove()))
  const url = process.env.COTERIE_STUB ? await startStub(t, running.url) : running.url
  const server = {
    ...running,
    url,
    socketUrl: url.replace(/^http/, 'ws'),
    guest: (name) => guest(server, name),
    holdWrites: () => holdWrites(t, join(running.dataDir, 'coterie.db-shm')),
  }
  return server
}

/** Somebody signed in as a guest. */
async function guest(server, name) {
  const response = await fetch(`${server.url}/auth/guest`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name }),
  })
  if (!response.ok) throw new Error(`signing in: ${response.status} ${await response.text()}`)
  const cookie = response.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  const user = await response.json()
  const ask = async (method, path, body) => {
    for (;;) {
      const answer = await fetch(`${server.url}/api${path}`, {
        method,
        headers: { cookie, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        body: body === undefined ? undefined : JSON.stringify(body),
      })
      if (answer.status !== 429) return answer
      await pause(1000 * Number(answer.headers.get('retry-after') ?? 1))
    }
  }
  const json = async (method, path, body) => {
    const answer = await ask(method, path, body)
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`)
    return answer.status === 204 ? null : answer.json()
  }
  const person = {
    server,
    user,
    cookie,
    json,
    project: (projectName = 'Interop') => json('POST', '/projects', { name: projectName }),
    token: (project, wanted = {}) => json('POST', `/projects/${project}/tokens`, wanted),
    document: (project, path, content = '') => json('POST', `/projects/${project}/documents`, { path, content }),
    /** Lets somebody else into a project. */
    invite: async (other, project, role = 'editor') => {
      const { token } = await json('POST', `/projects/${project}/invites`, { role })
      return other.json('POST', `/invites/${token}/accept`, {})
    },
    /** The id of the document at a path, which a client may just have created. */
    find: async (project, path) => {
      const { items } = await json('GET', `/projects/${project}/documents?limit=200`)
      const found = items.find((document) => document.path === path)
      if (!found) throw new Error(`no document at ${path}, only at ${items.map((one) => one.path)}`)
      return found
    },
    /** The text as programs read it that do not speak Yjs. */
    text: async (project, document) => {
      const answer = await ask('GET', `/projects/${project}/documents/${document}/text`)
      if (!answer.ok) throw new Error(`reading the text: ${answer.status} ${await answer.text()}`)
      return answer.text()
    },
    update: async (project, document) => {
      const answer = await ask('GET', `/projects/${project}/documents/${document}/update`)
      if (!answer.ok) throw new Error(`reading the update: ${answer.status} ${await answer.text()}`)
      return new Uint8Array(await answer.arrayBuffer())
    },
  }
  /** Reads what the server has of the document at a path, for comparison with what clients say. */
  person.stored = (project, path) => async () => readUpdate(await person.update(project, (await person.find(project, path)).id))
  return person
}

/** Keeps the server's database from committing, as another process that writes would, until the answer is called. */
async function holdWrites(t, file) {
  // Byte 120 of the shared memory is SQLite's lock for writing in WAL mode. Node cannot lock a range of bytes.
  const script = `use Fcntl; open(F, '+<', $ARGV[0]) or die; $| = 1;
    my $lock = pack('s s x4 q q l x4', F_WRLCK, 0, 120, 1, 0);
    fcntl(F, F_SETLKW, $lock) or die $!; print "held\\n"; <STDIN>;`
  const child = spawn('perl', ['-e', script, file], { stdio: ['pipe', 'pipe', 'inherit'] })
  t.after(() => child.kill('SIGKILL'))
  await new Promise((held, failed) => {
    child.stdout.once('data', held)
    child.on('error', failed)
    child.on('exit', (code) => failed(new Error(`cannot hold the database (${code})`)))
  })
  return async () => {
    const gone = new Promise((done) => child.once('exit', done))
    child.stdin.end()
    await gone
  }
}
