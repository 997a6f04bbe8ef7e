// How the editor looks: the page's own tokens, so one theme serves light and dark.

import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import type { Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import { tags as t } from '@lezer/highlight'

// All ≥ 4.5 : 1 on the editor's background and on its active line.
const keyword = 'light-dark(#7a2f8f, #d7a0e8)'
const string = 'light-dark(#2f6b1f, #a5d08a)'
const number = 'light-dark(#9a4a00, #f0b070)'
const name = 'light-dark(#1d5fa8, #8fc1f5)'
const type = 'light-dark(#0b6675, #6fd0de)'
const comment = 'light-dark(#6d675d, #a39b8f)'

const highlight = HighlightStyle.define([
  { tag: [t.keyword, t.modifier, t.operatorKeyword, t.controlKeyword], color: keyword },
  { tag: [t.string, t.special(t.string), t.regexp, t.inserted], color: string },
  { tag: [t.number, t.bool, t.null, t.atom, t.color, t.unit], color: number },
  { tag: [t.function(t.variableName), t.function(t.propertyName), t.labelName, t.tagName, t.heading], color: name },
  { tag: [t.typeName, t.className, t.namespace, t.attributeName, t.macroName], color: type },
  { tag: [t.meta, t.processingInstruction], color: comment },
  { tag: t.comment, color: comment, fontStyle: 'italic' },
  { tag: t.heading, fontWeight: '650' },
  { tag: t.strong, fontWeight: '650' },
  { tag: t.emphasis, fontStyle: 'italic' },
  { tag: t.strikethrough, textDecoration: 'line-through' },
  { tag: [t.link, t.url], color: 'var(--accent)', textDecoration: 'underline' },
  { tag: [t.deleted, t.invalid], color: 'var(--bad)' },
])

const theme = EditorView.theme({
  '&': { height: '100%', fontSize: '14px', color: 'var(--ink)', backgroundColor: 'var(--surface)' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.6', overscrollBehavior: 'contain' },
  // Room above the first line, for a name over a caret.
  '.cm-content': { padding: '10px 0 40vh', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 16px 0 6px' },
  '.cm-cursor, .cm-dropCursor': { borderLeftColor: 'var(--ink)', borderLeftWidth: '2px' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'light-dark(#c9e6df, #24504699)',
  },
  '.cm-gutters': { color: 'var(--muted)', backgroundColor: 'var(--surface)', border: 'none' },
  '.cm-lineNumbers .cm-gutterElement': { padding: '0 6px 0 14px', minWidth: '44px' },
  '.cm-activeLine': { backgroundColor: 'light-dark(#1e1b170a, #ffffff0a)' },
  '.cm-activeLineGutter': { backgroundColor: 'transparent', color: 'var(--ink)' },
  '.cm-foldGutter .cm-gutterElement': { color: 'var(--muted)' },
  '.cm-foldPlaceholder': { color: 'var(--muted)', backgroundColor: 'var(--hover)', border: '1px solid var(--line)' },
  '.cm-matchingBracket': { backgroundColor: 'var(--accent-soft) !important', outline: '1px solid var(--accent)' },
  '.cm-selectionMatch': { backgroundColor: 'light-dark(#f3e3b3, #4d431f)' },
  '.cm-searchMatch': { backgroundColor: 'light-dark(#f6df93, #5a4d1c)', outline: '1px solid var(--busy)' },
  '.cm-searchMatch-selected': { backgroundColor: 'light-dark(#f2bd6b, #7d5516)' },
  '.cm-panels': { color: 'var(--ink)', backgroundColor: 'var(--sunken)' },
  '.cm-panels.cm-panels-top, .cm-panels.cm-panels-bottom': { borderColor: 'var(--line)' },
  '.cm-textfield': { color: 'var(--ink)', backgroundColor: 'var(--surface)', borderColor: 'var(--edge)', borderRadius: '6px' },
  '.cm-button': {
    color: 'var(--ink)', backgroundColor: 'var(--raised)', backgroundImage: 'none', borderColor: 'var(--line)', borderRadius: '6px',
  },
  '.cm-panel.cm-search': { padding: '8px 10px', fontFamily: 'var(--sans)' },
  '.cm-panel.cm-search label': { fontSize: '13px' },
  '.cm-panel.cm-search [name=close]': { color: 'var(--ink)', width: '28px', height: '28px' },
  '.cm-tooltip': { color: 'var(--ink)', backgroundColor: 'var(--raised)', borderColor: 'var(--line)', borderRadius: '8px' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li[aria-selected]': { color: 'var(--on-accent)', backgroundColor: 'var(--accent)' },
})

export const look: Extension = [theme, syntaxHighlighting(highlight)]
