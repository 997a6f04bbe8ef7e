// Builds the package into dist: one file an entry, with its types. The page in app/ is built by Vite.

import { defineConfig } from 'tsdown'

export default defineConfig({
  entry: { index: 'src/index.ts', codemirror: 'src/codemirror/index.ts', react: 'src/react.ts', node: 'src/node.ts' },
  format: 'esm',
  platform: 'neutral',
  target: 'es2022',
  dts: true,
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
})
