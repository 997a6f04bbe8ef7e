import { expect, it } from 'vitest'
import { replaceAll } from '../app/replace.ts'

it('words are replaced letter for letter', () => {
  expect(replaceAll('Soup, soup and SOUP', 'soup', 'stew', false)).toEqual({ text: 'stew, stew and stew', times: 3 })
  expect(replaceAll('Soup, soup and SOUP', 'soup', 'stew', true)).toEqual({ text: 'Soup, stew and SOUP', times: 1 })
  expect(replaceAll('a.b a+b (a', 'a+b', '$&', false)).toEqual({ text: 'a.b $& (a', times: 1 })
  expect(replaceAll('x\\y [x] ^$', '[x]', '', false).text).toBe('x\\y  ^$')
  expect(replaceAll('aaa', 'aa', 'b', false)).toEqual({ text: 'ba', times: 1 })
  expect(replaceAll('👍🏽 ok', '👍', 'x', false).times).toBe(1)
  expect(replaceAll('text', '', 'x', false)).toEqual({ text: 'text', times: 0 })
})
