// A person's colour on this theme. The server sends one strong hex for everybody's eyes; a label
// must be readable on light and on dark, so each theme gets a shade of it that is.

/** A person's colour, as shades that can be read on light and on dark. */
export interface Paint {
  /** Dark enough for white text (≥ 4.5 : 1). */
  light: string
  /** Bright enough for black text, and to stand out on dark paper (≥ 7 : 1). */
  dark: string
}

type Rgb = [number, number, number]

const WHITE: Rgb = [255, 255, 255]
const BLACK: Rgb = [0, 0, 0]
const FALLBACK = '#475467'
/** The server's own palette, with hand-picked shades for dark paper. */
const SHADES = [
  ['#b42318', '#f97066'], ['#b54708', '#fdb022'], ['#7a5c00', '#e4c441'], ['#3b7c0f', '#85cc3a'], ['#027a48', '#32d583'],
  ['#0e7090', '#22ccee'], ['#175cd3', '#53b1fd'], ['#5925dc', '#a48afb'], ['#9e1a7a', '#f670c7'], ['#475467', '#98a2b3'],
] as const
/** The colours that people have, unless somebody chose others for them. */
export const PALETTE: readonly string[] = SHADES.map(([light]) => light)
const known = new Map<string, Paint>(SHADES.map(([light, dark]) => [light, { light, dark }]))

/** The shades of a colour as the server tells it. */
export function paintOf(color: string): Paint {
  let paint = known.get(color)
  if (!paint) {
    const rgb = parseHex(color)
    if (!rgb) return paintOf(FALLBACK)
    paint = { light: toHex(shift(rgb, BLACK, WHITE, 4.5)), dark: toHex(shift(rgb, WHITE, BLACK, 7)) }
    known.set(color, paint)
  }
  return paint
}

/** For a style attribute; theme.css's `.painted` picks from it. */
export function paintStyle(color: string): string {
  const { light, dark } = paintOf(color)
  return `--who: light-dark(${light}, ${dark}); --on-who: light-dark(#fff, #000)`
}

/** The place in the palette of the colour that is nearest to one. */
export function nearestOf(color: string): number {
  const rgb = parseHex(color) ?? parseHex(FALLBACK) ?? BLACK
  const away = PALETTE.map((one) => (parseHex(one) ?? BLACK).reduce((sum, c, i) => sum + (c - (rgb[i] ?? 0)) ** 2, 0))
  return away.indexOf(Math.min(...away))
}

/** Moves `color` towards `end` until text of colour `text` can be read on it. */
function shift(color: Rgb, end: Rgb, text: Rgb, ratio: number): Rgb {
  for (let step = 0; step <= 20; step += 1) {
    const mixed = color.map((c, i) => Math.round(c + ((end[i] ?? 0) - c) * (step / 20))) as Rgb
    if (contrast(mixed, text) >= ratio) return mixed
  }
  return end
}

export function contrast(a: Rgb, b: Rgb): number {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x) as [number, number]
  return (high + 0.05) / (low + 0.05)
}

function luminance(rgb: Rgb): number {
  const [r, g, b] = rgb.map((c) => {
    const s = c / 255
    return s <= 0.04045 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4
  }) as Rgb
  return 0.2126 * r + 0.7152 * g + 0.0722 * b
}

export function parseHex(color: string): Rgb | null {
  const match = /^#([0-9a-f]{6})/i.exec(color)
  if (!match?.[1]) return null
  const n = parseInt(match[1], 16)
  return [n >> 16, (n >> 8) & 255, n & 255]
}

function toHex(rgb: Rgb): string {
  return `#${rgb.map((c) => c.toString(16).padStart(2, '0')).join('')}`
}
