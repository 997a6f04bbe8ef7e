// One client in a process of its own, driven by lines of JSON on stdin and answering on stdout.
//
// A process each, because y-websocket syncs the tabs of one process by BroadcastChannel, without any server.
// The clients are unmodified; only the WebSocket class they are given counts what goes by.

import { createInterface } from 'node:readline'
import * as decoding from 'lib0/decoding'
import WebSocket from 'ws'
import { Awareness } from 'y-protocols/awareness'
import * as Y from 'yjs'
import { randomEdits } from './random.mjs'
import { read, root } from './roots.mjs'

// y-websocket looks for the browser's one in its resync timer.
globalThis.WebSocket = WebSocket

const packages = {
  'y-websocket 2.1.0': () => import('y-websocket-2'),
  'y-websocket 3.1.0': () => import('y-websocket'),
  'hocuspocus 2.15.3': () => import('hocuspocus-v2'),
  'hocuspocus 3.4.4': () => import('hocuspocus-v3'),
  'hocuspocus 4.8.0': () => import('@hocuspocus/provider'),
}

/** The open documents by the key the test gives them. */
const files = new Map()
/** Shared sockets of Hocuspocus by the key the test gives them. */
const shared = new Map()
/** What goes by on the sockets of this process, for the test that has it now. */
let line = openLine()

function openLine() {
  const sockets = []
  const counts = { accepted: 0, refused: 0, reasons: [] }
  class CountingSocket extends WebSocket {
    constructor(address, protocols) {
      super(address, protocols)
      const mine = { address: String(address), opened: false, code: null, live: this }
      sockets.push(mine)
      this.on('open', () => (mine.opened = true))
      // A page that listens to no errors goes on; Node would end the process.
      this.on('error', () => {})
      this.on('close', (code) => (mine.code = code))
      this.on('message', (data, binary) => {
        if (binary) count(counts, String(address), new Uint8Array(data))
      })
    }
  }
  return { sockets, counts, CountingSocket }
}

function count(counts, address, frame) {
  const decoder = decoding.createDecoder(frame)
  if (address.includes('/hocuspocus')) {
    if (frame.length === 1) return
    decoding.readVarString(decoder)
    if (decoding.readVarUint(decoder) !== 8) return
    counts[decoding.readVarInt(decoder) === 1 ? 'accepted' : 'refused'] += 1
  } else if (decoding.readVarUint(decoder) === 2) {
    decoding.readVarUint(decoder)
    counts.refused += 1
    counts.reasons.push(decoding.readVarString(decoder))
  }
}

async function open(asked) {
  const { key = 'main', kind, clientID, offline = false, aware = true, local } = asked
  const doc = new Y.Doc()
  if (clientID !== undefined) doc.clientID = clientID
  const awareness = aware ? new Awareness(doc) : null
  const file = { kind, doc, awareness, log: [], closed: null, synced: 0, failures: [], stateless: [], scopes: [] }
  awareness?.on('change', ({ added, updated, removed }) => file.log.push({ at: Date.now(), added, updated, removed }))
  if (local) edit(doc, local)
  const module = await packages[kind]()
  if (kind.startsWith('y-websocket')) openYjs(module, file, asked, offline)
  else openHocuspocus(module, file, asked, offline)
  files.set(key, file)
  return doc.clientID
}

function openYjs(module, file, { server, room, token, params, resyncInterval }, offline) {
  const provider = new module.WebsocketProvider(`${server}/yjs`, room, file.doc, {
    connect: !offline,
    awareness: file.awareness ?? undefined,
    params: { ...(token === undefined ? {} : { token }), ...params },
    WebSocketPolyfill: line.CountingSocket,
    ...(resyncInterval ? { resyncInterval } : {}),
  })
  provider.on('sync', (synced) => (file.synced += Number(synced)))
  provider.on('closed', (how) => (file.closed = how))
  Object.assign(file, {
    provider,
    connect: () => provider.connect(),
    disconnect: () => provider.disconnect(),
    destroy: () => provider.destroy(),
    isSynced: () => provider.synced,
    isConnected: () => provider.wsconnected,
    unsynced: () => null,
  })
}

