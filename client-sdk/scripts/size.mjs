// The core with everything it brings (Yjs, the provider), as a page would load it: minified and compressed.

import { gzipSync } from 'node:zlib'
import { fileURLToPath } from 'node:url'
import { build } from 'vite'

const BUDGET = 60 * 1024

const [output] = [await build({
  configFile: false,
  logLevel: 'warn',
  build: {
    write: false, target: 'es2022',
    lib: { entry: fileURLToPath(new URL('../dist/index.js', import.meta.url)), formats: ['es'] },
  },
})].flat()
const bytes = output.output.filter((chunk) => chunk.type === 'chunk').reduce((sum, chunk) => sum + gzipSync(chunk.code, { level: 9 }).length, 0)
console.log(`core with Yjs and provider: ${(bytes / 1024).toFixed(1)} KiB gzip of ${BUDGET / 1024}`)
if (bytes > BUDGET) process.exit(1)
