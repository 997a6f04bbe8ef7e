// Builds the package for pages that load it from the server itself, into app/dist/sdk/v1 beside the studio. An entry only
// leads to its parts, whose names change with what is in them: browsers keep parts for ever, and ask for entries anew.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url))

export default defineConfig({
  root: at('.'),
  publicDir: false,
  build: {
    outDir: at('../app/dist/sdk/v1'),
    emptyOutDir: true,
    target: 'es2022',
    modulePreload: false,
    lib: { entry: { index: at('index.ts'), codemirror: at('codemirror.ts'), yjs: at('yjs.ts') }, formats: ['es'] },
    rolldownOptions: {
      output: {
        entryFileNames: '[name].js',
        chunkFileNames: 'parts/[name]-[hash].js',
        minify: true,
        codeSplitting: {
          groups: [
            { name: 'yjs', test: /node_modules\/(yjs|lib0)\//, priority: 3 },
            { name: 'coterie', test: /client-sdk\/src\/(?!codemirror)|served\/index|node_modules\/(@hocuspocus|@lifeomic|y-protocols|y-indexeddb|openapi-fetch)/, priority: 2 },
            { name: 'codemirror', test: /./, priority: 1 },
          ],
        },
      },
    },
  },
})
