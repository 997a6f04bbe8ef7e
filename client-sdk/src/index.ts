// The whole public API of the package. The app in ../app imports nothing else.

export { createClient, type Client, type ClientOptions, type NewProject } from './client.ts'
export type { Analysis, Assistant, Completion, CompletionWanted, Picture, PictureWanted } from './assistant.ts'
export type { Archive, BlobInfo, Blobs, Imported } from './archive.ts'
export type { Project, Session, Usage } from './project.ts'
export type {
  Account, ApiKey, AuditEntry, DeletedProject, InviteInfo, Login, Management, NewInvite, NewKey, ProjectMember, Scope,
} from './manage.ts'
export type {
  Actor, Hunk, HunkState, NewProposal, NewProposalFile, Proposal, ProposalFile, ProposalInfo, Proposals, ProposalState, Trust,
} from './proposals.ts'
export type { Chat } from './chat/index.ts'
export type { Thread, ThreadState, Typist } from './chat/thread.ts'
export type {
  AnswerContext, Attachment, Conversation, Mention, Message, MessageAuthor, MessageState, ModelInfo, NewMessage, Persona, ReadPart, Summary,
} from './chat/types.ts'
export type { FileHandle, FilePhase, GoneWhy } from './file.ts'
export type { Copies, KeptCopy } from './copies.ts'
export type { Files, Removal } from './files.ts'
export type { LiveFile, Opening } from './live.ts'
export { folderOf, isWithin, joinPath, nameOf, type FileNode, type FolderNode, type TreeNode } from './tree.ts'
export type { Identity, Person } from './people.ts'
export type { Following } from './follow.ts'
export type { Activity, FeedEvent, Member, Place, Presence, Review, Work } from './room.ts'
export { combineSaves, describeSave, deriveSaveState, type Refusal, type SaveFacts, type SaveState } from './save.ts'
export { newKey } from './key.ts'
export { nearestOf, PALETTE, paintOf, paintStyle, type Paint } from './paint.ts'
export { ApiError, type Http, type Schema } from './http.ts'
export type { TokenSource } from './credential.ts'
export { createStore, derived, type Store, type Writable } from './store.ts'
export type { ConnectionStatus } from './socket.ts'
export {
  canEdit, type DocumentInfo, type FoundFile, type FoundLine, type Invite, type Page, type ProjectInfo, type ProjectUsage, type Role, type SearchResult, type Template, type User,
  type WaysIn,
} from './types.ts'
