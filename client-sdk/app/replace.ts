// Words put in the place of others, in a whole text.

export interface Replaced {
  text: string
  times: number
}

/** As the search finds them: letter for letter, with or without regard to capitals; never as a pattern. */
export function replaceAll(text: string, words: string, by: string, matchCase: boolean): Replaced {
  if (words === '') return { text, times: 0 }
  const pattern = new RegExp(words.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'), matchCase ? 'gu' : 'giu')
  let times = 0
  return { text: text.replace(pattern, () => ((times += 1), by)), times }
}
