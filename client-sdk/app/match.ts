// Which of many names somebody means by a few letters: all letters in order, best where they begin words.

/** Higher is better; null: it does not match. Spaces ask for several things at once. */
export function score(name: string, wanted: string): number | null {
  let sum = 0
  for (const part of wanted.toLowerCase().split(/\s+/).filter(Boolean)) {
    const found = scorePart(name, part)
    if (found === null) return null
    sum += found
  }
  // Of two that match alike the shorter one is meant.
  return sum - name.length / 1_000
}

const isStart = (name: string, at: number) =>
  at === 0 || /[/\s._-]/.test(name[at - 1] ?? '') || (/[a-z]/.test(name[at - 1] ?? '') && /[A-Z]/.test(name[at] ?? ''))

function scorePart(name: string, part: string): number | null {
  const lower = name.toLowerCase()
  const whole = lower.lastIndexOf(part)
  // What stands there as it was typed beats what is spread over the name.
  if (whole >= 0) return part.length * 4 + (isStart(name, whole) ? 4 : 0) + (whole > lower.lastIndexOf('/') ? 2 : 0)
  let at = -1
  let sum = 0
  for (const letter of part) {
    const next = lower.indexOf(letter, at + 1)
    if (next < 0) return null
    sum += 1 + (next === at + 1 ? 1 : 0) + (isStart(name, next) ? 1 : 0)
    at = next
  }
  return sum
}

/** The best first; those that match alike stay in their order. */
export function best<T>(items: readonly T[], nameOf: (item: T) => string, wanted: string, most: number): T[] {
  if (wanted.trim() === '') return items.slice(0, most)
  return items
    .map((item, at) => ({ item, at, score: score(nameOf(item), wanted) }))
    .filter((one): one is { item: T; at: number; score: number } => one.score !== null)
    .sort((a, b) => b.score - a.score || a.at - b.at)
    .slice(0, most)
    .map(({ item }) => item)
}
