import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { openSocket, type ConnectionStatus, type Socket } from '../src/socket.ts'

/** Enough of a WebSocket to be opened, spoken through and cut by a test. */
class FakeWebSocket extends EventTarget {
  static made: FakeWebSocket[] = []
  readyState = 0
  sent: number[][] = []

  constructor() {
    super()
    FakeWebSocket.made.push(this)
  }
  send(frame: Uint8Array) {
    this.sent.push([...frame])
  }
  open() {
    this.readyState = 1
    this.dispatchEvent(new Event('open'))
  }
  receive(...bytes: number[]) {
    this.dispatchEvent(new MessageEvent('message', { data: new Uint8Array(bytes).buffer }))
  }
  cut() {
    this.readyState = 3
    this.dispatchEvent(new Event('close'))
  }
  close() {
    this.readyState = 3
  }
}

const PING = 9
const PONG = 10
let socket: Socket

beforeEach(() => {
  vi.useFakeTimers()
  vi.stubGlobal('WebSocket', FakeWebSocket)
  FakeWebSocket.made = []
  socket = openSocket('ws://host/hocuspocus')
})
afterEach(() => {
  socket.close()
  vi.unstubAllGlobals()
  vi.useRealTimers()
})

async function latest(count: number): Promise<FakeWebSocket> {
  await vi.waitFor(() => expect(FakeWebSocket.made).toHaveLength(count), 5_000)
  return FakeWebSocket.made[count - 1] as FakeWebSocket
}

it('keeps no frame for later: the state exchange of the next connection carries all of it', async () => {
  const first = await latest(1)
  socket.provider.send(new Uint8Array([1, 2, 3]))
  first.open()
  first.receive(PING) // the moment at which Hocuspocus would send what it had queued
  socket.provider.send(new Uint8Array([4]))
  expect(first.sent).toEqual([[PONG], [4]])

  first.cut()
  socket.provider.send(new Uint8Array([5]))
  const second = await latest(2)
  second.open()
  second.receive(PING)
  expect(second.sent).toEqual([[PONG]])
})

it('is connecting once, then open or lost', async () => {
  const seen: ConnectionStatus[] = []
  socket.status.subscribe((status) => seen.push(status))
  const first = await latest(1)
  first.open()
  first.receive(PING)
  first.cut()
  ;(await latest(2)).cut()
  const third = await latest(3)
  third.open()
  expect(seen).toEqual(['connecting', 'open', 'lost', 'open'])
})

it('comes back at a moment of its own, so that a crowd does not come at once', async () => {
  const first = await latest(1)
  first.open()
  first.receive(PING)
  const others = Array.from({ length: 39 }, () => openSocket('ws://host/hocuspocus'))
  await latest(40)
  for (const made of FakeWebSocket.made.slice(1)) {
    made.open()
    made.receive(PING)
  }
  FakeWebSocket.made.splice(0).forEach((made) => made.cut())
  const backAfter: number[] = []
  for (let ms = 0; ms < 1_200; ms += 50) {
    await vi.advanceTimersByTimeAsync(50)
    backAfter.push(...FakeWebSocket.made.splice(0).map(() => ms))
  }
  expect(backAfter).toHaveLength(40)
  expect(Math.min(...backAfter)).toBeGreaterThanOrEqual(150)
  expect(Math.max(...backAfter.map((ms) => backAfter.filter((one) => one === ms).length)), 'in one twentieth of a second').toBeLessThan(15)
  others.forEach((one) => one.close())
})

it('is back within the longest delay, however long it was away', async () => {
  const first = await latest(1)
  first.open()
  first.receive(PING)
  first.cut()
  for (let attempt = 2; attempt <= 14; attempt += 1) {
    ;(await latest(attempt)).cut()
    const before = FakeWebSocket.made.length
    await vi.advanceTimersByTimeAsync(5_000)
    expect(FakeWebSocket.made.length).toBeGreaterThan(before)
  }
})
