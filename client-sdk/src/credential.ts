// What says who we are: nothing where the login cookie does, a token that stays the same, or a token that is asked for.

/** Answers a token. What it is given was refused, so an answer that was kept is of no use any more. */
export type TokenSource = (refused?: string) => string | Promise<string>

export interface Credential {
  /** Empty where the login cookie says who we are. */
  get(): Promise<string>
  /** Asks for another one than that which was refused; answers whether there is one. */
  renew(refused: string): Promise<boolean>
}

export function credentialOf(given: string | TokenSource): Credential {
  if (typeof given === 'string') return { get: async () => given, renew: async () => false }
  /** Many are refused at once, and one new token serves them all. */
  let renewing: { refused: string; token: Promise<string> } | null = null
  return {
    get: async () => given(),
    async renew(refused) {
      if (renewing?.refused !== refused) {
        const asked = { refused, token: Promise.resolve(given(refused)) }
        renewing = asked
        const forget = () => {
          if (renewing === asked) renewing = null
        }
        asked.token.then(forget, forget)
      }
      const token = await renewing?.token
      return token !== undefined && token !== '' && token !== refused
    },
  }
}
