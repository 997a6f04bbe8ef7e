// The whole public API of the package. The app in ../app imports nothing else.

export { createClient, type Client, type ClientOptions, type NewProject } from './client.ts'
export type { Project } from './project.ts'
export type { FileHandle, FilePhase, GoneWhy } from './file.ts'
export type { Person } from './people.ts'
export { describeSave, deriveSaveState, type Refusal, type SaveFacts, type SaveState } from './save.ts'
export { ApiError } from './http.ts'
export { createStore, type Store, type Writable } from './store.ts'
export type { ConnectionStatus } from './socket.ts'
export { canEdit, type DocumentInfo, type Invite, type Page, type ProjectInfo, type Role, type User } from './types.ts'
