// The description of the HTTP interface that the types are made from, held against the server.

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startServer, type Server } from './server.ts'

let server: Server
beforeAll(async () => {
  server = await startServer()
}, 60_000)
afterAll(() => server?.remove())

it('openapi.json is what the server says (`make openapi` takes over what it says now)', async () => {
  const kept: unknown = JSON.parse(readFileSync(new URL('../openapi.json', import.meta.url), 'utf8'))
  expect(kept).toEqual(await (await fetch(`${server.url}/api/openapi.json`)).json())
})
