// The one WebSocket that all open files share, on top of Hocuspocus's.

import { HocuspocusProviderWebsocket, type onCloseParameters } from '@hocuspocus/provider'
import { createStore, type Store } from './store.ts'

/** Whether there is a connection: `connecting` only until the first attempt succeeds or fails. */
export type ConnectionStatus = 'connecting' | 'open' | 'lost'

/**
 * Reconnect quickly: a server that restarts is back within seconds. Chance spreads the rush of all who were there,
 * the first attempt too, which Hocuspocus would have all of them make at once.
 */
const SHORTEST_DELAY_MS = 200
const FIRST_DELAY_MS = 1_000
const LONGEST_DELAY_MS = 5_000
/** WebSocket.readyState of an open socket. */
const OPEN = 1

/**
 * Hocuspocus queues what is sent while the socket is not open and sends it *in addition* to the
 * state exchange of the next connection. Each queued frame is then acknowledged on its own, the
 * provider's counter (set to 1 at that moment) reaches zero at the first of them, and "saved"
 * would be said with frames still under way. The exchange carries everything anyway, so here
 * nothing is ever queued.
 */
class UnqueuedSocket extends HocuspocusProviderWebsocket {
  override send(message: Uint8Array): void {
    if (this.webSocket?.readyState === OPEN) super.send(message)
  }

  override onClose(parameters: onCloseParameters): void {
    this.setConfiguration({ delay: Math.round(SHORTEST_DELAY_MS + Math.random() * (FIRST_DELAY_MS - SHORTEST_DELAY_MS)) })
    super.onClose(parameters)
  }
}

export interface Socket {
  readonly provider: HocuspocusProviderWebsocket
  readonly status: Store<ConnectionStatus>
  close(): void
}

export function openSocket(url: string, polyfill?: typeof WebSocket): Socket {
  const provider = new UnqueuedSocket({
    url,
    delay: FIRST_DELAY_MS,
    minDelay: SHORTEST_DELAY_MS,
    maxDelay: LONGEST_DELAY_MS,
    factor: 1.5,
    ...(polyfill ? { WebSocketPolyfill: polyfill } : {}),
  })
  const status = createStore<ConnectionStatus>('connecting')
  provider.on('status', ({ status: word }: { status: string }) => {
    if (word === 'connected') status.set('open')
    else if (word === 'disconnected') status.set('lost')
    // "connecting" says nothing new: it is the first attempt, or we are still lost.
  })

  // The browser knows sooner than a timer that the network went or came.
  const wake = () => {
    if (status.get() === 'lost') void provider.connect()
  }
  const drop = () => provider.webSocket?.close()
  const browser = typeof window === 'undefined' ? null : window
  browser?.addEventListener('online', wake)
  browser?.addEventListener('offline', drop)

  return {
    provider,
    status,
    close() {
      browser?.removeEventListener('online', wake)
      browser?.removeEventListener('offline', drop)
      provider.destroy()
    },
  }
}
