// Where a JavaScript module names others, found by the editor's own parser: what a preview puts blobs in place of.

import { languageOf } from '../editor/languages.ts'

export interface ImportPlace {
  /** Of the address with its quotes, in UTF-16 units. */
  start: number
  end: number
  address: string
}

/** Names of modules in `import`, `export … from` and `import('…')`, in their order. Without the parser, none. */
export async function findImports(text: string): Promise<ImportPlace[]> {
  const places: ImportPlace[] = []
  const support = await languageOf('module.js')
  support?.language.parser.parse(text).iterate({
    enter({ name, from, to, node }) {
      if (name !== 'String') return
      const { parent, prevSibling } = node
      const isNamed = prevSibling?.name === 'from' || (parent?.name === 'ImportDeclaration' && prevSibling?.name === 'import')
        || parent?.name === 'DynamicImport' || (parent?.name === 'ArgList' && parent.parent?.firstChild?.name === 'import')
      if (isNamed) places.push({ start: from, end: to, address: text.slice(from + 1, to - 1) })
    },
  })
  return places
}

/** The same for each script of a page that is a module written in it. */
export function findInlineImports(html: string): Promise<ImportPlace[][]> {
  const page = new DOMParser().parseFromString(html, 'text/html')
  return Promise.all([...page.querySelectorAll('script[type=module]:not([src])')].map((script) => findImports(script.textContent ?? '')))
}
