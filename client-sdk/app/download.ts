// Bytes as a file of the browser's downloads.

/** How long the browser may take to read them. */
const READ_MS = 60_000

export function download(content: Blob, name: string): void {
  const address = URL.createObjectURL(content)
  const link = document.createElement('a')
  link.href = address
  // No path, and nothing that a system does not take.
  link.download = name.replace(/[\\/:*?"<>|\p{Cc}]+/gu, '-').slice(0, 120)
  link.click()
  setTimeout(() => URL.revokeObjectURL(address), READ_MS)
}
