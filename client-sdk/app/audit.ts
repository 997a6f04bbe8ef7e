// Entries of the audit log as sentences. What is not known here is told by its own name, so nothing is left out.

import type { AuditEntry } from 'coterie'

const SENTENCES: Record<string, (detail: Record<string, unknown>) => string> = {
  'member.role': ({ role, was }) => `made a member ${said(role)}${was === undefined ? '' : `, who was ${said(was)}`}`,
  'member.removed': ({ left }) => (left === true ? 'left' : 'removed a member'),
  'invite.created': ({ role }) => `made an invite${role === undefined ? '' : ` for ${said(role)}`}`,
  'invite.accepted': ({ role }) => `came in by an invite${role === undefined ? '' : ` as ${said(role)}`}`,
  'invite.deleted': () => 'revoked an invite',
  'project.visibility': ({ visibility }) => `made the project ${said(visibility)}`,
  'project.transferred': () => 'handed the project over',
  'project.deleted': () => 'deleted the project',
  'project.restored': () => 'restored the project',
  'project.quotas': () => 'changed what the project may hold',
}

const said = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

export function auditWords(entry: AuditEntry): string {
  const sentence = SENTENCES[entry.action]?.(entry.detail) ?? entry.action
  return `${entry.actor?.name ?? 'The server'} ${sentence}`
}
