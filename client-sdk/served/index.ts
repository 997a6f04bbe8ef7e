// `/sdk/v1/index.js`: the package as the server itself serves it. It knows where it came from.

import { createClient as createAnywhere, type Client, type ClientOptions } from '../src/index.ts'

export * from '../src/index.ts'

/** As in the package, but `url` is the server that this came from, where none is given. */
export function createClient(options: ClientOptions = {}): Client {
  return createAnywhere({ url: new URL(import.meta.url).origin, ...options })
}
