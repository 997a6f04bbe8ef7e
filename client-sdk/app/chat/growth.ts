// Markdown that grows, as elements: blocks that are finished are made once, and only the last one again and again.

import { finished, render, type Marks } from './markdown.ts'

export class Growth {
  readonly #root: HTMLElement
  /** The text of the blocks that are finished, and how many elements they are. */
  #done = ''
  #nodes = 0
  begun = false

  constructor(root: HTMLElement) {
    this.#root = root
    root.replaceChildren()
  }

  show(text: string, marks: Marks): void {
    this.begun = true
    // Another text than the one that grew: an answer given again.
    if (!text.startsWith(this.#done)) {
      this.#root.replaceChildren()
      this.#done = ''
      this.#nodes = 0
    }
    while (this.#root.childNodes.length > this.#nodes) this.#root.lastChild?.remove()
    const rest = text.slice(this.#done.length)
    const length = finished(rest)
    if (length > 0) {
      this.#root.append(render(rest.slice(0, length), marks))
      this.#nodes = this.#root.childNodes.length
      this.#done += rest.slice(0, length)
    }
    this.#root.append(render(rest.slice(length), marks))
  }
}
