// Markdown of whoever wrote it, as elements that can do no harm: no HTML of theirs, no picture from elsewhere, links that say
// where they lead, no style, no script. Marked reads it, DOMPurify lets through what is listed here and nothing else.

import DOMPurify from 'dompurify'
import { Marked } from 'marked'
import { escape } from '../escape.ts'

const marked = new Marked({
  gfm: true,
  breaks: true,
  renderer: {
    // What they wrote as HTML is shown as they wrote it.
    html: ({ text }) => escape(text),
    image({ href, text }) {
      return `<a href="${escape(href)}">${escape(text === '' ? 'picture' : `picture: ${text}`)}</a>`
    },
    // The page has an outline of its own.
    heading({ tokens }) {
      return `<p><strong>${this.parser.parseInline(tokens)}</strong></p>\n`
    },
    checkbox: ({ checked }) => (checked ? '☑ ' : '☐ '),
  },
})

const ALLOWED_TAGS = [
  'p', 'br', 'strong', 'em', 'del', 'code', 'pre', 'a', 'ul', 'ol', 'li', 'blockquote', 'hr', 'table', 'thead', 'tbody', 'tr', 'th', 'td',
]

export interface Marks {
  /** Words that follow an `@` and mean somebody or something. */
  mentioned?: readonly string[]
  /** The origin of this page, whose links need no warning. */
  origin: string
}

/** How much of a text that grows will not change any more, in UTF-16 units: all blocks but the last one, which may go on. */
export function finished(markdown: string): number {
  const blocks = marked.lexer(markdown).map(({ type, raw }) => ({ type, length: raw.length }))
  const last = blocks.findLastIndex(({ type }) => type !== 'space')
  const length = blocks.slice(0, Math.max(0, last)).reduce((sum, block) => sum + block.length, 0)
  // The parser reads line ends and tabs in its own way: what does not add up is read as a whole.
  return blocks.reduce((sum, block) => sum + block.length, 0) === markdown.length ? length : 0
}

export function render(markdown: string, { mentioned = [], origin }: Marks): DocumentFragment {
  const html = marked.parse(markdown, { async: false })
  const fragment = DOMPurify.sanitize(html, {
    ALLOWED_TAGS, ALLOWED_ATTR: ['href', 'start', 'class'], ALLOW_DATA_ATTR: false, ALLOW_ARIA_ATTR: false, RETURN_DOM_FRAGMENT: true,
  })
  for (const link of fragment.querySelectorAll('a')) leadWhere(link, origin)
  for (const pre of fragment.querySelectorAll('pre')) frameCode(pre)
  // What is left of classes is the language of code.
  for (const one of fragment.querySelectorAll('[class]:not([data-ours])')) one.removeAttribute('class')
  for (const table of fragment.querySelectorAll('table')) {
    const frame = element('div', 'table')
    scrolls(frame, 'Table')
    table.replaceWith(frame)
    frame.append(table)
  }
  if (mentioned.length > 0) markMentions(fragment, mentioned)
  return fragment
}

function element<K extends keyof HTMLElementTagNameMap>(name: K, look: string): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  made.className = look
  made.dataset['ours'] = ''
  return made
}

/** The keyboard reaches what may be too wide. */
function scrolls(frame: HTMLElement, label: string) {
  frame.tabIndex = 0
  frame.setAttribute('role', 'group')
  frame.setAttribute('aria-label', label)
}

function leadWhere(link: HTMLAnchorElement, origin: string) {
  // Without an address it was one that is not let through.
  const url = readUrl(link.getAttribute('href'), origin)
  if (url === null) {
    link.replaceWith(...link.childNodes)
    return
  }
  link.rel = 'noopener noreferrer nofollow ugc'
  link.target = '_blank'
  const host = url.protocol === 'mailto:' ? url.pathname : url.host
  if (url.origin === origin || link.textContent?.includes(host)) return
  const where = element('span', 'host')
  where.textContent = ` (${host})`
  link.after(where)
}

function readUrl(href: string | null, origin: string): URL | null {
  if (href === null) return null
  try {
    const url = new URL(href, origin)
    return /^(https?|mailto):$/.test(url.protocol) ? url : null
  } catch {
    return null
  }
}

function frameCode(pre: HTMLPreElement) {
  const language = /(?:^|\s)language-([\w+#.-]{1,30})/.exec(pre.querySelector('code')?.className ?? '')?.[1] ?? ''
  const frame = element('div', 'code')
  if (language) frame.dataset['language'] = language
  const head = element('div', 'code-head')
  const name = element('span', 'code-name')
  name.textContent = language
  const copy = element('button', 'button quiet copy')
  copy.type = 'button'
  copy.textContent = 'Copy'
  copy.setAttribute('aria-label', language ? `Copy the ${language} code` : 'Copy the code')
  const insert = element('button', 'button quiet insert')
  const propose = element('button', 'button quiet propose')
  insert.type = propose.type = 'button'
  insert.textContent = 'Insert'
  propose.textContent = 'Propose'
  insert.setAttribute('aria-label', 'Insert the code at the caret')
  propose.setAttribute('aria-label', 'Propose a change of the open file with the code')
  scrolls(pre, language ? `Code, ${language}` : 'Code')
  pre.replaceWith(frame)
  head.append(name, insert, propose, copy)
  frame.append(head, pre)
}

/** What can be done with the code of a block, where a file is open beside the chat. */
export interface CodeUse {
  insert(code: string): void
  propose(code: string): void
}

/** Does what the button of a block says that was pressed. */
export async function press(target: EventTarget | null, use: Partial<CodeUse>): Promise<void> {
  const button = target instanceof Element ? target.closest('.code-head button') : null
  const code = button?.closest('.code')?.querySelector('pre')?.textContent?.replace(/\n$/, '')
  if (!button || code === undefined) return
  if (button.matches('.insert')) return use.insert?.(code)
  if (button.matches('.propose')) return use.propose?.(code)
  try {
    await navigator.clipboard.writeText(code)
    button.textContent = 'Copied'
  } catch {
    button.textContent = 'The browser does not allow it'
  }
  setTimeout(() => (button.textContent = 'Copy'), 2_000)
}

function markMentions(fragment: DocumentFragment, mentioned: readonly string[]) {
  const names = [...mentioned].sort((a, b) => b.length - a.length).map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
  const pattern = new RegExp(`(?<![\\p{L}\\p{N}])@(?:${names.join('|')})(?![\\p{L}\\p{N}])`, 'giu')
  const walker = document.createTreeWalker(fragment, NodeFilter.SHOW_TEXT)
  const texts: Text[] = []
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    if (!node.parentElement?.closest('code, pre, a, button')) texts.push(node as Text)
  }
  for (const text of texts) {
    const { data } = text
    const pieces: (string | Node)[] = []
    let at = 0
    for (const { 0: found, index } of data.matchAll(pattern)) {
      const mark = element('span', 'mention')
      mark.textContent = found
      pieces.push(data.slice(at, index), mark)
      at = index + found.length
    }
    if (pieces.length > 0) text.replaceWith(...pieces, data.slice(at))
  }
}
