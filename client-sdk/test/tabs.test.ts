import { expect, it } from 'vitest'
import { MOST_TABS, withoutTab, withTab, type Tabs } from '../app/tabs.ts'

const tabs: Tabs = { ids: ['a', 'b', 'c'], last: 'b' }

it('opens beside the tab that was looked at, and goes to one that is there', () => {
  expect(withTab(tabs, 'x')).toEqual({ ids: ['a', 'b', 'x', 'c'], last: 'x' })
  expect(withTab(tabs, 'c')).toEqual({ ids: ['a', 'b', 'c'], last: 'c' })
  expect(withTab(tabs, 'b')).toBe(tabs)
  expect(withTab({ ids: [], last: null }, 'x')).toEqual({ ids: ['x'], last: 'x' })
})

it('looks at the neighbour of a closed tab', () => {
  expect(withoutTab(tabs, 'b')).toEqual({ ids: ['a', 'c'], last: 'c' })
  expect(withoutTab({ ids: ['a', 'b'], last: 'b' }, 'b')).toEqual({ ids: ['a'], last: 'a' })
  expect(withoutTab({ ids: ['a'], last: 'a' }, 'a')).toEqual({ ids: [], last: null })
  expect(withoutTab(tabs, 'a')).toEqual({ ids: ['b', 'c'], last: 'b' })
  expect(withoutTab(tabs, 'unknown')).toBe(tabs)
})

it('holds a bounded number', () => {
  let many: Tabs = { ids: [], last: null }
  for (let i = 0; i < MOST_TABS + 5; i += 1) many = withTab(many, `f${i}`)
  expect(many.ids).toHaveLength(MOST_TABS)
  expect(many.ids).toContain(many.last)
})
