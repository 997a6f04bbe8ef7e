// The pictures and attachments of a project, as they are listed beside its files, and as tabs among those of its texts.

import type { BlobInfo, Project } from 'coterie'

const MARK = 'blob:'

/** The id of the tab that shows one. */
export const tabOf = (hash: string): string => MARK + hash
/** What a tab shows; null where that is a text. */
export const hashOf = (tab: string): string | null => (tab.startsWith(MARK) ? tab.slice(MARK.length) : null)

/** What browsers show as a picture. */
export const isPicture = ({ media_type }: BlobInfo): boolean => /^image\/(png|jpeg|gif|webp|avif)$/.test(media_type)

export class Pictures {
  readonly #project: Project
  readonly #stop: () => void
  #asking = 0

  list = $state.raw<readonly BlobInfo[]>([])
  /** Whether the list was had; until then nothing is known to be gone. */
  loaded = $state(false)

  constructor(project: Project) {
    this.#project = project
    this.#stop = project.onEvent(({ type }) => {
      if (type.startsWith('blob.')) void this.load()
    })
    void this.load()
  }

  async load(): Promise<void> {
    const asking = (this.#asking += 1)
    try {
      const all: BlobInfo[] = []
      let after: string | null = null
      do {
        const page = await this.#project.blobs.list(after)
        all.push(...page.items)
        after = page.next
      } while (after !== null)
      if (asking !== this.#asking) return
      this.list = all.sort((a, b) => a.name.localeCompare(b.name))
      this.loaded = true
    } catch {
      // Without a connection, as long as there is none.
    }
  }

  end(): void {
    this.#stop()
  }
}
