// A client that is alone and does nothing stays connected: clients reconnect when they hear no data for 30 s, and see no
// pings.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CLIENTS, HP4, isYjs, opened, pause, YWS3 } from '../peer.mjs'
import { startServer } from '../server.mjs'

const LONGER_THAN_ANY_TIMEOUT = 75_000

test('every client stays connected while nothing happens', async (t) => {
  const server = await startServer(t)
  const person = await server.guest('Ann')
  const project = await person.project()
  // Without awareness, a client does not even renew its presence.
  const kinds = [...CLIENTS.map((kind) => ({ kind, aware: true })), { kind: HP4, aware: false }, { kind: YWS3, silent: true }]
  const clients = await Promise.all(kinds.map(async ({ kind, aware, silent }, index) => {
    const client = await opened(t, kind, { person, project, name: `alone-${index}.md`, aware })
    await client.synced()
    if (silent) await client.setPresence({ state: null })
    await client.insert(0, 'mine')
    return { client, kind, name: `alone-${index}.md` }
  }))
  // That this is not a server that hears nothing: somebody else can read it.
  for (const { kind, name } of clients) {
    const other = await opened(t, kind, { person, project, name })
    await other.sees('mine')
    await other.destroy()
  }
  await pause(LONGER_THAN_ANY_TIMEOUT)
  for (const { client, kind } of clients) {
    const { opened: times, tried, codes } = await client.wire()
    assert.deepEqual({ kind, times, tried, codes }, { kind, times: 1, tried: 1, codes: [] })
    const { connected, synced } = await client.status()
    assert.deepEqual({ kind, connected, synced }, { kind, connected: true, synced: true })
    // v3 providers hear frames of a document; others the byte of a ping.
    if (!isYjs(kind)) assert.equal((await client.status()).unsynced, 0, kind)
  }
})
