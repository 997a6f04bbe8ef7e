// Typed JSON over fetch. Every failure, from "no network" to "not JSON", leaves as one ApiError.

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

export interface Http {
  get<T>(path: string, signal?: AbortSignal): Promise<T>
  post<T>(path: string, body?: unknown): Promise<T>
  patch<T>(path: string, body: unknown): Promise<T>
  put<T>(path: string, body: unknown): Promise<T>
  delete(path: string): Promise<void>
  /** What is not JSON but text. */
  text(path: string): Promise<string>
}

export function createHttp(base: string, fetcher: typeof fetch, token: () => Promise<string> = async () => ''): Http {
  async function ask(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<Response> {
    let response: Response
    const bearer = await token()
    try {
      response = await fetcher(base + path, {
        method,
        credentials: 'same-origin',
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(bearer === '' ? {} : { authorization: `Bearer ${bearer}` }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(signal ? { signal } : {}),
      })
    } catch {
      signal?.throwIfAborted()
      throw new ApiError('offline', 'The server cannot be reached. Check the connection and try again.', 0)
    }
    if (!response.ok) throw await readError(response)
    return response
  }
  async function send(method: string, path: string, body?: unknown, signal?: AbortSignal): Promise<unknown> {
    const response = await ask(method, path, body, signal)
    if (response.status === 204) return undefined
    try {
      return await response.json()
    } catch {
      signal?.throwIfAborted()
      throw new ApiError('bad_answer', 'The server gave an answer this page does not understand.', response.status)
    }
  }
  return {
    get: <T>(path: string, signal?: AbortSignal) => send('GET', path, undefined, signal) as Promise<T>,
    post: <T>(path: string, body: unknown = {}) => send('POST', path, body) as Promise<T>,
    patch: <T>(path: string, body: unknown) => send('PATCH', path, body) as Promise<T>,
    put: <T>(path: string, body: unknown) => send('PUT', path, body) as Promise<T>,
    delete: (path) => send('DELETE', path) as Promise<void>,
    text: async (path) => (await ask('GET', path)).text(),
  }
}

async function readError(response: Response): Promise<ApiError> {
  const { status } = response
  const fromHeader = response.headers.get('x-request-id')
  const retryAfter = readRetryAfter(response.headers.get('retry-after'))
  let body: unknown
  try {
    body = await response.json()
  } catch {
    body = null // a proxy's HTML page, or nothing
  }
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
