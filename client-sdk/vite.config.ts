// Builds the page in app/ (embedded into the server binary from app/dist) and runs the unit tests.

import { fileURLToPath } from 'node:url'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'
import { offline } from './app/offline/build.ts'

const server = process.env['COTERIE_URL'] ?? 'http://localhost:3000'
const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: at('./app'),
  plugins: [svelte({ configFile: false }), offline()],
  // The app uses the package by its public name, as anybody else would.
  resolve: {
    alias: {
      'coterie/codemirror': at('./src/codemirror/index.ts'), 'coterie/react': at('./src/react.ts'), 'coterie/node': at('./src/node.ts'),
      coterie: at('./src/index.ts'),
    },
  },
  server: {
    port: 5173,
    // The server compares Origin with its own address, so it must see its own.
    proxy: {
      '/api': { target: server, changeOrigin: true, headers: { origin: server } },
      '/hocuspocus': { target: server, changeOrigin: true, ws: true, headers: { origin: server } },
    },
  },
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2023', chunkSizeWarningLimit: 700 },
  test: { root: at('.'), include: ['test/**/*.test.ts'] },
})
