// What the HTTP API speaks, field for field (so that a look at the network panel explains the code).

export type Role = 'owner' | 'editor' | 'commenter' | 'viewer'

export interface User {
  id: string
  name: string
  kind: 'guest' | 'person' | 'external' | 'assistant'
  /** Strong enough for a label, `#rrggbb`. */
  color: string
  /** For the background of a selection. */
  color_light: string
  avatar: string | null
}

/** How people come in. */
export interface WaysIn {
  /** With just a name. */
  guests: boolean
  /** With their GitHub account. */
  github: boolean
}

export interface ProjectInfo {
  id: string
  name: string
  description: string | null
  visibility: 'private' | 'link' | 'public'
  /** What the signed-in user may do here. */
  role: Role
  created_at: string
  /** What it takes and may take: told to its owners, where one project is asked for. */
  usage?: ProjectUsage
}

/** How much a project takes, and may take: files, and bytes of these and of pictures and attachments. */
export interface ProjectUsage {
  documents: number
  documents_max: number
  document_bytes: number
  document_bytes_max: number
  blob_bytes: number
  blob_bytes_max: number
}

export interface DocumentInfo {
  id: string
  project_id: string
  path: string
  /** The last sequence number of its log. */
  head: number
  /** A document's history starts once an epoch; caches of different epochs are never merged. */
  epoch: number
  created_at: string
}

export interface Invite {
  id: string
  url: string
  token: string
  role: Role
  expires_at: string | null
}

/** What a search found in one file. */
export interface FoundFile {
  document_id: string
  path: string
  lines: FoundLine[]
}

export interface FoundLine {
  /** From 1. */
  line: number
  /** Where the words begin in the line, in UTF-16 units from 0. */
  column: number
  /** The line, shortened around the words when it is long. */
  text: string
}

export interface SearchResult {
  items: FoundFile[]
  /** False when there is more than is listed, or a file could not be searched. */
  complete: boolean
}

export interface Page<T> {
  items: T[]
  /** Hand it back as `after` for the next page; null on the last one. */
  next: string | null
}

export function canEdit(role: Role): boolean {
  return role === 'owner' || role === 'editor'
}
