// A server that accepts everything, acknowledges everything and relays nothing: no test of a relay may pass on it.
// Its API is the real server's, which stands behind it.

import { createServer, request } from 'node:http'
import * as decoding from 'lib0/decoding'
import * as encoding from 'lib0/encoding'
import { WebSocketServer } from 'ws'

export async function startStub(t, real) {
  const behind = new URL(real)
  const http = createServer((asked, answer) => {
    const forwarded = request(
      { host: behind.hostname, port: behind.port, method: asked.method, path: asked.url, headers: { ...asked.headers, host: behind.host } },
      (got) => {
        answer.writeHead(got.statusCode, got.headers)
        got.pipe(answer)
      },
    )
    forwarded.on('error', () => answer.destroy())
    asked.pipe(forwarded)
  })
  const sockets = new WebSocketServer({ server: http })
  sockets.on('connection', (socket, { url }) => {
    const reply = url.startsWith('/hocuspocus') ? replyHocuspocus : replyYjs
    socket.on('message', (frame) => {
      for (const one of reply(decoding.createDecoder(new Uint8Array(frame)))) socket.send(one)
    })
  })
  await new Promise((listening) => http.listen(0, '127.0.0.1', listening))
  t.after(() => {
    sockets.clients.forEach((socket) => socket.terminate())
    http.closeAllConnections()
    http.close()
  })
  return `http://127.0.0.1:${http.address().port}`
}

/** A document that is always empty. */
function replyYjs(decoder) {
  const isStep1 = decoding.readVarUint(decoder) === 0 && decoding.readVarUint(decoder) === 0
  return isStep1 ? [Uint8Array.of(0, 1, 2, 0, 0)] : []
}

function replyHocuspocus(decoder) {
  if (decoder.arr.length === 1) return []
  const address = decoding.readVarString(decoder)
  const write = (...bytes) => encoding.encode((encoder) => {
    encoding.writeVarString(encoder, address)
    bytes.forEach((byte) => encoding.writeUint8(encoder, byte))
  })
  const type = decoding.readVarUint(decoder)
  const mine = decoding.readVarUint(decoder)
  if (type === 2) {
    return [encoding.encode((encoder) => {
      encoding.writeVarString(encoder, address)
      encoding.writeVarUint(encoder, 2)
      encoding.writeVarUint(encoder, 2)
      encoding.writeVarString(encoder, 'read-write')
    })]
  }
  if (type !== 0) return []
  return mine === 0 ? [write(0, 0, 1, 0), write(0, 1, 2, 0, 0)] : [write(8, 1)]
}
