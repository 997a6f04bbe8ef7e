// Is somebody at this page? Others see it: active, idle after minutes without a key or a touch, or away behind another page.

import type { Activity } from 'coterie'

const IDLE_MS = 5 * 60_000
const SIGNS = ['keydown', 'pointerdown', 'pointermove', 'wheel', 'touchstart'] as const

export function followActivity(tell: (activity: Activity) => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined
  let said = 0
  const look = () => {
    clearTimeout(timer)
    if (document.visibilityState === 'hidden') return tell('hidden')
    tell('active')
    timer = setTimeout(() => tell('idle'), IDLE_MS)
  }
  const onSign = () => {
    // A moving mouse says so sixty times a second.
    if (Date.now() - said < 1_000) return
    said = Date.now()
    look()
  }
  for (const sign of SIGNS) addEventListener(sign, onSign, { passive: true, capture: true })
  document.addEventListener('visibilitychange', look)
  look()
  return () => {
    clearTimeout(timer)
    for (const sign of SIGNS) removeEventListener(sign, onSign, { capture: true })
    document.removeEventListener('visibilitychange', look)
  }
}
