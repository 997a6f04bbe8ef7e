// `coterie/node`: bots, scripts and CI. A token says who they are, and nothing is kept on the machine.

import { WebSocket as NodeSocket } from 'ws'
import { createClient as createBrowserClient, type Client, type ClientOptions } from './client.ts'

export * from './index.ts'

/** As in a browser, but `url` and `token` (from `POST /api/projects/{id}/tokens`) must be given. */
export function createClient(options: Omit<ClientOptions, 'persist' | 'WebSocket'> & Required<Pick<ClientOptions, 'url' | 'token'>>): Client {
  return createBrowserClient({ ...options, persist: false, WebSocket: NodeSocket as unknown as typeof WebSocket })
}
