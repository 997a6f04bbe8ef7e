// Code in messages, coloured by the languages of the editor; loaded with the first block that says what it is.

import { LanguageDescription } from '@codemirror/language'
import { languages } from '@codemirror/language-data'
import { classHighlighter, highlightCode } from '@lezer/highlight'

/** Longer code stays as it is: reading it would stop the page. */
const MOST_CHARS = 20_000

/** Colours what is in `code`, unless it changes meanwhile. A language that is not known, or cannot be had now, has no colours. */
export async function highlight(code: HTMLElement, name: string): Promise<void> {
  const text = code.textContent ?? ''
  const description = LanguageDescription.matchLanguageName(languages, name, true)
  if (!description || text.length > MOST_CHARS) return
  let support
  try {
    support = await description.load()
  } catch {
    return
  }
  if (code.textContent !== text) return
  const coloured = document.createDocumentFragment()
  highlightCode(text, support.language.parser.parse(text), classHighlighter, (part, classes) => {
    if (classes === '') return void coloured.append(part)
    const span = document.createElement('span')
    span.className = classes
    span.textContent = part
    coloured.append(span)
  }, () => coloured.append('\n'))
  code.replaceChildren(coloured)
}
