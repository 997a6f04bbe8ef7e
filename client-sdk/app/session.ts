// What the whole page shares: the client, and words for what went wrong.

import { ApiError, createClient } from 'coterie'

export const client = createClient()

/** A sentence for people; the request id, when there is one, is shown beside it to be copied. */
export function wordsFor(error: unknown): string {
  if (error instanceof ApiError) {
    return error.retryAfter ? `${error.message} Try again in ${error.retryAfter} s.` : error.message
  }
  return 'Something went wrong in this page. Reload it; saved edits are safe.'
}

/** A login that ended elsewhere: ask who we are, and the sign-in page appears by itself. */
export function noticeSignOut(error: unknown): void {
  if (error instanceof ApiError && error.isUnauthorized) void client.me().catch(() => undefined)
}
