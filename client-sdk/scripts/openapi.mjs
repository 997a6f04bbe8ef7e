// The types of the HTTP interface, made from its description: types/openapi.ts, which is not kept with the sources.
//
//   node scripts/openapi.mjs            from openapi.json
//   node scripts/openapi.mjs --server   after asking the server that was built for its description, and keeping that

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import openapiTypes, { astToString } from 'openapi-typescript'

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url))
const DESCRIPTION = at('openapi.json')
const TYPES = at('types/openapi.ts')

if (process.argv.includes('--server')) {
  const { startProcess } = await import('../../tests/server.mjs')
  const server = await startProcess()
  const answer = await fetch(`${server.url}/api/openapi.json`)
  write(DESCRIPTION, `${JSON.stringify(await answer.json(), null, 1)}\n`)
  await server.remove()
}
const types = await openapiTypes(JSON.parse(readFileSync(DESCRIPTION, 'utf8')), { emptyObjectsUnknown: true })
// Descriptions become what editors show of a type; that something is an enumeration, the type says.
const text = astToString(types).replaceAll('@description ', '').replace(/^ *\* @enum .*\n/gm, '')
write(TYPES, `// Made from openapi.json by scripts/openapi.mjs.\n\n${text}`)

/** Leaves a file alone that says it already: what is made from it stays as new as it is. */
function write(path, text) {
  let was
  try {
    was = readFileSync(path, 'utf8')
  } catch {
    was = null // not there yet
  }
  if (was === text) return
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
