// A model's server that says what a test tells it to say, when it tells it: OpenAI's chat completions as a stream.

import { createServer } from 'node:http'

const event = (data) => `data: ${JSON.stringify(data)}\n\n`
const chunk = (delta, finish) => event({ id: 'x', object: 'chat.completion.chunk', choices: [{ index: 0, delta, ...(finish ? { finish_reason: finish } : {}) }] })

/** Starts one; what it is asked without being told an answer is a fault. */
export async function startModel() {
  const scripts = []
  const asked = []
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (data) => (body += data))
    request.on('end', () => {
      if (request.method === 'GET') {
        response.setHeader('content-type', 'application/json')
        response.end(JSON.stringify({ object: 'list', data: [{ id: 'small' }] }))
        return
      }
      asked.push(JSON.parse(body))
      const script = scripts.shift()
      if (script) return script(response)
      response.statusCode = 500
      response.end('nobody told the model what to say')
    })
  })
  await new Promise((done) => server.listen(0, '127.0.0.1', done))

  const begin = (response) => response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
  const end = (response, reason = 'stop') => {
    response.write(chunk({}, reason))
    response.write(event({ choices: [], usage: { prompt_tokens: 700, completion_tokens: 30, total_tokens: 730 } }))
    response.end('data: [DONE]\n\n')
  }

  return {
    url: `http://127.0.0.1:${server.address().port}/v1`,
    asked,
    /** The next answer, whole. */
    answer: (text) => void scripts.push((response) => {
      begin(response)
      for (const piece of text.match(/[^]{1,12}/g) ?? []) response.write(chunk({ content: piece }))
      end(response)
    }),
    /** The next answer calls a tool. */
    call: (name, values) => void scripts.push((response) => {
      begin(response)
      const call = { index: 0, id: 'call', type: 'function', function: { name, arguments: JSON.stringify(values) } }
      response.write(chunk({ tool_calls: [call] }))
      end(response, 'tool_calls')
    }),
    /** The next answer is no stream, but this as JSON. */
    reply: (body) => void scripts.push((response) => {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(body))
    }),
    /** The next one is refused. */
    refuse: (status, error) => void scripts.push((response) => {
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify({ error }))
    }),
    /** The next answer, as the test goes on. */
    feed() {
      let open
      const opened = new Promise((done, failed) => {
        const timer = setTimeout(() => failed(new Error('nobody asked the model')), 15_000)
        open = (response) => {
          clearTimeout(timer)
          done(response)
        }
      })
      opened.catch(() => undefined)
      let leave
      const left = new Promise((done) => (leave = done))
      scripts.push((response) => {
        begin(response)
        response.on('close', leave)
        open(response)
      })
      return {
        say: async (text) => void (await opened).write(chunk({ content: text })),
        end: async () => end(await opened),
        breakOff: async () => void (await opened).destroy(),
        /** Once nobody listens any more. */
        left,
      }
    },
    stop: () => new Promise((done) => {
      server.close(done)
      server.closeAllConnections()
    }),
  }
}
