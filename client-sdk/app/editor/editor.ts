// A CodeMirror on a file. Takes the file and an element, gives back how to reach it and how to end it;
// loaded on demand, so that the sign-in page does not carry an editor.

import { autocompletion, closeBrackets, closeBracketsKeymap, completionKeymap } from '@codemirror/autocomplete'
import { defaultKeymap, indentWithTab } from '@codemirror/commands'
import { bracketMatching, foldGutter, foldKeymap, indentOnInput } from '@codemirror/language'
import { highlightSelectionMatches, searchKeymap } from '@codemirror/search'
import { Compartment, EditorState, Prec, Transaction } from '@codemirror/state'
import {
  crosshairCursor, drawSelection, dropCursor, EditorView, highlightActiveLine, highlightActiveLineGutter,
  highlightSpecialChars, keymap, lineNumbers, rectangularSelection,
} from '@codemirror/view'
import type { FileHandle } from 'coterie'
import { yCollab, yUndoManagerKeymap, ySyncAnnotation } from 'y-codemirror.next'
import { caretOf, carets } from './carets.ts'
import { languageOf } from './languages.ts'
import { newlines } from './newlines.ts'
import { look } from './look.ts'

/** How long somebody's caret is waited for. */
const LOOK_FOR_MS = 5_000

export interface EditorOptions {
  file: FileHandle
  parent: HTMLElement
  /** Says what the text is, to screen readers. */
  label: string
  path: string
  describedBy: string
  onSave(): void
}

export interface Editor {
  focus(): void
  /** Scrolls to where somebody is typing, now or as soon as that is known. */
  showPerson(userId: string): void
  /** After the view was out of sight: sizes may have changed. */
  shown(): void
  setPath(path: string, label: string): void
  dispose(): void
}

export function createEditor(options: EditorOptions): Editor {
  const { file } = options
  const access = new Compartment()
  const language = new Compartment()
  const naming = new Compartment()
  const wrapping = new Compartment()
  let disposed = false

  // A reader can still put the caret into the text, select, copy and search.
  const accessOf = (editable: boolean) => [
    EditorState.readOnly.of(!editable),
    EditorView.contentAttributes.of({ 'aria-readonly': String(!editable) }),
  ]
  const nameOf = (label: string) => EditorView.contentAttributes.of({
    'aria-label': label, 'aria-describedby': options.describedBy, spellcheck: 'false', tabindex: '0', autocorrect: 'off', autocapitalize: 'off',
  })

  const view = new EditorView({
    parent: options.parent,
    state: EditorState.create({
      doc: file.text.toString(),
      extensions: [
        newlines,
        access.of(accessOf(file.editable.get())),
        naming.of(nameOf(options.label)),
        language.of([]),
        wrapping.of(wrapOf(options.path)),
        lineNumbers(), highlightActiveLineGutter(), foldGutter(), highlightSpecialChars(),
        drawSelection(), dropCursor(), rectangularSelection(), crosshairCursor(),
        EditorState.allowMultipleSelections.of(true),
        indentOnInput(), bracketMatching(), closeBrackets(), autocompletion(),
        highlightActiveLine(), highlightSelectionMatches(),
        look,
        yCollab(file.text, null, { undoManager: file.undo }),
        carets(file.text, file.awareness),
        keepInSync(file),
        Prec.high(keymap.of([{ key: 'Mod-s', preventDefault: true, run: () => (options.onSave(), true) }])),
        keymap.of([
          ...closeBracketsKeymap, ...yUndoManagerKeymap, ...searchKeymap, ...foldKeymap, ...completionKeymap,
          ...defaultKeymap, indentWithTab,
        ]),
      ],
    }),
  })

  const unfollow = file.editable.subscribe((editable) => view.dispatch({ effects: access.reconfigure(accessOf(editable)) }))

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
    shown: () => view.requestMeasure(),
    setPath(path, label) {
      view.dispatch({ effects: [naming.reconfigure(nameOf(label)), wrapping.reconfigure(wrapOf(path))] })
      void loadLanguage(path)
    },
    dispose() {
      disposed = true
      stopLooking()
      unfollow()
      view.destroy()
    },
  }
}

/** Prose wraps; code keeps its lines, except where a phone would show half of them. */
function wrapOf(path: string) {
  const prose = /\.(md|markdown|txt|rst|adoc)$/i.test(path) || !path.includes('.')
  return prose || matchMedia('(max-width: 720px)').matches ? EditorView.lineWrapping : []
}

/** Read-only refuses typing; nothing else may slip an edit past it (a paste handler, a command of an extension). */
function keepInSync(file: FileHandle) {
  return EditorState.transactionFilter.of((transaction) => {
    if (!transaction.docChanged || file.editable.get()) return transaction
    const fromOthers = transaction.annotation(ySyncAnnotation) !== undefined || transaction.annotation(Transaction.remote)
    return fromOthers ? transaction : []
  })
}
