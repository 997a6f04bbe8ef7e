// Which language a path is, loaded only when such a file is opened.

import { LanguageDescription, type LanguageSupport } from '@codemirror/language'
import { languages } from '@codemirror/language-data'

export async function languageOf(path: string): Promise<LanguageSupport | null> {
  const name = path.split('/').at(-1) ?? path
  const description = LanguageDescription.matchFilename(languages, name)
  if (!description) return null
  try {
    return await description.load()
  } catch {
    return null // no connection: plain text then
  }
}
