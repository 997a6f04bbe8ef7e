// Names for what has none yet.

/** A name that nobody else makes up; also where a page is not served by HTTPS. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}
