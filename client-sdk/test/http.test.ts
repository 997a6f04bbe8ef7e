import { describe, expect, it, vi } from 'vitest'
import { ApiError, createHttp } from '../src/http.ts'

function answering(response: Response | Error) {
  const fetcher = vi.fn((_url: string | URL | Request, _init?: RequestInit) =>
    response instanceof Error ? Promise.reject(response) : Promise.resolve(response))
  return { http: createHttp('http://host', fetcher), fetcher }
}

async function failure(response: Response | Error): Promise<ApiError> {
  const error: unknown = await answering(response).http.get('/api/x').catch((e: unknown) => e)
  expect(error).toBeInstanceOf(ApiError)
  return error as ApiError
}

const json = (status: number, body: unknown, headers: Record<string, string> = {}) =>
  new Response(JSON.stringify(body), { status, headers })

describe('what is asked', () => {
  it('sends JSON with the login cookie', async () => {
    const { http, fetcher } = answering(json(201, { id: '1' }))
    expect(await http.post('/api/projects', { name: 'A' })).toEqual({ id: '1' })
    expect(fetcher).toHaveBeenCalledWith('http://host/api/projects', {
      method: 'POST',
      credentials: 'same-origin',
      headers: { 'content-type': 'application/json' },
      body: '{"name":"A"}',
    })
  })

  it('takes 204 for an answer', async () => {
    const { http } = answering(new Response(null, { status: 204 }))
    await expect(http.delete('/api/x')).resolves.toBeUndefined()
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
