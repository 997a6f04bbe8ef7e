// Other people's carets and selections, and telling them mine. Replaces y-codemirror.next's plugin,
// which recomputes everybody on every update, paints with style attributes and knows one theme.

import { StateEffect, type Range } from '@codemirror/state'
import { Decoration, EditorView, ViewPlugin, WidgetType, type DecorationSet, type PluginValue, type ViewUpdate } from '@codemirror/view'
import * as Y from 'yjs'
import type { Awareness } from 'y-protocols/awareness'
import { nearestOf, PALETTE, paintOf } from '../paint.ts'
import type { Store } from '../store.ts'

/** The name is shown this long after its caret moved; then it waits for the pointer. */
const NAME_MS = 2_500
/** Telling others where I am, at most this often. */
const TELL_MS = 80

const redraw = StateEffect.define<null>()

/** Somebody whose caret is shown, as the server knows them. */
export interface CaretOwner {
  id: string
  name: string
  /** That of their login. */
  color: string
}

/** Which colour somebody's caret has; one of no palette becomes the nearest of the palette. */
export type ColorOf = (owner: CaretOwner) => string

interface Other {
  name: string
  /** Its class: styles of elements are for the page's policy to forbid. */
  look: string
  assistant: boolean
  anchor: number
  head: number
}

class CaretWidget extends WidgetType {
  constructor(
    private readonly name: string,
    private readonly look: string,
    private readonly assistant: boolean,
    private readonly fresh: boolean,
    private readonly firstLine: boolean,
  ) {
    super()
  }

  override eq(other: CaretWidget): boolean {
    return this.name === other.name && this.look === other.look && this.assistant === other.assistant
      && this.fresh === other.fresh && this.firstLine === other.firstLine
  }

  override toDOM(): HTMLElement {
    const caret = document.createElement('span')
    caret.setAttribute('aria-hidden', 'true') // names are in the people list; in the text they would be read as text
    const label = caret.appendChild(document.createElement('span'))
    label.className = 'caret-name'
    this.paint(caret)
    return caret
  }

  override updateDOM(caret: HTMLElement): boolean {
    this.paint(caret)
    return true
  }

  private paint(caret: HTMLElement) {
    caret.className = `caret ${this.look}`
    caret.classList.toggle('fresh', this.fresh)
    caret.classList.toggle('assistant', this.assistant)
    caret.classList.toggle('first-line', this.firstLine)
    if (caret.firstElementChild) caret.firstElementChild.textContent = this.name
  }

  override get estimatedHeight(): number {
    return -1
  }

  override ignoreEvent(): boolean {
    return true
  }
}

class Carets implements PluginValue {
  decorations: DecorationSet = Decoration.none
  private readonly moved = new Map<number, { head: string; at: number }>()
  private fadeTimer: ReturnType<typeof setTimeout> | undefined
  private tellTimer: ReturnType<typeof setTimeout> | undefined
  private readonly unfollow: () => void

  constructor(
    private readonly view: EditorView,
    private readonly text: Y.Text,
    private readonly awareness: Awareness,
    private readonly colorOf: ColorOf,
    colors: Store<unknown>,
  ) {
    awareness.on('change', this.onChange)
    let first = true // told at once, while the view is still being made
    this.unfollow = colors.subscribe(() => {
      if (!first) this.view.dispatch({ effects: redraw.of(null) })
      first = false
    })
    this.decorations = this.draw()
  }

  update(update: ViewUpdate) {
    if (update.docChanged) this.decorations = this.decorations.map(update.changes)
    const asked = update.transactions.some((tr) => tr.effects.some((effect) => effect.is(redraw)))
    if (asked || update.viewportChanged || update.docChanged) this.decorations = this.draw()
    if (update.selectionSet || update.docChanged || update.focusChanged) this.tellSoon()
  }

  destroy() {
    clearTimeout(this.fadeTimer)
    clearTimeout(this.tellTimer)
    this.unfollow()
    this.awareness.off('change', this.onChange)
    if (this.awareness.getLocalState()) this.awareness.setLocalStateField('cursor', null)
  }

  private readonly onChange = ({ added, updated, removed }: { added: number[]; updated: number[]; removed: number[] }) => {
    const others = [...added, ...updated, ...removed].some((id) => id !== this.awareness.clientID)
    if (others) this.view.dispatch({ effects: redraw.of(null) })
  }

  private tellSoon() {
    this.tellTimer ??= setTimeout(() => {
      this.tellTimer = undefined
      this.tell()
    }, TELL_MS)
  }

