// The server's HTTP interface, typed by its own description (openapi.json). Every failure, from "no network" to "not
// JSON", leaves as one ApiError.

import openapi, { type MaybeOptionalInit } from 'openapi-fetch'
import type { components, paths } from '../types/openapi.ts'
import type { Credential } from './credential.ts'

/** What the server's description calls by this name. */
export type Schema<Name extends keyof components['schemas']> = components['schemas'][Name]

/** The most the server puts on a page. */
const PAGE_ITEMS = 200

/** Why the server did not do something, or could not be asked. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    /** The server's word for it (`not_found`), or ours: `offline`, `bad_answer`, `http_502`. */
    readonly code: string,
    /** A sentence fit to be shown to people. */
    message: string,
    /** 0 when no answer came at all. */
    readonly status: number,
    /** Ask the operator about this one. */
    readonly requestId: string | null = null,
    /** Seconds to wait before trying again, when the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message)
  }

  get isOffline(): boolean {
    return this.status === 0
  }
  get isUnauthorized(): boolean {
    return this.status === 401
  }
  /** Hidden and missing look the same on purpose. */
  get isNotFound(): boolean {
    return this.status === 404
  }
}

/** The part of a query that asks for the page after another. */
export const pageAfter = (cursor?: string | null) => (cursor ? { after: cursor } : {})

/** The body of a question that is not JSON. */
export const bytes = (body: Uint8Array | Blob, type = 'application/octet-stream') => ({
  body: body as never, bodySerializer: (given: unknown) => given as BodyInit, headers: { 'content-type': type },
})

/** All items of a list that comes in pages. */
export async function listAll<T>(ask: (query: { limit: number; after?: string }) => Promise<{ items: T[]; next: string | null }>): Promise<T[]> {
  const items: T[] = []
  let next: string | null = null
  do {
    const page = await ask({ limit: PAGE_ITEMS, ...pageAfter(next) })
    items.push(...page.items)
    next = page.next
  } while (next !== null)
  return items
}

type Method = 'get' | 'post' | 'put' | 'patch' | 'delete'
type PathsWith<M extends Method> = { [Path in keyof paths]: paths[Path] extends Record<M, object> ? Path : never }[keyof paths]

/** What every question may carry. Which paths there are, and what each takes and answers, the server's description says. */
type Verb<M extends Method> = <Path extends PathsWith<M>, Init extends MaybeOptionalInit<paths[Path], M>>(
  path: Path, ...init: InitOf<Init>
) => Promise<AnswerTo<paths[Path][M], Init>>

type InitOf<Init> = undefined extends Init ? [init?: Init] : [init: Init]
/** JSON where nothing else is asked for. */
type AnswerTo<Operation, Init> = Init extends { parseAs: infer As extends keyof Raw } ? Raw[As]
  : Operation extends { responses: infer Answers } ? JsonOf<Answers, keyof Answers & (200 | 201)> : never
type JsonOf<Answers, Status extends keyof Answers> = [Status] extends [never] ? void
  : { [S in Status]: Answers[S] extends { content: { 'application/json': infer Json } } ? Json : never }[Status]
interface Raw {
  text: string
  blob: Blob
  arrayBuffer: ArrayBuffer
}

/** The HTTP interface of the server, typed by the server's own description. What is not 2xx is thrown as an `ApiError`. */
export interface Http {
  get: Verb<'get'>
  post: Verb<'post'>
  put: Verb<'put'>
  patch: Verb<'patch'>
  delete: Verb<'delete'>
}

export interface HttpParts {
  /** Origin of the server; this page's own when empty. */
  base: string
  fetch: typeof fetch
  credential: Credential
  /** Told of each answer as it comes. */
  onAnswer?(response: Response): void
}

export function createHttp({ base, fetch, credential, onAnswer }: HttpParts): Http {
  const server = openapi<paths>({ baseUrl: base, fetch: (request) => fetch(request), credentials: 'same-origin' })
  // The types of what is asked and answered are in `Verb`; here any of them is passed on.
  const request = server.request as unknown as (method: string, path: string, init: Asked) => Promise<Answer>

  async function ask(method: Method, path: string, init: Asked, token: string): Promise<Answer> {
    const headers = { ...init.headers, ...(token === '' ? {} : { authorization: `Bearer ${token}` }) }
    const answer = await request(method, path, { ...init, headers }).catch((reason: unknown) => {
      init.signal?.throwIfAborted()
      if (reason instanceof SyntaxError) throw new ApiError('bad_answer', 'The server gave an answer this page does not understand.', 200)
      throw new ApiError('offline', 'The server cannot be reached. Check the connection and try again.', 0)
    })
    onAnswer?.(answer.response)
    return answer
  }

  const verb = (method: Method) => async (path: string, init: Asked = {}) => {
    const token = await credential.get()
    let answer = await ask(method, path, init, token)
    if (answer.response.status === 401 && (await credential.renew(token))) answer = await ask(method, path, init, await credential.get())
    if (!answer.response.ok) throw readError(answer.response, answer.error)
    return answer.data
  }
  return { get: verb('get'), post: verb('post'), put: verb('put'), patch: verb('patch'), delete: verb('delete') } as Http
}

interface Asked {
  headers?: Record<string, string>
  signal?: AbortSignal | null
}

interface Answer {
  data?: unknown
  error?: unknown
  response: Response
}

/** `body` may be anything: a proxy's HTML page, or nothing. */
function readError(response: Response, body: unknown): ApiError {
  const { status } = response
  const fromHeader = response.headers.get('x-request-id')
  const retryAfter = readRetryAfter(response.headers.get('retry-after'))
  const error = isRecord(body) && isRecord(body['error']) ? body['error'] : {}
  return new ApiError(
    readString(error['code']) ?? `http_${status}`,
    readString(error['message']) ?? plainWords(status),
    status,
    readString(error['request_id']) ?? fromHeader,
    retryAfter,
  )
}

/** The header is seconds or a date; both become seconds from now. */
function readRetryAfter(header: string | null): number | null {
  if (!header) return null
  const seconds = Number(header)
  if (Number.isFinite(seconds)) return Math.max(0, seconds)
  const date = Date.parse(header)
  return Number.isNaN(date) ? null : Math.max(0, Math.ceil((date - Date.now()) / 1000))
}

function plainWords(status: number): string {
  if (status === 401) return 'Sign in first.'
  if (status === 403) return 'You may not do this here.'
  if (status === 404) return 'There is nothing here, or you may not see it.'
  if (status === 413) return 'This is too large.'
  if (status === 429) return 'Too many requests. Wait a moment and try again.'
  if (status >= 500) return 'The server has a problem. Try again in a moment.'
  return 'The server refused this.'
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function readString(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
