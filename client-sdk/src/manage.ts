// What people look after besides files: their own logins and keys, and who may do what in a project.

import { pageAfter, type Http, type Schema } from './http.ts'
import type { Invite, Page, ProjectInfo, Role } from './types.ts'

/** A browser in which one is signed in. */
export type Login = Schema<'LoginView'>

/** What an API key may be used for. */
export type Scope = Schema<'Scope'>

/** An API key without its secret. */
export type ApiKey = Schema<'KeyView'>

/** A key that is to be made. */
export type NewKey = Schema<'NewKey'>

/** A project that its owner can still bring back. */
export type DeletedProject = Schema<'DeletedView'>

/** Somebody in a project. */
export type ProjectMember = Schema<'MemberView'>

/** An invite without its secret, which is told once. */
export type InviteInfo = Schema<'InviteView'>

/** An invite that is to be made. */
export type NewInvite = Schema<'NewInvite'>

/** Something that somebody did to rights. */
export type AuditEntry = Schema<'EntryView'>

/** What is to change of a project. */
export type ProjectChange = Schema<'ProjectChange'>

/** One's own logins and keys, and projects that can be brought back. */
export interface Account {
  logins(after?: string | null): Promise<Page<Login>>
  endLogin(id: string): Promise<void>
  /** Signs out in every browser but this one. */
  endOtherLogins(): Promise<void>
  keys(after?: string | null): Promise<Page<ApiKey>>
  /** The key itself is told this once. */
  createKey(key: NewKey): Promise<Schema<'NewKeyView'>>
  revokeKey(id: string): Promise<void>
  deletedProjects(after?: string | null): Promise<Page<DeletedProject>>
  restoreProject(id: string): Promise<ProjectInfo>
}

/** Who may do what in one project. Most of it is for owners. */
export interface Management {
  info(): Promise<ProjectInfo>
  change(what: ProjectChange): Promise<ProjectInfo>
  members(after?: string | null): Promise<Page<ProjectMember>>
  setRole(user: string, role: Role): Promise<ProjectMember>
  /** Also for leaving. */
  removeMember(user: string): Promise<void>
  /** Makes another member the owner in one's place. */
  transferTo(user: string): Promise<ProjectMember>
  invites(after?: string | null): Promise<Page<InviteInfo>>
  invite(invite: NewInvite): Promise<Invite>
  revokeInvite(id: string): Promise<void>
  audit(after?: string | null): Promise<Page<AuditEntry>>
  /** For everybody in it; its owners can restore it for 30 days. */
  delete(): Promise<void>
}

export function accountOf(http: Http): Account {
  return {
    logins: (after) => http.get('/api/logins', { params: { query: pageAfter(after) } }),
    endLogin: (login) => http.delete('/api/logins/{login}', { params: { path: { login } } }),
    endOtherLogins: () => http.delete('/api/logins', { params: { query: { others: true } } }),
    keys: (after) => http.get('/api/keys', { params: { query: pageAfter(after) } }),
    createKey: (key) => http.post('/api/keys', { body: key }),
    revokeKey: (key) => http.delete('/api/keys/{key}', { params: { path: { key } } }),
    deletedProjects: (after) => http.get('/api/projects/deleted', { params: { query: pageAfter(after) } }),
    restoreProject: (p) => http.post('/api/projects/{p}/restore', { params: { path: { p } } }),
  }
}

export function managementOf(http: Http, projectId: string): Management {
  const here = { p: projectId }
  return {
    info: () => http.get('/api/projects/{p}', { params: { path: here } }),
    change: (what) => http.patch('/api/projects/{p}', { params: { path: here }, body: what }),
    members: (after) => http.get('/api/projects/{p}/members', { params: { path: here, query: pageAfter(after) } }),
    setRole: (user, role) => http.patch('/api/projects/{p}/members/{user}', { params: { path: { ...here, user } }, body: { role } }),
    removeMember: (user) => http.delete('/api/projects/{p}/members/{user}', { params: { path: { ...here, user } } }),
    transferTo: (user) => http.post('/api/projects/{p}/transfer', { params: { path: here }, body: { user_id: user } }),
    invites: (after) => http.get('/api/projects/{p}/invites', { params: { path: here, query: pageAfter(after) } }),
    invite: (invite) => http.post('/api/projects/{p}/invites', { params: { path: here }, body: invite }),
    revokeInvite: (i) => http.delete('/api/projects/{p}/invites/{i}', { params: { path: { ...here, i } } }),
    audit: (after) => http.get('/api/projects/{p}/audit', { params: { path: here, query: pageAfter(after) } }),
    delete: () => http.delete('/api/projects/{p}', { params: { path: here } }),
  }
}
