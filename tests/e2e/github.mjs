// GitHub, as far as people sign in with it: it says at once who somebody is, as whom the browser's profile was made.

import { createServer } from 'node:http'

/** Answers the settings of a server that people sign in to with it. `as` says who the next to be sent there is. */
export async function startGithub(t) {
  let person = { id: 1, login: 'ann', name: 'Ann' }
  const tokens = new Map()
  const server = createServer((request, response) => {
    const url = new URL(request.url, 'http://github')
    const json = (value) => response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    if (url.pathname === '/login/oauth/authorize') {
      const code = `code-${tokens.size}`
      tokens.set(code, person)
      const back = new URL(url.searchParams.get('redirect_uri'))
      back.search = new URLSearchParams({ code, state: url.searchParams.get('state') })
      return response.writeHead(302, { location: back.href }).end()
    }
    if (url.pathname === '/login/oauth/access_token') {
      let body = ''
      request.on('data', (data) => (body += data))
      return request.on('end', () => json({ access_token: new URLSearchParams(body).get('code'), token_type: 'bearer', scope: '' }))
    }
    if (url.pathname === '/user') return json({ ...tokens.get(request.headers.authorization.split(' ')[1]), avatar_url: null })
    response.writeHead(404).end()
  })
  await new Promise((ready) => server.listen(0, '127.0.0.1', ready))
  t.after(() => server.close())
  const address = `http://127.0.0.1:${server.address().port}`
  return {
    env: { GITHUB_CLIENT_ID: 'client', GITHUB_CLIENT_SECRET: 'secret', GITHUB_URL: address, GITHUB_API_URL: address },
    as: (id, login, name) => (person = { id, login, name }),
  }
}
