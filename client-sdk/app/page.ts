// What the server wrote into the page: the nonce that styles carry, and from where pictures of people may come.

function meta(name: string): HTMLMetaElement | null {
  return document.querySelector<HTMLMetaElement>(`meta[name="${name}"]`)
}

/** What the policy of the page wants on styles that are made as it runs. */
export function nonceOfStyles(): string {
  return meta('styles')?.nonce ?? ''
}

/** The address of a picture if the page may load it: from our server, or from where GitHub keeps its people's. */
export function pictureAt(address: string | null): string | null {
  if (address === null) return null
  if (/^(\/(?!\/)|data:image\/)/.test(address)) return address
  const origins = meta('pictures')?.content.split(' ') ?? []
  try {
    return origins.includes(new URL(address).origin) ? address : null
  } catch {
    return null
  }
}
