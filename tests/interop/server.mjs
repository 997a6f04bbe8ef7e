// The real server as a child process, and people who use its API.

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pause } from './peer.mjs'
import { readUpdate } from './roots.mjs'
import { startStub } from './stub.mjs'

const HERE = fileURLToPath(new URL('.', import.meta.url))
const BINARY = resolve(process.env.COTERIE_BIN ?? join(HERE, '../../target/debug/coterie'))
const READY = /open (http:\/\/\S+)/

/** The databases that core cases run on. */
export const ENGINES = process.env.COTERIE_TEST_POSTGRES ? ['sqlite', 'postgres'] : ['sqlite']

/** A server on a free port with a folder of its own; both end with the test. */
export async function startServer(t, { engine = 'sqlite', env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'coterie-interop-'))
  let child
  let port = 0
  let log = ''
  const start = async () => {
    child = spawn(BINARY, [], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        COTERIE_LISTEN: `127.0.0.1:${port}`,
        COTERIE_DATA_DIR: join(folder, 'data'),
        COTERIE_USER_RATE: '10000/100000',
        COTERIE_PROJECT_RATE: '10000/100000',
        RUST_LOG: process.env.RUST_LOG ?? 'warn',
        ...(engine === 'postgres' ? { DATABASE_URL: process.env.COTERIE_TEST_POSTGRES } : {}),
        ...env,
      },
    })
    const running = child
    const url = await new Promise((ready, failed) => {
      let said = ''
      running.stdout.on('data', (data) => {
        said += data
        const found = READY.exec(said)
        if (found) ready(found[1])
      })
      running.stderr.on('data', (data) => (log += data))
      running.on('error', failed)
      running.on('exit', (code, signal) => failed(new Error(`the server ended (${code ?? signal}): ${log}`)))
    })
    port = Number(new URL(url).port)
    return url
  }
  const end = async (signal) => {
    const running = child
    if (running.exitCode !== null || running.signalCode !== null) return
    const gone = new Promise((done) => running.once('exit', done))
    running.kill(signal)
    await gone
  }
  t.after(async () => {
    await end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  })
  const real = await start()
  const url = process.env.COTERIE_STUB ? await startStub(t, real) : real
  const server = {
    url,
    socketUrl: url.replace(/^http/, 'ws'),
    dataDir: join(folder, 'data'),
    log: () => log,
    start,
    kill: () => end('SIGKILL'),
    stop: () => end('SIGTERM'),
    guest: (name) => guest(server, name),
    holdWrites: () => holdWrites(t, join(folder, 'data', 'coterie.db-shm')),
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
