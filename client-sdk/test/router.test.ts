import { describe, expect, it } from 'vitest'
import { parseRoute, toFile, toProject } from '../app/router.ts'

describe('parseRoute', () => {
  it.each([
    ['/', { screen: 'projects' }],
    ['', { screen: 'projects' }],
    ['/p/0190', { screen: 'project', project: '0190' }],
    ['/p/0190/', { screen: 'project', project: '0190' }],
    ['/p/0190/f/0191', { screen: 'file', project: '0190', file: '0191' }],
    ['/p/0190/r/0192', { screen: 'review', project: '0190', proposal: '0192' }],
    ['/p/0190/m/0193', { screen: 'message', project: '0190', message: '0193' }],
    ['/p/0190/b/ab12', { screen: 'picture', project: '0190', hash: 'ab12' }],
    ['/p/0190/r', { screen: 'lost' }],
    ['/join/t0ken', { screen: 'join', token: 't0ken', file: null }],
    ['/p', { screen: 'lost' }],
    ['/p/0190/f', { screen: 'lost' }],
    ['/p/0190/x/0191', { screen: 'lost' }],
    ['/p/0190/f/0191/more', { screen: 'lost' }],
    ['/join', { screen: 'lost' }],
    ['/settings', { screen: 'lost' }],
    ['/p/%E0%A4%A', { screen: 'lost' }],
  ])('%s', (path, expected) => {
    expect(parseRoute(path)).toEqual(expected)
  })

  it('takes the file of an invite from the fragment', () => {
    expect(parseRoute('/join/t', '#0191')).toEqual({ screen: 'join', token: 't', file: '0191' })
  })

  it('reads back what the link makers write', () => {
    expect(parseRoute(toProject('a/b c'))).toEqual({ screen: 'project', project: 'a/b c' })
    expect(parseRoute(toFile('a?', 'ü#'))).toEqual({ screen: 'file', project: 'a?', file: 'ü#' })
  })
})
