// The keys of the studio, in one list: what the pages listen to is what the list of shortcuts says.

export interface Shortcut {
  what: string
  keys: string
}

const mac = typeof navigator !== 'undefined' && /Mac|iPhone|iPad/.test(navigator.platform)

/** `Mod+Shift+F` as it is printed on this keyboard. */
export function spell(keys: string): string {
  return mac ? keys.replace('Mod+', '⌘').replace('Shift+', '⇧').replace('Alt+', '⌥') : keys.replace('Mod', 'Ctrl')
}

export const SHORTCUTS: readonly { about: string; keys: readonly Shortcut[] }[] = [
  {
    about: 'The project',
    keys: [
      { what: 'Open a file by its name', keys: 'Mod+P' },
      { what: 'All commands', keys: 'Mod+Shift+P' },
      { what: 'Search in all files', keys: 'Mod+Shift+F' },
      { what: 'This list, outside of the text', keys: '?' },
      { what: 'Stop following somebody, or asking to be followed', keys: 'Escape' },
    ],
  },
  {
    about: 'The text',
    keys: [
      { what: 'Undo what you typed', keys: 'Mod+Z' },
      { what: 'Search in this file', keys: 'Mod+F' },
      { what: 'What is saved', keys: 'Mod+S' },
      { what: 'Complete a word', keys: 'Ctrl+Space' },
      { what: 'Leave the text', keys: 'Escape, then Tab' },
    ],
  },
  {
    about: 'The chat',
    keys: [
      { what: 'Send', keys: 'Enter' },
      { what: 'Begin a new line', keys: 'Shift+Enter' },
      { what: 'Mention somebody, the assistant or a file', keys: '@' },
      { what: 'Stop editing or replying', keys: 'Escape' },
    ],
  },
  {
    about: 'A proposal',
    keys: [
      { what: 'Next change, and the one before', keys: '] [' },
      { what: 'Accept the change', keys: 'Y' },
      { what: 'Reject the change', keys: 'N' },
    ],
  },
  {
    about: 'The list of files',
    keys: [
      { what: 'Go up, down, into and out of a folder', keys: 'Arrow keys' },
      { what: 'Rename', keys: 'F2' },
      { what: 'Delete', keys: 'Delete' },
      { what: 'Take the last change back', keys: 'Mod+Z' },
      { what: 'What can be done with a file', keys: 'Shift+F10' },
    ],
  },
]

const isMod = (event: KeyboardEvent) => (mac ? event.metaKey : event.ctrlKey) && !event.altKey
/** Whether keys go into a text now, where letters are letters. */
const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

export type Wish = 'files' | 'commands' | 'search' | 'shortcuts'

/** What somebody asks for by these keys, anywhere in a project. */
export function wishOf(event: KeyboardEvent): Wish | null {
  const key = event.key.toLowerCase()
  if (isMod(event) && key === 'p') return event.shiftKey ? 'commands' : 'files'
  if (isMod(event) && event.shiftKey && key === 'f') return 'search'
  if (event.key === '?' && !event.ctrlKey && !event.metaKey && !event.altKey && !isTyping(event.target)) return 'shortcuts'
  return null
}
