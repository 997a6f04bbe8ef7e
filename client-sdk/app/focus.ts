// The focus, which stays with whoever has the keys: what comes late takes it only from where it was when it was asked for.

/** Where the focus is now. What is answered says later whether something may take it: not once somebody has gone elsewhere with
 *  it. What lies around the thing, as the page does, is not elsewhere. */
export function holdPlace(): (thing: Element) => boolean {
  const before = document.activeElement
  return (thing) => {
    const now = document.activeElement
    return now === null || now === before || now.contains(thing)
  }
}