  private tell() {
    // Without a state I am leaving; without focus the caret stays where I was last seen.
    if (!this.awareness.getLocalState() || !this.view.hasFocus) return
    const { anchor, head } = this.view.state.selection.main
    this.awareness.setLocalStateField('cursor', {
      anchor: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.text, anchor)) as unknown,
      head: Y.relativePositionToJSON(Y.createRelativePositionFromTypeIndex(this.text, head)) as unknown,
    })
  }

  private draw(): DecorationSet {
    const { state, viewport } = this.view
    const ranges: Range<Decoration>[] = []
    const now = Date.now()
    let nextFade = Infinity
    for (const id of this.moved.keys()) if (!this.awareness.getStates().has(id)) this.moved.delete(id)
    for (const [id, awarenessState] of this.awareness.getStates()) {
      if (id === this.awareness.clientID) continue
      const other = this.locate(awarenessState)
      if (!other) continue
      const age = now - this.movedAt(id, awarenessState, now)
      if (age < NAME_MS) nextFade = Math.min(nextFade, NAME_MS - age)
      const from = Math.min(other.anchor, other.head)
      const to = Math.max(other.anchor, other.head)
      // Whoever is out of view costs nothing.
      if (to < viewport.from || from > viewport.to) continue
      if (to > from) {
        ranges.push(Decoration.mark({ class: `selected-by ${other.look}` }).range(Math.max(from, viewport.from), Math.min(to, viewport.to)))
      }
      ranges.push(Decoration.widget({
        // Outside the selection, so that it does not split the mark.
        side: other.head > other.anchor ? -1 : 1,
        widget: new CaretWidget(other.name, other.look, other.assistant, age < NAME_MS, state.doc.lineAt(other.head).number === 1),
      }).range(other.head))
    }
    clearTimeout(this.fadeTimer)
    if (nextFade < Infinity) this.fadeTimer = setTimeout(() => this.view.dispatch({ effects: redraw.of(null) }), nextFade + 20)
    return Decoration.set(ranges, true)
  }

  /** When this caret was last seen at another place. A place moved by somebody's typing before it is the same place. */
  private movedAt(id: number, state: Record<string, unknown>, now: number): number {
    const head = JSON.stringify((state['cursor'] as { head?: unknown } | null)?.head)
    const last = this.moved.get(id)
    if (last?.head === head) return last.at
    this.moved.set(id, { head, at: now })
    return now
  }

  private locate(state: Record<string, unknown>): Other | null {
    const { cursor, user } = state as { cursor?: { anchor?: unknown; head?: unknown } | null; user?: Record<string, unknown> }
    if (!cursor || cursor.anchor == null || cursor.head == null) return null
    const anchor = this.position(cursor.anchor)
    const head = this.position(cursor.head)
    if (anchor === null || head === null) return null
    const word = (field: string) => (typeof user?.[field] === 'string' ? user[field] : '')
    const name = word('name') || 'Somebody'
    return {
      name,
      look: `who-${nearestOf(this.colorOf({ id: word('id'), name, color: word('color') }))}`,
      assistant: user?.['kind'] === 'assistant',
      anchor,
      head,
    }
  }

  private position(json: unknown): number | null {
    try {
      const doc = this.text.doc
      if (!doc) return null
      const at = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(json), doc)
      return at && at.type === this.text ? Math.min(at.index, this.view.state.doc.length) : null
    } catch {
      return null // another client's own idea of a cursor
    }
  }
}

/** `colors` tells when `colorOf` may answer otherwise. */
export function carets(text: Y.Text, awareness: Awareness, colorOf: ColorOf, colors: Store<unknown>) {
  return ViewPlugin.define((view) => new Carets(view, text, awareness, colorOf, colors), { decorations: (plugin) => plugin.decorations })
}

/** Where somebody's caret is in the text, to scroll there. */
export function caretOf(text: Y.Text, awareness: Awareness, userId: string): number | null {
  for (const [clientId, state] of awareness.getStates()) {
    const { cursor, user } = state as { cursor?: { head?: unknown } | null; user?: { id?: unknown } }
    if (clientId === awareness.clientID || user?.id !== userId || cursor?.head == null || !text.doc) continue
    const at = Y.createAbsolutePositionFromRelativePosition(Y.createRelativePositionFromJSON(cursor.head), text.doc)
    if (at?.type === text) return at.index
  }
  return null
}

/** A class for each colour of the palette. */
const colorLooks = Object.fromEntries(PALETTE.map((color, at) => {
  const { light, dark } = paintOf(color)
  return [`.who-${at}`, { '--who': `light-dark(${light}, ${dark})` }]
}))

/** How they look, where the page does not say otherwise. */
export const caretLook = EditorView.baseTheme({
  ...colorLooks,
  '.selected-by': { backgroundColor: 'color-mix(in srgb, var(--who) 24%, transparent)' },
  '.caret': {
    position: 'relative', display: 'inline', margin: '0 -1px', borderLeft: '2px solid var(--who)', pointerEvents: 'auto',
  },
  '.caret.assistant': { borderLeftStyle: 'dashed' },
  // The dot that is always there to be pointed at.
  '.caret::before': {
    content: '""', position: 'absolute', top: '-3px', left: '-4px', width: '6px', height: '6px', borderRadius: '50%',
    backgroundColor: 'var(--who)',
  },
  '.caret.assistant::before': { borderRadius: '1px' },
  '.caret-name': {
    position: 'absolute', zIndex: '5', bottom: 'calc(100% - 2px)', left: '-2px', maxWidth: '16em', padding: '1px 6px 2px',
    overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap', borderRadius: '4px 4px 4px 0',
    font: '600 11px/1.35 system-ui, sans-serif', color: 'light-dark(#fff, #000)', backgroundColor: 'var(--who)',
    opacity: '0', transition: 'opacity 0.25s', userSelect: 'none', pointerEvents: 'none',
  },
  '.caret.first-line .caret-name': { bottom: 'auto', top: 'calc(100% - 2px)', borderRadius: '0 4px 4px 4px' },
  '.caret.fresh .caret-name, .caret:hover .caret-name': { opacity: '1' },
})
