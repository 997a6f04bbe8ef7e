// Moments as people read them, in their own language.

const day = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium' })
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' })

export const dayOf = (time: string): string => day.format(new Date(time))
export const momentOf = (time: string): string => moment.format(new Date(time))

const DAY = 24 * 3600

/** For how long something may last: words and seconds; null is for ever. */
export const LASTING: readonly [words: string, seconds: number | null][] = [
  ['1 day', DAY], ['7 days', 7 * DAY], ['30 days', 30 * DAY], ['1 year', 365 * DAY], ['no end', null],
]
