import { expect, it } from 'vitest'
import { contrast, paintOf, paintStyle, parseHex } from '../src/paint.ts'

const colors = ['#b42318', '#b54708', '#7a5c00', '#3b7c0f', '#027a48', '#0e7090', '#175cd3', '#5925dc', '#9e1a7a', '#475467',
  '#ffffff', '#000000', '#ffff00', '#30bced', '#808080']

it.each(colors)('%s can be read as a label on both themes', (color) => {
  const { light, dark } = paintOf(color)
  expect(contrast(parseHex(light)!, [255, 255, 255])).toBeGreaterThanOrEqual(4.5)
  expect(contrast(parseHex(dark)!, [0, 0, 0])).toBeGreaterThanOrEqual(7)
})

it('lets nothing but a colour into a style', () => {
  expect(paintStyle('red; background: url(//x)')).toBe(paintStyle('#475467'))
})
