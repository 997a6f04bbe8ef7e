// A guest, a project and a token on a fresh Coterie at 127.0.0.1:$1, as {"project": …, "token": …}.
const url = `http://127.0.0.1:${process.argv[2]}`
let cookie = ''

async function post(path, body) {
  const headers = { 'content-type': 'application/json', origin: url, cookie }
  const answer = await fetch(url + path, { method: 'POST', headers, body: JSON.stringify(body) })
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`)
  cookie ||= answer.headers.getSetCookie().map((one) => one.split(';')[0]).join('; ')
  return answer.json()
}

await post('/auth/guest', { name: 'load' })
const project = (await post('/api/projects', { name: 'load' })).id
const { token } = await post(`/api/projects/${project}/tokens`, {})
console.log(JSON.stringify({ project, token }))
