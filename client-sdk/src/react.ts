// `coterie/react`: the stores as hooks. What is opened is let go of when its component leaves.

import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react'
import type { Client } from './client.ts'
import type { FileHandle } from './file.ts'
import type { Project } from './project.ts'
import type { Member } from './room.ts'
import type { SaveState } from './save.ts'
import type { Store } from './store.ts'

const Given = createContext<Client | null>(null)

/** Gives the client to the hooks below it. */
export function ClientProvider({ client, children }: { client: Client; children?: ReactNode }) {
  return createElement(Given.Provider, { value: client }, children)
}

export function useClient(): Client {
  const client = useContext(Given)
  if (!client) throw new Error('There is no <ClientProvider> around this component.')
  return client
}

/** The value of a store, now and after each change. */
export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get, store.get)
}

/** What takes time to open. */
export type Opening<T> = { kind: 'opening' } | { kind: 'open'; value: T } | { kind: 'failed'; error: unknown }

/** A project, opened for this component. */
export function useProject(id: string): Opening<Project> {
  const client = useClient()
  return useOpened(() => client.open(id), (project) => project.leave(), [client, id])
}

/** A file of a project by path or id, opened for this component. */
export function useFile(project: Project, name: string): Opening<FileHandle> {
  return useOpened(() => project.files.open(name), (file) => file.close(), [project, name])
}

/** Everybody in the project, me first. */
export const useMembers = (project: Project): readonly Member[] => useStore(project.presence.people)

/** The truth about the edits of a file, or of all open files of a project. */
export const useSaveState = (of: FileHandle | Project): SaveState => useStore(of.save)

function useOpened<T>(open: () => Promise<T>, close: (value: T) => void, about: readonly unknown[]): Opening<T> {
  const [state, setState] = useState<Opening<T>>({ kind: 'opening' })
  useEffect(() => {
    let left = false
    let opened: { value: T } | null = null
    setState({ kind: 'opening' })
    open().then(
      (value) => {
        if (left) return close(value)
        opened = { value }
        setState({ kind: 'open', value })
      },
      (error: unknown) => {
        if (!left) setState({ kind: 'failed', error })
      },
    )
    return () => {
      left = true
      if (opened) close(opened.value)
    }
    // `open` and `close` are new at every render; what they depend on is `about`.
  }, about)
  return state
}
