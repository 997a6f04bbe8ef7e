// What the HTTP interface tells, by the names that programs use for it. The server's description says what each holds.

import type { Schema } from './http.ts'

/** Somebody, as the server knows them. */
export type User = Schema<'UserView'>

/** What one may do in a project. */
export type Role = Schema<'Role'>

/** How people come in: with just a name, or with GitHub. */
export type WaysIn = Schema<'WaysIn'>

/** A project, and what the signed-in user may do in it. */
export type ProjectInfo = Schema<'ProjectView'>

/** What a project can begin with. */
export type Template = Schema<'TemplateView'>

/** How much a project takes, and may take: told to its owners, where one project is asked for. */
export type ProjectUsage = Schema<'ProjectUsage'>

/** A document of a project. Its history starts once an epoch: caches of different epochs are never merged. */
export type DocumentInfo = Schema<'DocumentView'>

/** An invite with its secret, which is told once. */
export type Invite = Schema<'InviteLink'>

/** What a search found in one file. */
export type FoundFile = Schema<'Found'>

/** A line in which words were found. */
export type FoundLine = Schema<'Line'>

/** What a search found. */
export type SearchResult = Schema<'Search'>

/** A part of a list. */
export interface Page<T> {
  items: T[]
  /** Hand it back as `after` for the next page; null on the last one. */
  next: string | null
}

/** Whether somebody with this role may write. */
export function canEdit(role: Role): boolean {
  return role === 'owner' || role === 'editor'
}
