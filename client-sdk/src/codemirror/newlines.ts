// Line ends. Y.Text counts "\r\n" as two, an editor that sees one line break there counts one, and
// every position behind it would be off. So only "\n" ends a line here: a stray "\r" of some other
// client stays a visible character of its line, and nothing typed or pasted here brings one in.

import { EditorState, type Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'

/** A text with the line ends that files have here. */
export function toLf(text: string): string {
  return text.replace(/\r\n?/g, '\n')
}

export const newlines: Extension = [
  EditorState.lineSeparator.of('\n'),
  EditorView.clipboardInputFilter.of(toLf),
]
