// Serves the examples as they are, beside a server on http://localhost:3000 (COTERIE_URL).

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const server = process.env['COTERIE_URL'] ?? 'http://localhost:3000'
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))
const toServer = { target: server, changeOrigin: true, headers: { origin: server } }
const proxy = { '/api': toServer, '/auth': toServer, '/hocuspocus': { ...toServer, ws: true } }

export default defineConfig({
  root: at('.'),
  resolve: {
    alias: {
      'coterie/codemirror': at('../src/codemirror/index.ts'), 'coterie/react': at('../src/react.ts'), coterie: at('../src/index.ts'),
    },
  },
  server: { port: 5174, proxy },
  preview: { proxy },
  build: { target: 'es2022', rolldownOptions: { input: ['plain', 'react', 'tiptap'].map((page) => at(`./${page}/index.html`)) } },
})
