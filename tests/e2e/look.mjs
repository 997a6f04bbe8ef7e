// Looking at a page: waiting for what should be there, barriers for those who use it otherwise, and pictures for people.

import assert from 'node:assert/strict'
import { mkdir } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import axeCore from 'axe-core'

const OUT = fileURLToPath(new URL('out/', import.meta.url))
const PATIENCE = 60_000
const THEMES = ['light', 'dark']

export const row = (page, path) => page.locator(`[role=treeitem][data-path="${path}"]`)
/** The text in sight. */
export const TEXT = '[role=tabpanel]:not([inert]) .cm-content'
export const text = (page) => page.locator(TEXT)
/** The way back that the news with these words offers. */
export const undoOf = (page, words) => page.getByTestId('toast').filter({ hasText: words }).getByTestId('toast-undo')

/** Waits until this is true in the page. */
export async function until(page, what, argument, timeout = PATIENCE) {
  await page.waitForFunction(what, argument, { timeout })
}

/** Waits until `look` answers something true, and answers that; what it `saw` last is told when it never does. */
export async function eventually(what, look, patience = PATIENCE) {
  const deadline = Date.now() + patience
  let seen
  for (;;) {
    const found = await look((value) => (seen = value))
    if (found) return found
    if (Date.now() > deadline) throw new Error(`waited ${patience} ms in vain: ${what}; last seen: ${JSON.stringify(seen)}`)
    await new Promise((again) => setTimeout(again, 50))
  }
}

export const saved = (page) => until(page, () => document.querySelector('[data-testid=save-state]')?.textContent.trim() === 'Saved')

/** In the page: the text in sight, without other people's carets. */
export function shown() {
  const copy = document.querySelector('[role=tabpanel]:not([inert]) .cm-content')?.cloneNode(true)
  copy?.querySelectorAll('.caret, .cm-placeholder').forEach((one) => one.remove())
  return copy ? [...copy.querySelectorAll('.cm-line')].map((line) => line.textContent).join('\n') : null
}

/** Waits until the text in sight has these words. */
export const reads = (page, words) => eventually(`the words ${JSON.stringify(words)}`, async (saw) => {
  const now = await page.evaluate(shown)
  saw(now)
  return now?.includes(words)
})

/** Presses Tab until the focus is on what is wanted, as somebody without a mouse has to; Escape lets Tab out of a text. */
export async function tabTo(page, selector, { back = false, most = 40 } = {}) {
  for (let i = 0; i < most; i += 1) {
    if (await page.evaluate((wanted) => document.activeElement?.matches(wanted), selector)) return
    if (await page.evaluate(() => document.activeElement?.matches('[role=tabpanel] .cm-content'))) await page.keyboard.press('Escape')
    await page.keyboard.press(back ? 'Shift+Tab' : 'Tab')
  }
  assert.fail(`Tab does not lead to ${selector}, but to ${await page.evaluate(() => document.activeElement?.outerHTML.slice(0, 200))}`)
}
export const focused = (page, selector) => eventually(`the focus on ${selector}`, async (saw) => {
  const [is, what] = await page.evaluate((wanted) => [document.activeElement?.matches(wanted), document.activeElement?.outerHTML.slice(0, 200)], selector)
  saw(what)
  return is
})

/** No violation on what the page shows now, light and dark. */
export const axe = (page, screen) => inThemes(page, (theme) => check(page, screen, theme))

/** The same, and pictures in out/ for people to look at. */
export const inspect = (page, name) => inThemes(page, async (theme) => {
  await shot(page, `${name}-${theme}`)
  await check(page, name, theme)
})

export async function shot(page, name) {
  await mkdir(OUT, { recursive: true })
  await page.screenshot({ path: `${OUT}${name}.png` })
}

/** Does something in the theme that the page has, then in the other. */
async function inThemes(page, look) {
  const own = await page.evaluate(async () => {
    // What is still fading has the contrast of a ghost.
    await Promise.all(document.getAnimations().filter((one) => one.effect?.getComputedTiming().iterations !== Infinity).map((one) => one.finished.catch(() => undefined)))
    // A colour that is inherited would change in each element after the one around it.
    globalThis.still = new CSSStyleSheet()
    globalThis.still.replaceSync('*, *::before, *::after { transition: none !important }')
    document.adoptedStyleSheets.push(globalThis.still)
    return matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'
  })
  for (const theme of [own, ...THEMES.filter((one) => one !== own)]) {
    await page.emulateMedia({ colorScheme: theme })
    await look(theme)
  }
  await page.emulateMedia({ colorScheme: own })
  await page.evaluate(() => document.adoptedStyleSheets.splice(document.adoptedStyleSheets.indexOf(globalThis.still), 1))
}

async function check(page, screen, theme) {
  // The policy allows no script of another origin; the debugger may evaluate all the same.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axeCore.source)
  const violations = await page.evaluate(async () => {
    const found = await globalThis.axe.run(document, { resultTypes: ['violations'] })
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, any }) => `${html.slice(0, 200)} ${any.map(({ message }) => message).join('; ')}`).join(' | ')}`)
  })
  assert.deepEqual(violations, [], `${screen}, ${theme}`)
}
