import { describe, expect, it } from 'vitest'
import { credentialOf } from '../src/credential.ts'
import { ApiError, createHttp } from '../src/http.ts'

function answering(response: Response | Error) {
  const asked: Request[] = []
  const fetcher = async (input: string | URL | Request) => {
    asked.push(input as Request)
    if (response instanceof Error) throw response
    return response
  }
  return { http: createHttp({ base: 'http://host', fetch: fetcher, credential: credentialOf(token) }), asked }
}
let token = ''

async function failure(response: Response | Error): Promise<ApiError> {
  const error: unknown = await answering(response).http.get('/api/me').catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers })

describe('what is asked', () => {
  it('sends JSON with the login cookie', async () => {
    const { http, asked } = answering(json(201, { id: '1' }))
    expect(await http.post('/api/projects', { body: { name: 'A' } })).toEqual({ id: '1' })
    const [request] = asked
    expect(request).toMatchObject({ url: 'http://host/api/projects', method: 'POST', credentials: 'same-origin' })
    expect(Object.fromEntries(request?.headers ?? [])).toEqual({ 'content-type': 'application/json' })
    expect(await request?.text()).toBe('{"name":"A"}')
  })

  it('sends a token where there is one', async () => {
    token = 'secret'
    const { http, asked } = answering(json(200, {}))
    await http.get('/api/me')
    expect(asked[0]?.headers.get('authorization')).toBe('Bearer secret')
    token = ''
  })

  it('asks for another token once when one is refused', async () => {
    const asked: (string | null)[] = []
    const refused: (string | undefined)[] = []
    const http = createHttp({
      base: 'http://host',
      credential: credentialOf((old) => {
        refused.push(old)
        return old === undefined && refused.length === 1 ? 'old' : 'new'
      }),
      fetch: async (input) => {
        asked.push((input as Request).headers.get('authorization'))
        return json(asked.at(-1) === 'Bearer old' ? 401 : 200, { id: 'ann' })
      },
    })
    expect(await http.get('/api/me')).toEqual({ id: 'ann' })
    expect(asked).toEqual(['Bearer old', 'Bearer new'])
    expect(refused).toEqual([undefined, 'old', undefined])
  })

  it('does not ask twice with the same token', async () => {
    let asked = 0
    const http = createHttp({
      base: 'http://host', credential: credentialOf(() => 'mine'), fetch: async () => json(401, asked += 1),
    })
    await expect(http.get('/api/me')).rejects.toMatchObject({ status: 401 })
    expect(asked).toBe(1)
  })

  it('writes what stands in an address so that it stays one part of it', async () => {
    const { http, asked } = answering(json(200, {}))
    await http.get('/api/projects/{p}/documents/{d}', { params: { path: { p: 'a/b', d: 'docs/plan.md' } } })
    expect(asked[0]?.url).toBe('http://host/api/projects/a%2Fb/documents/docs%2Fplan.md')
  })

  it('takes 204 for an answer', async () => {
    const { http } = answering(new Response(null, { status: 204 }))
    await expect(http.delete('/api/logins/{login}', { params: { path: { login: 'x' } } })).resolves.toBeUndefined()
  })

  it('reads text as text', async () => {
    const { http } = answering(new Response('null'))
    const params = { path: { p: 'p', d: 'd' } }
    expect(await http.get('/api/projects/{p}/documents/{d}/text', { params, parseAs: 'text' })).toBe('null')
  })

  it('throws the reason of who ends the question', async () => {
    const { http } = answering(new TypeError('aborted'))
    const ended = AbortSignal.abort('enough')
    await expect(http.get('/api/me', { signal: ended })).rejects.toBe('enough')
  })
})

describe('what goes wrong', () => {
  it("speaks the server's words", async () => {
    const error = await failure(
      json(409, { error: { code: 'exists', message: 'A file of this name exists.', request_id: 'r1' } }))
    expect(error).toMatchObject({ code: 'exists', message: 'A file of this name exists.', status: 409, requestId: 'r1', retryAfter: null })
  })

  it.each([
    ['seconds', '7', 7],
    ['nothing', '', null],
    ['nonsense', 'soon', null],
    ['a date gone by', 'Wed, 21 Oct 2015 07:28:00 GMT', 0],
  ])('reads Retry-After: %s', async (_name, header, expected) => {
    const error = await failure(json(429, { error: { code: 'rate_limited', message: 'Slow down.' } }, { 'retry-after': header }))
    expect(error.retryAfter).toBe(expected)
  })

  it('survives a page of a proxy', async () => {
    const error = await failure(new Response('<h1>Bad gateway</h1>', { status: 502, headers: { 'x-request-id': 'r2' } }))
    expect(error).toMatchObject({ code: 'http_502', requestId: 'r2' })
    expect(error.message).toMatch(/problem/)
  })

  it.each([{}, { error: null }, { error: { code: 5 } }, null, []])('survives the body %j', async (body) => {
    expect(await failure(json(404, body))).toMatchObject({ code: 'http_404', isNotFound: true })
  })

  it('calls no network offline', async () => {
    expect(await failure(new TypeError('fetch failed'))).toMatchObject({ code: 'offline', status: 0, isOffline: true })
  })

  it('does not take a page for an answer', async () => {
    expect(await failure(new Response('<html>', { status: 200 }))).toMatchObject({ code: 'bad_answer' })
  })
})
