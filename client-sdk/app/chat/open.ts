// Whether somebody has the chat open beside the text, as they left it on this device.

/** Where there is room for one pane at a time. */
export const isPhone = (): boolean => matchMedia('(max-width: 720px)').matches

const keyOf = (userId: string) => `coterie/${userId}/chat-open`

export function readChatOpen(userId: string): boolean {
  try {
    return localStorage.getItem(keyOf(userId)) === 'yes'
  } catch {
    return false
  }
}

export function keepChatOpen(userId: string, open: boolean): void {
  try {
    localStorage.setItem(keyOf(userId), open ? 'yes' : 'no')
  } catch {
    // For this visit only.
  }
}
