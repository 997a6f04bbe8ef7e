// Processes that a file's tests hand on to each other: to start one takes longer than most tests use it. A test has it to itself.

import { after } from 'node:test'

/** Of one sort each, by a name. `end` ends one; those left over end with the file. */
export function openPool(end) {
  const idle = new Map()
  after(() => Promise.all([...idle.values()].flat().map(end)))
  return {
    take: (sort) => idle.get(sort)?.pop(),
    leave: (sort, one) => void idle.set(sort, [...(idle.get(sort) ?? []), one]),
  }
}
