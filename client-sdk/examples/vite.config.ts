// Serves the examples as they are, beside a server on http://localhost:3000 (COTERIE_URL).

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const server = process.env['COTERIE_URL'] ?? 'http://localhost:3000'
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const proxy = { target: server, changeOrigin: true, headers: { origin: server } }

export default defineConfig({
  root: at('.'),
  resolve: {
    alias: {
      'coterie/codemirror': at('../src/codemirror/index.ts'), 'coterie/react': at('../src/react.ts'), coterie: at('../src/index.ts'),
    },
  },
  server: { port: 5174, proxy: { '/api': proxy, '/hocuspocus': { ...proxy, ws: true } } },
})
