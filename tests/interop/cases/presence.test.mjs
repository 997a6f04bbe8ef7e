// Who is here: named by the server, gone when they are gone, and steady while they are not.

import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { HP4, HP3, opened, openIn, PAIRS, pause, startClient, until, YWS2, YWS3 } from '../peer.mjs'
import { startServer } from '../server.mjs'

async function meet(t, one, other) {
  const server = await startServer(t)
  const [person, guest] = await Promise.all([server.guest('Ann'), server.guest('Ben')])
  const project = await person.project()
  await person.invite(guest, project.id)
  const name = 'here.md'
  const ann = await opened(t, one, { person, project, name })
  const ben = startClient(t)
  const benId = await openIn(ben, other, { person: guest, project, name })
  await Promise.all([ann.synced(), ben.synced()])
  const sees = (what, check, patience) => until(what, async (saw) => {
    const states = await ann.presence()
    saw(states)
    return check(states[benId])
  }, patience)
  const gone = async () => (await ann.presenceLog()).filter((change) => change.removed.includes(benId)).length
  return { server, person, guest, project, name, ann, ben, benId, sees, gone }
}

// Most of their time these wait.
describe('presence', { concurrency: 6 }, () => {
  for (const [one, other] of PAIRS) {
    test(`${one} sees who ${other} is, and that a killed one is gone`, async (t) => {
      const { guest, ann, ben, sees } = await meet(t, one, other)
      await ben.setPresence({ state: { user: { id: 'me', name: 'Mallory', kind: 'user', color: 'red', avatar: 'x' }, cursor: { at: 3 } } })
      await sees('Ben, by the name he signed in with', (state) => {
        if (!state?.cursor) return false
        assert.equal(state.user.name, 'Ben')
        assert.equal(state.user.id, guest.user.id)
        assert.notEqual(state.user.color, 'red')
        assert.deepEqual(state.cursor, { at: 3 })
        return true
      })
      await ben.setPresenceField({ field: 'cursor', value: { at: 4 } })
      await sees('his caret has moved', (state) => state?.cursor?.at === 4)
      ben.kill()
      await sees('he is gone', (state) => state === undefined, Math.min(Number(process.env.COTERIE_PATIENCE ?? 6_000), 6_000))
    })
  }

  for (const [one, other] of [[YWS2, YWS2], [YWS3, YWS3], [HP4, HP4], [YWS3, HP4], [HP4, YWS3], [HP4, HP3]]) {
    test(`${one} does not see ${other} flicker when its connection breaks`, async (t) => {
      const { ann, ben, sees, gone } = await meet(t, one, other)
      await ben.setPresenceField({ field: 'cursor', value: { at: 1 } })
      await sees('his caret', (state) => state?.cursor?.at === 1)
      await ben.cut()
      await until('he is back', async () => (await ben.wire()).opened === 2)
      await ben.synced()
      await pause(4_000) // longer than anybody is kept after leaving
      assert.equal(await gone(), 0)
      await ben.setPresenceField({ field: 'cursor', value: { at: 2 } })
      await sees('his caret after the break', (state) => state?.cursor?.at === 2)
      assert.ok((await ann.wire()).opened === 1)
    })

    test(`${one} sees ${other} again after an absence`, async (t) => {
      const { ben, sees } = await meet(t, one, other)
      await ben.setPresenceField({ field: 'cursor', value: { at: 1 } })
      await sees('his caret', (state) => state?.cursor?.at === 1)
      await ben.disconnect()
      await sees('he is gone', (state) => state === undefined)
      await pause(500)
      await ben.connect()
      await ben.synced()
      // Clients that return announce the clock they left with, which others ignore, until they renew it after 15 s.
      await sees('he is back by himself', (state) => state?.cursor?.at === 1)
      await ben.setPresenceField({ field: 'cursor', value: { at: 2 } })
      await sees('his caret after the absence', (state) => state?.cursor?.at === 2, Math.min(Number(process.env.COTERIE_PATIENCE ?? 3_000), 3_000))
    })

    test(`${one} sees that ${other} left on purpose, at once`, async (t) => {
      const { ben, sees } = await meet(t, one, other)
      await ben.setPresenceField({ field: 'cursor', value: { at: 1 } })
      await sees('his caret', (state) => state?.cursor?.at === 1)
      await ben.setPresence({ state: null })
      await sees('he is gone', (state) => state === undefined, 5_000)
    })
  }

  test('somebody else cannot speak for a client', async (t) => {
    const { person, project, name, ann, benId, ben, sees, gone } = await meet(t, HP4, YWS3)
    await ben.setPresenceField({ field: 'cursor', value: { at: 1 } })
    await sees('his caret', (state) => state?.cursor?.at === 1)
    // Ann opens the document once more, under Ben's id and with a higher clock.
    const thief = await opened(t, YWS2, { person, project, name, clientID: benId })
    await thief.synced()
    for (let at = 0; at < 20; at += 1) await thief.setPresenceField({ field: 'cursor', value: { at: 100 + at } })
    await thief.setPresence({ state: null })
    await ben.setPresenceField({ field: 'cursor', value: { at: 2 } })
    await sees('his caret, moved by himself', (state) => state?.cursor?.at === 2 && state.user.name === 'Ben')
    assert.equal(await gone(), 0)
    assert.equal((await ann.status()).connected, true)
  })
})
