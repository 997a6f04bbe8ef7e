// Part of the build: writes the service worker, which carries the list of what the studio is made of.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plugin, Rolldown } from 'vite'

const SOURCE = fileURLToPath(new URL('worker.js', import.meta.url))
const APP = fileURLToPath(new URL('..', import.meta.url))
const ALWAYS = ['/favicon.svg']

export function offline(): Plugin {
  return {
    name: 'coterie-offline',
    apply: 'build',
    generateBundle(_options, bundle) {
      const files = [...ALWAYS, ...ownFiles(bundle).map((name) => `/${name}`).sort()]
      const version = createHash('sha256').update(files.join()).digest('base64url').slice(0, 12)
      const source = `const VERSION = '${version}'\nconst FILES = ${JSON.stringify(files)}\n\n${readFileSync(SOURCE, 'utf8')}`
      this.emitFile({ type: 'asset', fileName: 'sw.js', source })
    },
  }
}

/** What the page loads by itself, and all parts of the studio that it loads when they are needed: but for the languages of the
 *  editor, of which most people need three. */
function ownFiles(bundle: Rolldown.OutputBundle): string[] {
  const found = new Set<string>()
  function take(name: string) {
    const chunk = bundle[name]
    if (!chunk || found.has(name)) return
    found.add(name)
    if (chunk.type !== 'chunk') return
    for (const style of chunk.viteMetadata?.importedCss ?? []) found.add(style)
    for (const asset of chunk.viteMetadata?.importedAssets ?? []) found.add(asset)
    for (const other of chunk.imports) take(other)
    for (const other of chunk.dynamicImports) {
      const part = bundle[other]
      if (part?.type === 'chunk' && part.facadeModuleId?.startsWith(APP)) take(other)
    }
  }
  for (const [name, chunk] of Object.entries(bundle)) if (chunk.type === 'chunk' && chunk.isEntry) take(name)
  return [...found]
}
