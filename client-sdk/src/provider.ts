// Hocuspocus's provider, made to count right when its token takes time.

import { HocuspocusProvider } from '@hocuspocus/provider'

/**
 * Between the socket's opening and the state exchange the provider waits for its token. An edit made
 * then would be sent at once and acknowledged on its own, while the counter, set to 1 when the exchange
 * starts, knows only the exchange: it would reach zero one frame early. The exchange carries the edit
 * anyway, so until it starts nothing else is sent or counted.
 */
export class CheckedProvider extends HocuspocusProvider {
  // Not an initialiser: the base class may attach, and so open, in its constructor.
  private declare opening: boolean | undefined

  override async onOpen(event: Event): Promise<void> {
    this.opening = true
    await super.onOpen(event)
  }

  override startSync(): void {
    this.opening = false
    super.startSync()
  }

  override documentUpdateHandler(update: Uint8Array, origin: unknown): void {
    if (!this.opening) super.documentUpdateHandler(update, origin)
  }
}
