// A copy of a text to be edited by one person, before it is proposed. Loaded when somebody asks for it.

import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { bracketMatching, indentOnInput } from '@codemirror/language'
import { EditorState } from '@codemirror/state'
import { drawSelection, EditorView, keymap, lineNumbers } from '@codemirror/view'
import { languageOf } from './languages.ts'
import { look } from './look.ts'
import { nonceOfStyles } from '../page.ts'

export interface Draft {
  text(): string
  focus(): void
  dispose(): void
}

export async function createDraft(parent: HTMLElement, path: string, text: string, onChange: () => void): Promise<Draft> {
  const language = await languageOf(path)
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: text,
      extensions: [
        EditorView.cspNonce.of(nonceOfStyles()),
        lineNumbers(), EditorView.lineWrapping, drawSelection(), history(), indentOnInput(), bracketMatching(), look, language ?? [],
        EditorView.contentAttributes.of({ 'aria-label': `Your version of ${path}`, spellcheck: 'false', tabindex: '0', autocorrect: 'off', autocapitalize: 'off' }),
        EditorView.updateListener.of((update) => update.docChanged && onChange()),
        // Tab leaves it: this is a field of a form.
        keymap.of([...historyKeymap, ...defaultKeymap]),
      ],
    }),
  })
  return { text: () => view.state.sliceDoc(), focus: () => view.focus(), dispose: () => view.destroy() }
}
