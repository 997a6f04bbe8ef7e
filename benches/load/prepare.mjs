// A guest, a project and a token on a fresh Coterie at 127.0.0.1:$1, as {"project": …, "token": …}; with a number in $2 also the
// tokens of so many other authors, as "authors", with spaces between.
const url = `http://127.0.0.1:${process.argv[2]}`
let cookie = ''

async function post(path, body, who = { cookie }) {
  const headers = { 'content-type': 'application/json', origin: url, ...who }
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  cookie ||= answer.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  return answer.json()
}

await post('/auth/guest', { name: 'load' })
const project = (await post('/api/projects', { name: 'load' })).id
const { token } = await post(`/api/projects/${project}/tokens`, {})
const authors = []
if (process.argv[3]) {
  // An application's end users: each is an author of their own.
  const { key } = await post('/api/keys', { scopes: ['read', 'write', 'act-for'] })
  for (let i = 0; i < Number(process.argv[3]); i++) {
    const user = { id: String(i), name: `author ${i}` }
    authors.push((await post(`/api/projects/${project}/tokens`, { user }, { authorization: `Bearer ${key}` })).token)
  }
}
console.log(JSON.stringify({ project, token, authors: authors.join(' ') }))
