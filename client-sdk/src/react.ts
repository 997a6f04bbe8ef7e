// `coterie/react`: the stores as hooks. What is opened is let go of when its component leaves.

import { createContext, createElement, useContext, useEffect, useState, useSyncExternalStore, type ReactNode } from 'react'
import type { Client } from './client.ts'
import type { FileHandle } from './file.ts'
import type { Opening } from './live.ts'
import type { Project } from './project.ts'
import type { Member } from './room.ts'
import type { SaveState } from './save.ts'
import type { Store } from './store.ts'

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