function openHocuspocus(module, file, asked, offline) {
  const { kind, server, name, token, query = '', socket, flushDelay, sessionAwareness } = asked
  const url = `${server}/hocuspocus${query}`
  const common = {
    name,
    document: file.doc,
    awareness: file.awareness,
    // A provider of old sends no Auth frame at all without a token.
    token: token ?? (kind === 'hocuspocus 2.15.3' ? null : ''),
    onAuthenticationFailed: ({ reason }) => file.failures.push(reason),
    onAuthenticated: (said) => file.scopes.push(said?.scope ?? 'authenticated'),
    onSynced: () => (file.synced += 1),
    onStateless: ({ payload }) => file.stateless.push(payload),
    onClose: ({ event }) => (file.closed = { code: event.code, reason: event.reason }),
  }
  const key = socket ?? Symbol('its own')
  let websocket = shared.get(key)
  if (!websocket) {
    // The name of the setting changed with version 3.
    websocket = new module.HocuspocusProviderWebsocket({ url, WebSocketPolyfill: line.CountingSocket, autoConnect: !offline, connect: !offline })
    shared.set(key, websocket)
  }
  const current = kind === 'hocuspocus 4.8.0' ? { flushDelay: flushDelay ?? false, sessionAwareness: sessionAwareness ?? false } : {}
  const provider = new module.HocuspocusProvider({ ...common, ...current, websocketProvider: websocket, broadcast: false })
  // Before version 3, a provider attached itself.
  provider.attach?.()
  Object.assign(file, {
    provider,
    connect: () => void websocket.connect(),
    disconnect: () => websocket.disconnect(),
    destroy: () => {
      provider.destroy()
      if (!socket) websocket.destroy()
    },
    isSynced: () => provider.isSynced,
    isConnected: () => websocket.status === 'connected',
    unsynced: () => provider.unsyncedChanges,
  })
}

/** One transaction for each edit, as an editor makes them. */
function edit(doc, edits) {
  for (const { on = 'content', path = [], call, with: given = [], nest } of edits) {
    doc.transact(() => {
      let target = root(doc, on)
      for (const step of path) target = target.get(step)
      const made = nest && { text: () => new Y.Text(), array: () => new Y.Array(), map: () => new Y.Map(), element: () => new Y.XmlElement(nest.name), xmltext: () => new Y.XmlText() }[nest.type]()
      target[call](...given.map((one) => (one === '$nest' ? made : Array.isArray(one) && one[0] === '$nest' ? [made] : one)))
    })
  }
}

const verbs = {
  open,
  edit: ({ file, edits }) => edit(file.doc, edits),
  // A raw string, since one with half of a pair does not survive JSON in every form.
  insertUnits: ({ file, at, units }) => file.doc.getText('content').insert(at, String.fromCharCode(...units)),
  random: ({ file, seed, count: number }) => randomEdits(file.doc, seed, number),
  type: ({ file, text }) => {
    const content = file.doc.getText('content')
    for (const letter of text) content.insert(content.length, letter)
  },
  text: ({ file }) => file.doc.getText('content').toString(),
  units: ({ file }) => [...file.doc.getText('content').toString()].flatMap((c) => [...Array(c.length).keys()].map((i) => c.charCodeAt(i))),
  read: ({ file }) => read(file.doc),
  setPresence: ({ file, state }) => file.awareness.setLocalState(state),
  setPresenceField: ({ file, field, value }) => file.awareness.setLocalStateField(field, value),
  presence: ({ file }) => Object.fromEntries([...file.awareness.getStates()].map(([id, state]) => [id, state])),
  presenceLog: ({ file }) => file.log,
  status: ({ file }) => ({
    connected: file.isConnected(),
    synced: file.isSynced(),
    timesSynced: file.synced,
    unsynced: file.unsynced(),
    closed: file.closed,
    failures: file.failures,
    scopes: file.scopes,
    stateless: file.stateless,
    pending: Boolean(file.doc.store.pendingStructs || file.doc.store.pendingDs),
  }),
  wire: () => ({
    opened: line.sockets.filter((one) => one.opened).length,
    tried: line.sockets.length,
    codes: line.sockets.map((one) => one.code).filter((code) => code !== null),
    ...line.counts,
  }),
  /** Breaks the connection under the client, which knows nothing of it. */
  cut: () => line.sockets.forEach((one) => one.live.terminate()),
  /** Lets go of everything, for the next test. */
  reset: () => {
    for (const file of files.values()) {
      file.destroy()
      file.doc.destroy()
    }
    for (const websocket of shared.values()) websocket.destroy()
    for (const { live } of line.sockets) live.terminate()
    files.clear()
    shared.clear()
    line = openLine()
  },
  connect: ({ file }) => file.connect(),
  disconnect: ({ file }) => file.disconnect(),
  destroy: ({ file }) => file.destroy(),
  attach: ({ file }) => file.provider.attach(),
  detach: ({ file }) => file.provider.detach(),
  setToken: ({ file, token }) => {
    if (file.kind.startsWith('y-websocket')) file.provider.params = { ...file.provider.params, token }
    else file.provider.configuration.token = token
  },
  sendToken: ({ file }) => file.provider.sendToken(),
  startSync: ({ file }) => file.provider.startSync(),
  forceSync: ({ file }) => file.provider.forceSync(),
}

function answer(said) {
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

createInterface({ input: process.stdin })
  .on('line', async (asked) => {
    const { id, verb, key = 'main', ...given } = JSON.parse(asked)
    try {
      answer({ id, value: (await verbs[verb]({ ...given, key, file: files.get(key) })) ?? null })
    } catch (error) {
      answer({ id, error: error.stack })
    }
  })
  .on('close', () => process.exit())
