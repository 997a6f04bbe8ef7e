// Markdown and pictures as pages: what the frame is told to show of them. Markdown comes out without scripts, styles and
// pictures from elsewhere, though the frame would keep them from doing harm.

import DOMPurify from 'dompurify'
import { Marked } from 'marked'
import { escape } from '../escape.ts'

const LOOK = `
  :root { color-scheme: light; --ink: #1e1b17; --muted: #635d54; --line: #e2ddd4; --sunken: #f1eee8; --accent: #0b6e5f; background: #fff; }
  :root[data-theme='dark'] { color-scheme: dark; --ink: #ece8e1; --muted: #aba499; --line: #38352f; --sunken: #131210; --accent: #5fd0b9; background: #1f1e1b; }
  body { max-width: 46rem; margin: 0 auto; padding: 20px 24px 40vh; color: var(--ink); font: 16px/1.65 system-ui, sans-serif; overflow-wrap: break-word; }
  h1, h2, h3, h4 { line-height: 1.25; margin: 1.6em 0 0.5em; }
  h1:first-child { margin-top: 0; }
  h1, h2 { padding-bottom: 0.2em; border-bottom: 1px solid var(--line); }
  a { color: var(--accent); }
  code, pre { font-family: ui-monospace, Menlo, Consolas, monospace; font-size: 0.92em; }
  code { padding: 0.1em 0.3em; border-radius: 4px; background: var(--sunken); }
  pre { padding: 12px 14px; overflow: auto; border-radius: 8px; background: var(--sunken); }
  pre code { padding: 0; background: none; }
  blockquote { margin-inline: 0; padding-inline-start: 1em; border-inline-start: 3px solid var(--line); color: var(--muted); }
  table { display: block; overflow: auto; border-collapse: collapse; }
  th, td { padding: 5px 12px; border: 1px solid var(--line); text-align: start; }
  img { max-width: 100%; }
  hr { border: 0; border-top: 1px solid var(--line); }
  .picture { display: grid; place-items: center; min-height: calc(100vh - 40px); padding: 20px; max-width: none; }
`

const isElsewhere = (address: string) => /^([a-z][a-z0-9+.-]*:|\/\/)/i.test(address)

const marked = new Marked({
  gfm: true,
  renderer: {
    image({ href, text }) {
      if (!isElsewhere(href)) return `<img src="${escape(href)}" alt="${escape(text)}">`
      return `<a href="${escape(href)}">${escape(text === '' ? 'picture' : `picture: ${text}`)}</a>`
    },
  },
})

export function pageOfMarkdown(text: string, title: string): string {
  const body = DOMPurify.sanitize(marked.parse(text, { async: false }), {
    FORBID_TAGS: ['style', 'form', 'iframe', 'object', 'embed', 'link', 'meta', 'base'], FORBID_ATTR: ['style'],
  })
  return page(title, body)
}

export function pageOfPicture(path: string): string {
  const name = path.split('/').at(-1) ?? path
  return page(name, `<main class="picture"><img src="${escape(encodeURIComponent(name))}" alt="${escape(name)}"></main>`)
}

function page(title: string, body: string): string {
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${escape(title)}</title><style>${LOOK}</style></head><body>${body}</body></html>`
}
