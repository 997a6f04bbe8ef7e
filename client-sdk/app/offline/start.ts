// Has the studio open without a server too, and tells when the server has a newer one.

import type { Store } from 'coterie'

/** What the service worker keeps of somebody's projects. */
const DATA = 'coterie-data'
const LOOK_MS = 60 * 60_000

/** Answers how to stop. `connected` tells when there is a server again, which may be another version then. */
export function startOffline(connected: Store<boolean>, outdated: () => void): () => void {
  // Not on plain http, and not as it is edited.
  if (!('serviceWorker' in navigator) || !import.meta.env.PROD) return () => {}
  const workers = navigator.serviceWorker
  let registration: ServiceWorkerRegistration | undefined
  let isFirst = workers.controller === null
  let told: PerformanceObserver | undefined
  const onChange = () => {
    if (isFirst) told = tellAsked(workers)
    else outdated()
    isFirst = false
  }
  const look = () => void registration?.update().catch(() => undefined)
  workers.addEventListener('controllerchange', onChange)
  // No service worker is no fault: the studio works, as long as there is a server.
  workers.register('/sw.js').then((done) => (registration = done), () => undefined)
  const timer = setInterval(look, LOOK_MS)
  const unfollow = connected.subscribe((is) => is && look())
  return () => {
    clearInterval(timer)
    told?.disconnect()
    unfollow()
    workers.removeEventListener('controllerchange', onChange)
  }
}

/** A page that began without its worker asked for things that the worker has not seen: it is told of them. */
function tellAsked(workers: ServiceWorkerContainer): PerformanceObserver {
  const now = performance.now()
  const observer = new PerformanceObserver((list) => {
    const before = list.getEntries().filter(({ startTime }) => startTime < now)
    if (before.length > 0) workers.controller?.postMessage({ asked: [...new Set(before.map(({ name }) => name))] })
  })
  // What is still under way is listed when it ends.
  observer.observe({ type: 'resource', buffered: true })
  return observer
}

/** How long the worker is waited for when somebody signs out. */
const FORGET_MS = 2_000

/** Forgets what was kept of projects; for signing out. The worker is told, so that it does not keep what is still under way. */
export async function forgetOffline(): Promise<void> {
  try {
    await tellForget(navigator.serviceWorker?.controller ?? null)
    await caches.delete(DATA)
  } catch {
    // Nothing is kept where nothing can be.
  }
}

function tellForget(worker: ServiceWorker | null): Promise<void> {
  return new Promise((resolve) => {
    if (!worker) return resolve()
    const { port1, port2 } = new MessageChannel()
    port1.onmessage = () => resolve()
    setTimeout(resolve, FORGET_MS)
    worker.postMessage({ forget: true }, [port2])
  })
}
