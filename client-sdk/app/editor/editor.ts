// A CodeMirror on a file. Takes the file and an element, gives back how to reach it and how to end it;
// loaded on demand, so that the sign-in page does not carry an editor.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from '@codemirror/language'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, Prec } from '@codemirror/state'
import {
  crosshairCursor, drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, keymap, lineNumbers, rectangularSelection,
} from '@codemirror/view'
import type { FileHandle } from 'coterie'
import { caretOf, collab, toLf } from 'coterie/codemirror'
import * as Y from 'yjs'
import { languageOf } from './languages.ts'
import { look } from './look.ts'
import { nonceOfStyles } from '../page.ts'

/** How far from the edge of the window the caret of somebody followed is kept. */
const FOLLOW_MARGIN_PX = 90
/** How long somebody's caret is waited for. */
const LOOK_FOR_MS = 5_000

/** Bytes of a selected text as JSON: an attachment has at most 6 KiB, its two places among them. */
const MOST_SELECTED = 5_500

export interface EditorOptions {
  file: FileHandle
  parent: HTMLElement
  /** Says what the text is, to screen readers. */
  label: string
  path: string
  describedBy: string
  onSave(): void
}

/** A part of a text that somebody selected. */
export interface SelectedText {
  text: string
  /** Its first and last line, from 1. */
  from: number
  to: number
  /** Yjs relative positions: they stay at the text through edits. */
  start: string
  end: string
}

export interface Editor {
  focus(): void
  /** What is selected; null for nothing, and for more than fits a message. */
  selection(): SelectedText | null
  /** Scrolls to where somebody is typing, now or as soon as that is known. */
  showPerson(userId: string): void
  /** Keeps somebody's caret in sight until `stop`, or until this person moves by themselves, which is told. */
  follow(userId: string, onOwnMove: () => void): () => void
  /** Puts the caret into a line (from 1), in the middle of the window. */
  showLine(line: number, column: number): void
  /** Puts a text in place of what is selected, or where the caret is. */
  insert(text: string): void
  /** The whole text as it would be then, without changing it. */
  withInserted(text: string): string
  /** After the view was out of sight: sizes may have changed. */
  shown(): void
  setPath(path: string, label: string): void
  dispose(): void
}

export function createEditor(options: EditorOptions): Editor {
  const { file } = options
  const language = new Compartment()
  const naming = new Compartment()
  const wrapping = new Compartment()
  let disposed = false

  const nameOf = (label: string) => EditorView.contentAttributes.of({
    'aria-label': label, 'aria-describedby': options.describedBy, spellcheck: 'false', tabindex: '0', autocorrect: 'off', autocapitalize: 'off',
  })

  const view = new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: file.text.toString(),
      extensions: [
        EditorView.cspNonce.of(nonceOfStyles()),
        naming.of(nameOf(options.label)),
        language.of([]),
        wrapping.of(wrapOf(options.path)),
        lineNumbers(), highlightActiveLineGutter(), foldGutter(), highlightSpecialChars(),
        drawSelection(), dropCursor(), rectangularSelection(), crosshairCursor(),
        EditorState.allowMultipleSelections.of(true),
        indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(),
        highlightActiveLine(), highlightSelectionMatches(),
        look,
        collab(file),
        Prec.high(keymap.of([{ key: 'Mod-s', preventDefault: true, run: () => (options.onSave(), true) }])),
        keymap.of([
          ...closeBracketsKeymap, ...searchKeymap, ...foldKeymap, ...completionKeymap,
          ...defaultKeymap, indentWithTab,
        ]),
      ],
    }),
  })

  async function loadLanguage(path: string) {
    const support = await languageOf(path)
    if (!disposed) view.dispatch({ effects: language.reconfigure(support ?? []) })
  }
  void loadLanguage(options.path)

  let stopLooking = () => {}
  function goTo(userId: string): boolean {
    const at = caretOf(file.text, file.awareness, userId)
    if (at === null || at > view.state.doc.length) return false
    view.dispatch({ effects: EditorView.scrollIntoView(at, { y: 'center' }) })
    return true
  }

  return {
    focus: () => view.focus(),
    selection() {
      const { doc, selection: { main } } = view.state
      if (main.empty || main.to - main.from > MOST_SELECTED) return null
      const text = doc.sliceString(main.from, main.to)
      if (new TextEncoder().encode(JSON.stringify(text)).length > MOST_SELECTED) return null
      const anchor = (index: number, side: number) => JSON.stringify(Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(file.text, index, side)))
      return {
        text, from: doc.lineAt(main.from).number, to: doc.lineAt(main.to).number,
        start: anchor(main.from, 0), end: anchor(main.to, -1),
      }
    },
    showPerson(userId) {
      stopLooking()
      if (goTo(userId)) return
      // They have only just been seen in the project's room; their caret comes with the file's.
      const look = () => goTo(userId) && stopLooking()
      const timer = setTimeout(() => stopLooking(), LOOK_FOR_MS)
      file.awareness.on('change', look)
      stopLooking = () => {
        clearTimeout(timer)
        file.awareness.off('change', look)
      }
    },
    follow(userId, onOwnMove) {
      const keepInSight = () => {
        const at = caretOf(file.text, file.awareness, userId)
        if (at === null || at > view.state.doc.length) return
        view.dispatch({ effects: EditorView.scrollIntoView(at, { y: 'nearest', yMargin: FOLLOW_MARGIN_PX }) })
      }
      // Not 'scroll', which following itself causes.
      const own = ['wheel', 'touchmove', 'mousedown', 'keydown'] as const
      for (const name of own) view.dom.addEventListener(name, onOwnMove, { passive: true })
      file.awareness.on('change', keepInSight)
      keepInSight()
      return () => {
        for (const name of own) view.dom.removeEventListener(name, onOwnMove)
        file.awareness.off('change', keepInSight)
      }
    },
    showLine(line, column) {
      // It may have moved since it was found, or be gone.
      const { from, length } = view.state.doc.line(Math.max(1, Math.min(line, view.state.doc.lines)))
      const anchor = from + Math.min(column, length)
      view.dispatch({ selection: { anchor }, effects: EditorView.scrollIntoView(anchor, { y: 'center' }) })
    },
    insert(text) {
      view.focus()
      view.dispatch(view.state.replaceSelection(toLf(text)), { scrollIntoView: true, userEvent: 'input.paste' })
    },
    withInserted: (text) => view.state.update(view.state.replaceSelection(toLf(text))).newDoc.toString(),
    shown: () => view.requestMeasure(),
    setPath(path, label) {
      view.dispatch({ effects: [naming.reconfigure(nameOf(label)), wrapping.reconfigure(wrapOf(path))] })
      void loadLanguage(path)
    },
    dispose() {
      disposed = true
      stopLooking()
      view.destroy()
    },
  }
}

/** Prose wraps; code keeps its lines, except where a phone would show half of them. */
function wrapOf(path: string) {
  const prose = /\.(md|markdown|txt|rst|adoc)$/i.test(path) || !path.includes('.')
  return prose || matchMedia('(max-width: 720px)').matches ? EditorView.lineWrapping : []
}
