// `coterie/react`: the stores as hooks. What is opened is let go of when its component leaves.

import { createContext, createElement, useContext, useEffect, useMemo, useState, useSyncExternalStore, type ReactNode } from 'react'
import type { Thread, ThreadState, Typist } from './chat/thread.ts'
import type { Conversation, Message } from './chat/types.ts'
import type { Client } from './client.ts'
import type { FileHandle } from './file.ts'
import type { Opening } from './live.ts'
import type { Project } from './project.ts'
import type { Proposal } from './proposals.ts'
import type { Member } from './room.ts'
import type { SaveState } from './save.ts'
import type { ConnectionStatus } from './socket.ts'
import { derived, type Store } from './store.ts'

const Given = createContext<Client | null>(null)

/** Gives the client to the hooks below it. */
export function ClientProvider({ client, children }: { client: Client; children?: ReactNode }) {
  return createElement(Given.Provider, { value: client }, children)
}

/** The client that a provider above gives. */
export function useClient(): Client {
  const client = useContext(Given)
  if (!client) throw new Error('There is no <ClientProvider> around this component.')
  return client
}

/** The value of a store, now and after each change. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get)
}

export type { Opening } from './live.ts'

/** A project, open for this component. */
export function useProject(id: string): Opening<Project> {
  const client = useClient()
  const [state, setState] = useState<Opening<Project>>({ kind: 'opening' })
  useEffect(() => {
    let left = false
    let opened: Project | null = null
    setState({ kind: 'opening' })
    client.open(id).then(
      (project) => {
        if (left) return project.leave()
        opened = project
        setState({ kind: 'open', value: project })
      },
      (error: unknown) => {
        if (!left) setState({ kind: 'failed', error })
      },
    )
    return () => {
      left = true
      opened?.leave()
    }
  }, [client, id])
  return state
}

/** A file of a project by path or id, open for this component; another handle once one has ended and there is more to go on from. */
export function useFile(project: Project, name: string): Opening<FileHandle> {
  const [state, setState] = useState<Opening<FileHandle>>({ kind: 'opening' })
  useEffect(() => {
    const live = project.files.keepOpen(name)
    const stop = live.state.subscribe(setState)
    return () => {
      stop()
      live.close()
    }
  }, [project, name])
  return state
}

/** Everybody in the project, me first. */
export const useMembers = (project: Project): readonly Member[] => useStore(project.presence.people)

/** The truth about the edits of a file, or of all open files of a project. */
export const useSaveState = (of: FileHandle | Project): SaveState => useStore(of.save)

/** Whether there is a connection. */
export const useConnection = (): ConnectionStatus => useStore(useClient().connection)

// --- who is here ----------------------------------------------------------------------------------

/** Me, as the others see me. */
export function useSelf(project: Project): Member {
  const me = useMemo(() => derived(project.presence.people, (people) => people.find(({ isMe }) => isMe)), [project])
  const self = useStore(me)
  if (!self) throw new Error('Who is in a project is in its list.')
  return self
}

/** Everybody else in the project. */
export function useOthers(project: Project): readonly Member[] {
  return useStore(useMemo(() => derived(project.presence.people, (people) => people.filter(({ isMe }) => !isMe)), [project]))
}

/** Whom I follow; `project.presence.follow(id)` begins it, `unfollow()` ends it. */
export const useFollowing = (project: Project): Member | null => useStore(project.presence.following)

/** Who asks me to follow them, until I do or decline. */
export const useAsking = (project: Project): Member | null => useStore(project.presence.asking)

// --- what is said and suggested -------------------------------------------------------------------

/** A conversation with all that is loaded of it. */
export interface ShownThread extends ThreadState {
  thread: Thread
  messages: readonly Message[]
  /** Who writes now, without me. */
  typing: readonly Typist[]
}

/** A conversation; the one that every project has when no id is given. Its `thread` sends, edits and loads more. */
export function useThread(project: Project, conversation?: string): ShownThread {
  const thread = useMemo(() => project.chat.thread(conversation), [project, conversation])
  return { ...useStore(thread.state), thread, messages: useStore(thread.messages), typing: useStore(thread.typing) }
}

/** All conversations, the first one first. */
export const useConversations = (project: Project): readonly Conversation[] => useStore(project.chat.conversations)

/** How many messages I have not read. */
export const useUnread = (project: Project): number => useStore(project.chat.unread)

/** What is suggested and waits, the latest first. */
export const useProposals = (project: Project): readonly Proposal[] => useStore(project.proposals.open)
