// Everything that can be done in a project, by its words: what the palette lists.

import { canEdit, type Member, type Presence, type Role } from 'coterie'
import { spell } from '../keys.ts'
import { kindOf, isPart } from '../preview/target.ts'
import { navigate, toProjects, toSettings } from '../router.ts'
import { applyTheme } from '../theme.ts'
import type { Desk } from './desk.svelte.ts'

export interface Command {
  words: string
  keys?: string
  run: () => void
}

export interface Where {
  projectId: string
  desk: Desk
  /** The file that is looked at. */
  fileId: string | null
  path: string
  members: readonly Member[]
  followed: Member | null
  /** null until the project is open. */
  presence: Presence | null
  spotlit: boolean
  role: Role
  chatOpen: boolean
  search: () => void
  proposals: () => void
  chat: (open: boolean) => void
  propose: () => void
  shortcuts: () => void
}

export function commandsFor(where: Where): Command[] {
  const { desk, fileId, path, followed } = where
  const commands: (Command | false)[] = [
    { words: 'Search in all files', keys: spell('Mod+Shift+F'), run: where.search },
    { words: 'What is proposed', run: where.proposals },
    { words: where.chatOpen ? 'Close the chat' : 'Open the chat', run: () => where.chat(!where.chatOpen) },
    fileId !== null && (kindOf(path) !== null || isPart(path)) && {
      words: desk.previewing ? 'Close the preview' : 'Show the preview', run: () => void (desk.previewing = !desk.previewing),
    },
    fileId !== null && (canEdit(where.role) || where.role === 'commenter') && { words: 'Propose a change of this file', run: where.propose },
    { words: 'Keyboard shortcuts', keys: '?', run: where.shortcuts },
    fileId !== null && { words: 'Close this file', run: () => desk.close(fileId) },
    ...where.members.filter((member) => !member.isMe).map((member) => ({ words: `Follow ${member.name}`, run: () => desk.follow(member) })),
    where.spotlit
      ? { words: 'Ask nobody to follow me any more', keys: 'Esc', run: () => where.presence?.spotlight(false) }
      : where.members.length > 1 && { words: 'Ask everybody to follow me', run: () => where.presence?.spotlight() },
    followed !== null && { words: `Stop following ${followed.name}`, keys: 'Esc', run: desk.stopFollowing },
    { words: 'Light theme', run: () => applyTheme('light') },
    { words: 'Dark theme', run: () => applyTheme('dark') },
    { words: 'Theme of the system', run: () => applyTheme('system') },
    { words: 'Members and settings', run: () => navigate(toSettings(where.projectId)) },
    { words: 'Your projects', run: () => navigate(toProjects) },
  ]
  return commands.filter((command) => command !== false)
}
