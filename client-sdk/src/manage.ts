// What people look after besides files: their own logins and keys, and who may do what in a project.

import type { Http } from './http.ts'
import type { Invite, Page, ProjectInfo, Role, User } from './types.ts'

/** A browser in which one is signed in. */
export interface Login {
  id: string
  /** The browser as it named itself. */
  agent: string
  /** Whether it is this one. */
  current: boolean
  created_at: string
  used_at: string
  expires_at: string
}

export type Scope = 'read' | 'write' | 'manage' | 'act-for' | 'admin'

export interface ApiKey {
  id: string
  name: string
  /** Its first characters. */
  prefix: string
  scopes: Scope[]
  created_at: string
  expires_at: string | null
  used_at: string | null
}

export interface NewKey {
  name: string
  scopes: Scope[]
  /** Seconds; left out, it does not expire. */
  expires_in?: number
}

export interface DeletedProject {
  id: string
  name: string
  deleted_at: string
  /** When it can be restored no more. */
  gone_at: string
}

export interface ProjectMember extends User {
  role: Role
  created_at: string
}

/** An invite without its secret, which is told once. */
export interface InviteInfo {
  id: string
  role: Role
  created_by: string
  created_at: string
  expires_at: string | null
  max_uses: number | null
  uses: number
}

export interface NewInvite {
  role: Role
  /** Seconds; left out, for ever. */
  expires_in?: number
  /** How many may come in by it; left out, any number. */
  max_uses?: number
}

/** Something that somebody did to rights. */
export interface AuditEntry {
  id: string
  actor: { id: string; name: string } | null
  project_id: string | null
  /** Such as `member.role`. */
  action: string
  about: string
  detail: Record<string, unknown>
  created_at: string
}

export interface Account {
  logins(after?: string | null): Promise<Page<Login>>
  endLogin(id: string): Promise<void>
  /** Signs out in every browser but this one. */
  endOtherLogins(): Promise<void>
  keys(after?: string | null): Promise<Page<ApiKey>>
  /** The key itself is told this once. */
  createKey(key: NewKey): Promise<ApiKey & { key: string }>
  revokeKey(id: string): Promise<void>
  deletedProjects(after?: string | null): Promise<Page<DeletedProject>>
  restoreProject(id: string): Promise<ProjectInfo>
}

/** Who may do what in one project. Most of it is for owners. */
export interface Management {
  info(): Promise<ProjectInfo>
  change(what: Partial<Pick<ProjectInfo, 'name' | 'visibility'>> & { description?: string }): Promise<ProjectInfo>
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

const page = (path: string, after?: string | null) => (after ? `${path}?after=${encodeURIComponent(after)}` : path)
const part = encodeURIComponent

export function accountOf(http: Http): Account {
  return {
    logins: (after) => http.get(page('/api/logins', after)),
    endLogin: (id) => http.delete(`/api/logins/${part(id)}`),
    endOtherLogins: () => http.delete('/api/logins?others=true'),
    keys: (after) => http.get(page('/api/keys', after)),
    createKey: (key) => http.post('/api/keys', key),
    revokeKey: (id) => http.delete(`/api/keys/${part(id)}`),
    deletedProjects: (after) => http.get(page('/api/projects/deleted', after)),
    restoreProject: (id) => http.post(`/api/projects/${part(id)}/restore`),
  }
}

export function managementOf(http: Http, projectId: string): Management {
  const base = `/api/projects/${part(projectId)}`
  return {
    info: () => http.get(base),
    change: (what) => http.patch(base, what),
    members: (after) => http.get(page(`${base}/members`, after)),
    setRole: (user, role) => http.patch(`${base}/members/${part(user)}`, { role }),
    removeMember: (user) => http.delete(`${base}/members/${part(user)}`),
    transferTo: (user) => http.post(`${base}/transfer`, { user_id: user }),
    invites: (after) => http.get(page(`${base}/invites`, after)),
    invite: (invite) => http.post(`${base}/invites`, invite),
    revokeInvite: (id) => http.delete(`${base}/invites/${part(id)}`),
    audit: (after) => http.get(page(`${base}/audit`, after)),
    delete: () => http.delete(base),
  }
}
