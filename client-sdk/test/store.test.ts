import { expect, it } from 'vitest'
import { createStore } from '../src/store.ts'

it('tells a follower the value at once and after each change', () => {
  const store = createStore(1)
  const seen: number[] = []
  const stop = store.subscribe((v) => seen.push(v))
  store.set(2)
  stop()
  store.set(3)
  expect(seen).toEqual([1, 2])
  expect(store.get()).toBe(3)
})

it('is silent when nothing changed', () => {
  const store = createStore({ n: 1 }, (a, b) => a.n === b.n)
  let calls = 0
  store.subscribe(() => (calls += 1))
  store.set({ n: 1 })
  expect(calls).toBe(1)
})

it('lets one function follow twice and stop once', () => {
  const store = createStore(0)
  let calls = 0
  const follower = () => void (calls += 1)
  const stop = store.subscribe(follower)
  store.subscribe(follower)
  stop()
  store.set(1)
  expect(calls).toBe(3)
})

it('does not call a follower that was stopped by another during the same change', () => {
  const store = createStore(0)
  const seen: string[] = []
  let stopSecond = () => {}
  store.subscribe((v) => {
    if (v === 1) stopSecond()
  })
  stopSecond = store.subscribe((v) => seen.push(`second ${v}`))
  store.set(1)
  expect(seen).toEqual(['second 0'])
})
