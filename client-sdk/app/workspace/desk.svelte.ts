// What lies open in a project: the tabs with their files and editors, which of them takes the focus, and whether a preview
// stands beside. Who goes somewhere by themselves follows nobody any more. The address says which file is looked at; the tabs follow it.

import type { FileHandle, FoundLine, Following, Member } from 'coterie'
import { tick } from 'svelte'
import { SvelteMap } from 'svelte/reactivity'
import type { SelectedText } from '../editor/editor.ts'
import { navigate, toFile, toPicture, toProject } from '../router.ts'
import { keepTabs, readTabs, withoutTab, withTab, type Tabs } from '../tabs.ts'
import { hashOf } from './pictures.svelte.ts'

/** What a tab's file does in its editor, as soon as there is one. */
export interface OpenSheet {
  focus(): void
  showPerson(userId: string): void
  showLine(line: number, column: number): void
  follow(userId: string, onOwnMove: () => void): () => void
  selection(): SelectedText | null
  insert(text: string): void
  withInserted(words: string, then: (text: string) => void): void
}

export class Desk {
  readonly #userId: string
  readonly #projectId: string
  readonly #current: () => string | null
  /** Whether the next file to be shown takes the focus: not when somebody only looks through the tabs. */
  #takesFocus = true

  tabs = $state.raw<Tabs>({ ids: [], last: null })
  /** Tabs that were looked at in this visit: they have a file and an editor. */
  opened = $state.raw<ReadonlySet<string>>(new Set())
  readonly handles = new SvelteMap<string, FileHandle>()
  readonly sheets: Record<string, OpenSheet | undefined> = $state({})
  /** Whether the page that a file is, or belongs to, is shown beside it. */
  previewing = $state(false)
  /** Whom I follow, once the project is open. */
  following: Following | null = null
  /** Told when the file that is there already is asked for. */
  onStay = () => {}

  /** `current` is the id of the tab that the address shows. */
  constructor(userId: string, projectId: string, current: () => string | null) {
    this.#userId = userId
    this.#projectId = projectId
    this.#current = current
    this.tabs = readTabs(userId, projectId)
  }

  /** The address shows a file now. */
  async show(id: string): Promise<void> {
    this.#set(withTab(this.tabs, id))
    if (!this.opened.has(id)) this.opened = new Set([...this.opened, id])
    const takesFocus = this.#takesFocus
    this.#takesFocus = true
    await tick()
    if (takesFocus) this.sheets[id]?.focus()
  }

  open = (id: string, how: { focus: boolean }): void => {
    this.stopFollowing()
    this.go(id, how)
  }

  /** As `open`, but for going where somebody who is followed goes. */
  go(id: string, how: { focus: boolean }): void {
    if (id === this.#current()) {
      this.onStay()
      if (how.focus) this.sheets[id]?.focus()
      return
    }
    this.#takesFocus = how.focus
    navigate(this.#address(id))
  }

  #address(id: string): string {
    const hash = hashOf(id)
    return hash === null ? toFile(this.#projectId, id) : toPicture(this.#projectId, hash)
  }

  close = (id: string): void => {
    const next = withoutTab(this.tabs, id)
    if (id === this.#current()) {
      this.#takesFocus = false
      navigate(next.last === null ? toProject(this.#projectId) : this.#address(next.last), { replace: true })
    }
    this.#set(next)
  }

  jump = async (member: Member, id: string): Promise<void> => {
    (await this.#opened(id))?.showPerson(member.id)
  }

  openLine = async (id: string, { line, column }: FoundLine): Promise<void> => {
    (await this.#opened(id))?.showLine(line, column)
  }

  async #opened(id: string): Promise<OpenSheet | undefined> {
    this.open(id, { focus: true })
    await tick()
    await tick()
    return this.sheets[id]
  }

  follow = (member: Member | null): void => {
    if (member) this.following?.follow(member.id)
    else this.stopFollowing()
  }

  stopFollowing = (): void => {
    this.following?.unfollow()
  }

  /** A file that was deleted leaves the tabs that nobody looks at; the one that is looked at says so itself. */
  keepOnly(known: ReadonlySet<string>): void {
    let kept = this.tabs
    for (const id of this.tabs.ids) {
      if (!known.has(id) && id !== this.#current() && (this.handles.get(id)?.pending.get() ?? 0) === 0) kept = withoutTab(kept, id)
    }
    this.#set(kept)
  }

  #set(next: Tabs): void {
    if (next === this.tabs) return
    this.tabs = next
    this.opened = new Set([...this.opened].filter((id) => next.ids.includes(id)))
    keepTabs(this.#userId, this.#projectId, next)
  }
}
