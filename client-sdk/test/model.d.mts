export interface Fed {
  say(text: string): Promise<void>
  end(): Promise<void>
  breakOff(): Promise<void>
  left: Promise<void>
}

export interface Model {
  url: string
  /** The bodies of the requests that came. */
  asked: Record<string, unknown>[]
  answer(text: string): void
  call(name: string, values: unknown): void
  reply(body: unknown): void
  refuse(status: number, error: { message: string; code?: string }): void
  feed(): Fed
  stop(): Promise<void>
}

export function startModel(): Promise<Model>
