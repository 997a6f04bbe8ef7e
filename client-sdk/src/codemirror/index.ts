// `coterie/codemirror`: a file in a CodeMirror 6. One extension binds the text, shows the others and stays true to
// the role; everything else about the editor is its owner's.

import { Compartment, EditorState, Transaction, type Extension } from '@codemirror/state'
import { EditorView, keymap, ViewPlugin } from '@codemirror/view'
import { yCollab, yUndoManagerKeymap, ySyncAnnotation } from 'y-codemirror.next'
import type { FileHandle } from '../file.ts'
import { caretLook, carets, type CaretOwner, type ColorOf } from './carets.ts'
import { newlines } from './newlines.ts'

export { toLf } from './newlines.ts'
export { caretOf, type CaretOwner, type ColorOf } from './carets.ts'

/** What an editor shows besides the text. */
export interface CollabOptions {
  /** Other people's carets and selections, and telling them mine. Default true. */
  presence?: boolean
  /** Whose caret has which colour. By default the one that they have in the project, else that of their login. */
  color?: ColorOf
}

/**
 * Binds an editor to a file: its text, own-edits-only undo (with its keys), carets of the others, and read-only for
 * whoever may only read. Start the editor with `doc: file.text.toString()`; destroy the view to let go.
 */
export function collab(file: FileHandle, options: CollabOptions = {}): Extension {
  const access = new Compartment()
  const agreed = ({ id, color }: CaretOwner) => file.colors.get().get(id) ?? color
  return [
    newlines,
    access.of(accessOf(file.editable.get())),
    followAccess(file, access),
    yCollab(file.text, null, { undoManager: file.undo }),
    options.presence === false ? [] : [carets(file.text, file.awareness, options.color ?? agreed, file.colors), caretLook],
    refuseEdits(file),
    keymap.of(yUndoManagerKeymap),
  ]
}

/** A reader can still put the caret into the text, select, copy and search. */
function accessOf(editable: boolean): Extension {
  return [EditorState.readOnly.of(!editable), EditorView.contentAttributes.of({ 'aria-readonly': String(!editable) })]
}

function followAccess(file: FileHandle, access: Compartment): Extension {
  return ViewPlugin.define((view) => {
    let first = true // told at once, while the view is still being made
    const stop = file.editable.subscribe((editable) => {
      if (!first) view.dispatch({ effects: access.reconfigure(accessOf(editable)) })
      first = false
    })
    return { destroy: stop }
  })
}

/** Read-only refuses typing; nothing else may slip an edit past it (a paste handler, a command of an extension). */
function refuseEdits(file: FileHandle): Extension {
  return EditorState.transactionFilter.of((transaction) => {
    if (!transaction.docChanged || file.editable.get()) return transaction
    const fromOthers = transaction.annotation(ySyncAnnotation) !== undefined || transaction.annotation(Transaction.remote)
    return fromOthers ? transaction : []
  })
}
