import { afterEach, expect, it, vi } from 'vitest'
import * as Y from 'yjs'
import { CheckedProvider } from '../src/provider.ts'
import { openSocket, type Socket } from '../src/socket.ts'

/** A WebSocket that is open as soon as a test says so. */
class FakeWebSocket extends EventTarget {
  static latest: FakeWebSocket | null = null
  readyState = 0
  sent: Uint8Array[] = []

  constructor() {
    super()
    FakeWebSocket.latest = this
  }
  send(frame: Uint8Array) {
    this.sent.push(frame)
  }
  close() {
    this.readyState = 3
  }
}

let socket: Socket | undefined
afterEach(() => {
  socket?.close()
  vi.unstubAllGlobals()
})

it('neither sends nor counts an edit made while the token is awaited', async () => {
  vi.stubGlobal('WebSocket', FakeWebSocket)
  socket = openSocket('ws://host')
  await vi.waitFor(() => expect(FakeWebSocket.latest).not.toBeNull())
  const wire = FakeWebSocket.latest as unknown as FakeWebSocket
  let give = (_token: string) => {}
  const document = new Y.Doc()
  const provider = new CheckedProvider({
    websocketProvider: socket.provider,
    name: 'p/d',
    document,
    awareness: null,
    token: () => new Promise<string>((resolve) => (give = resolve)),
  })
  provider.attach()
  wire.readyState = 1
  wire.dispatchEvent(new Event('open'))

  document.getText('content').insert(0, 'early')
  expect(wire.sent).toHaveLength(0)

  give('')
  await vi.waitFor(() => expect(wire.sent).toHaveLength(2)) // the token, then the exchange
  expect(provider.unsyncedChanges).toBe(1)

  document.getText('content').insert(5, ' later')
  expect(wire.sent).toHaveLength(3)
  expect(provider.unsyncedChanges).toBe(2)
  provider.destroy()
})
