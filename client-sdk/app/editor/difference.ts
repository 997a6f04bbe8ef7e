// Two texts and what differs between them, to be read. Loaded when somebody asks for it.

import { unifiedMergeView } from '@codemirror/merge'
import { EditorState } from '@codemirror/state'
import { EditorView, lineNumbers } from '@codemirror/view'
import { languageOf } from './languages.ts'
import { look } from './look.ts'
import { nonceOfStyles } from '../page.ts'

export interface Difference {
  dispose(): void
}

/** A difference of long texts that cannot be found in this time is shown as one. */
const TIMEOUT_MS = 500

export async function showDifference(parent: HTMLElement, path: string, before: string, after: string): Promise<Difference> {
  const language = await languageOf(path)
  const view = new EditorView({
    parent,
    state: EditorState.create({
      doc: after,
      extensions: [
        EditorView.cspNonce.of(nonceOfStyles()),
        lineNumbers(), EditorView.lineWrapping, look, language ?? [],
        EditorState.readOnly.of(true),
        EditorView.contentAttributes.of({ 'aria-label': `Difference in ${path}`, 'aria-readonly': 'true', tabindex: '0' }),
        unifiedMergeView({ original: before, mergeControls: false, collapseUnchanged: { margin: 2, minSize: 6 }, diffConfig: { timeout: TIMEOUT_MS } }),
      ],
    }),
  })
  return { dispose: () => view.destroy() }
}

