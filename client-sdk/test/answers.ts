// The HTTP interface with answers that a test gives, behind the real client of it.

import { credentialOf } from '../src/credential.ts'
import { createHttp, type Http } from '../src/http.ts'
import type { DocumentInfo } from '../src/types.ts'

export interface Asked {
  method: string
  /** With the query. */
  path: string
  /** Of JSON. */
  body: unknown
}

/** What `answer` says is sent as JSON, but for text and whole answers; nothing is 204. */
export function answeredBy(answer: (asked: Asked) => unknown): Http {
  return createHttp({ base: 'http://host', credential: credentialOf(''), fetch: async (input) => {
    const request = input as Request
    const { pathname, search } = new URL(request.url)
    const text = request.headers.get('content-type') === 'application/octet-stream' ? '' : await request.text()
    const said = await answer({ method: request.method, path: pathname + search, body: text === '' ? undefined : JSON.parse(text) })
    if (said instanceof Response) return said
    if (said === undefined) return new Response(null, { status: 204 })
    return new Response(typeof said === 'string' ? said : JSON.stringify(said))
  } })
}

export const documentAt = (path: string, id = `id-${path}`): DocumentInfo => (
  { id, project_id: 'p', path, head: 0, epoch: 1, created_at: '', created_by: 'ann' })
