// The examples of README.md as one module, in their order: types/readme.ts, so that they are checked like all else.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const blocks = [...readFileSync(at('README.md'), 'utf8').matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, block]) => block)
mkdirSync(at('types'), { recursive: true })
writeFileSync(at('types/readme.ts'), blocks.join('\n'))
