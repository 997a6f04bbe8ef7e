// What the server says in frames of Hocuspocus, as far as it is read here.

import type { GoneWhy } from './file.ts'
import type { SaveFacts } from './save.ts'

/** One SyncStep2 or Update is saved, or refused. */
export const SYNC_STATUS = 8
/** A document has ended. */
export const CLOSE = 7
/** Hocuspocus's reason when it closes a document because the provider detached. */
export const AS_WE_ASKED = 'provider_initiated'

/** The part of a Hocuspocus frame that is read here. */
export interface Frame {
  readVarString(): string
  readVarUint(): number
}

export function readWhy(reason: string): GoneWhy {
  const word = reason.toLowerCase()
  if (word.includes('replaced')) return 'replaced'
  if (word.includes('deleted')) return 'deleted'
  if (/not.?found|no such|unknown document/.test(word)) return 'not-found'
  if (/unauthori[sz]ed|unauthenticated|sign|log ?in/.test(word)) return 'signed-out'
  return 'closed'
}

export function readRefusal(payload: string): { code: string; message: string } | null {
  const { event, code, message } = readEvent(payload)
  if (event !== 'refused') return null
  return {
    code: typeof code === 'string' ? code : 'refused',
    message: typeof message === 'string' && message !== '' ? message : 'the server refused the last change',
  }
}

/** What an event changes in what is known of the server's troubles. */
export function readTrouble(payload: string): Partial<Pick<SaveFacts, 'trouble' | 'damage'>> {
  const { event, state, message } = readEvent(payload)
  const words = typeof message === 'string' ? message : ''
  if (event === 'saving') return { trouble: state === 'ok' ? null : words || 'the server cannot save at present' }
  if (event === 'damaged') return { damage: words || 'what the server has stored of this file is damaged' }
  return {}
}

/** An event of the server's; nothing of it where it is none. */
export function readEvent(payload: string): Record<string, unknown> {
  try {
    const frame: unknown = JSON.parse(payload)
    return typeof frame === 'object' && frame !== null ? (frame as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}
