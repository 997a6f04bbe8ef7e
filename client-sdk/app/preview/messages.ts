// What a frame of the preview may say. Whatever runs in it can say anything, as often as it likes: what is none of this is not
// heard, and of what it prints so much.

import { createStore, type Store } from 'coterie'

export type Level = 'log' | 'info' | 'warn' | 'error' | 'debug'

export type FromFrame =
  | { kind: 'ready' }
  | { kind: 'shown' }
  | { kind: 'want'; path: string }
  | { kind: 'console'; level: Level; text: string }
  | { kind: 'scroll'; at: number }
  | { kind: 'go'; address: string }
  | { kind: 'here' }

const LEVELS: readonly unknown[] = ['log', 'info', 'warn', 'error', 'debug']
const isText = (value: unknown, most: number): value is string => typeof value === 'string' && value.length <= most

export function isFromFrame(data: unknown): data is FromFrame {
  if (typeof data !== 'object' || data === null) return false
  const { kind, path, level, text, at, address } = data as Record<string, unknown>
  switch (kind) {
    case 'ready':
    case 'shown':
    case 'here':
      return true
    case 'want':
      return isText(path, 255)
    case 'console':
      return LEVELS.includes(level) && isText(text, 2_000)
    case 'scroll':
      return typeof at === 'number' && Number.isFinite(at)
    case 'go':
      return isText(address, 2_000)
    default:
      return false
  }
}

export interface Line {
  id: number
  level: Level
  text: string
  /** How often it was said in a row. */
  times: number
}

/** Lines that are kept; the oldest make room. */
const MOST_LINES = 200
/** Lines that are heard in a second. */
const MOST_A_SECOND = 100

/** What a page printed. */
export class Lines {
  readonly #list = createStore<readonly Line[]>([])
  readonly list: Store<readonly Line[]> = this.#list
  #count = 0
  #second = 0
  #heard = 0

  add(level: Level, text: string, now = Date.now()): void {
    const second = Math.floor(now / 1_000)
    if (second !== this.#second) [this.#second, this.#heard] = [second, 0]
    this.#heard += 1
    if (this.#heard > MOST_A_SECOND) return
    const said = this.#heard === MOST_A_SECOND ? { level: 'warn' as const, text: 'The page prints too much; some of it is left out.' } : { level, text }
    const lines = this.#list.get()
    const last = lines.at(-1)
    if (last && last.level === said.level && last.text === said.text) {
      this.#list.set([...lines.slice(0, -1), { ...last, times: last.times + 1 }])
      return
    }
    this.#count += 1
    this.#list.set([...lines, { id: this.#count, ...said, times: 1 }].slice(-MOST_LINES))
  }

  clear(): void {
    this.#list.set([])
  }
}
