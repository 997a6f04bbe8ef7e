// The chat beside the text: people talk, the assistant answers for all to see, and what it proposes is reviewed. With a model
// that the test speaks for.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { axe, inspect, reads, row, shot, until } from '../look.mjs'
import { PHONE, startStage } from '../stage.mjs'

const FILES = { 'src/main.rs': 'fn main() {\n    println!("hello");\n}\n', 'notes.md': '# Notes\n' }

const model = await startModel()
after(model.stop)
const stage = await startStage({ AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_PRICES: '2/10', AI_RUNS_PER_MINUTE: '100' })

const last = (page) => page.getByTestId('message').last()
/** Waits until the latest message holds these words and has come so far. */
const says = (page, words, state = 'done') => until(page, ([wanted, how]) => {
  const message = [...document.querySelectorAll('[data-testid=message]')].at(-1)
  return message?.dataset.state === how && message.textContent.includes(wanted)
}, [words, state])

async function send(page, words) {
  await page.getByTestId('chat-text').fill(words)
  await page.getByTestId('chat-text').press('Enter')
  await until(page, () => document.querySelector('[data-testid=chat-text]').value === '')
}

test('two people ask the assistant, stop it, and accept what it proposes', async (t) => {
  const [{ page: ann }, { page: bob }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann' }, { name: 'Bob', colorScheme: 'dark' })
  await row(bob, 'src/main.rs').click()
  await row(ann, 'src/main.rs').click()
  await reads(ann, 'hello')

  await ann.getByTestId('chat-open').click()
  await ann.getByTestId('chat-welcome').waitFor()
  await until(ann, () => document.activeElement?.dataset.testid === 'chat-text')
  await inspect(ann, 'chat-empty')

  // Bob has it closed and sees that there is something to read.
  await send(ann, 'Good morning, **Bob**. Shall we make it politer?')
  await until(bob, () => document.querySelector('[data-testid=chat-unread]')?.textContent.startsWith('1'))
  await bob.getByTestId('chat-open').click()
  await says(bob, 'Good morning, Bob')
  await until(bob, () => document.querySelector('[data-testid=chat-unread]') === null)
  await bob.getByTestId('chat-text').pressSequentially('Gladly')
  await until(ann, () => document.querySelector('[data-testid=typing]').textContent === 'Bob is writing…')
  await bob.keyboard.press('Shift+Enter')
  await bob.keyboard.type('I ask the assistant.')
  await bob.keyboard.press('Enter')
  await says(ann, 'I ask the assistant.')

  // Both see an answer grow; a mention is completed.
  const fed = model.feed()
  await ann.getByTestId('chat-text').pressSequentially('@ass')
  await ann.getByTestId('mentions').waitFor()
  await shot(ann, 'chat-mention')
  await ann.keyboard.press('Enter')
  await ann.keyboard.type('what does this do?')
  await ann.getByTestId('chat-attach').click()
  await ann.keyboard.press('Enter')
  await fed.say('It says **hello**. To say more:\n\n')
  await fed.say('```rust\nprintln!("good morning");\n')
  for (const page of [ann, bob]) await says(page, 'good morning', 'streaming')
  await ann.getByTestId('answer-status').waitFor()
  await inspect(bob, 'chat-streaming')
  await fed.say('```\n')
  await fed.end()
  for (const page of [ann, bob]) await says(page, 'good morning')
  await last(ann).getByTestId('answer-account').locator('summary').click()
  await last(ann).getByText('small-model · 730 tokens · $0.0017').waitFor()
  await last(ann).getByText(/^src\/main\.rs.*tokens/).waitFor()
  await inspect(ann, 'chat-answered')

  // Bob stops one that Ann asked for; what it said stays, and Ann has it given again.
  const endless = model.feed()
  await send(ann, '@assistant count to a million')
  await endless.say('1, 2, 3, ')
  await says(bob, '1, 2, 3, ', 'streaming')
  await bob.getByTestId('answer-stop').click()
  await endless.left
  await says(ann, 'Stopped. What was written until then stays.', 'stopped')
  assert.match(await last(ann).innerText(), /1, 2, 3,/)
  model.refuse(401, { message: 'Incorrect API key' })
  await last(ann).getByTestId('answer-retry').click()
  await says(bob, 'No answer.', 'failed')
  await inspect(ann, 'chat-failed')

  // What it proposes is a way into the review.
  model.call('propose_edits', {
    summary: 'Say good morning', rationale: 'It is politer.', confidence: 90, risk: 'low',
    files: [{ op: 'edit', path: 'src/main.rs', edits: [{ find: 'println!("hello");', replace: 'println!("good morning");' }] }],
  })
  model.answer('I propose to say good morning instead.')
  await send(ann, '@coder make it say good morning')
  await says(bob, 'Say good morning')
  await says(bob, 'Coder')
  await shot(bob, 'chat-proposal')
  await bob.getByTestId('answer-proposal').click()
  await bob.getByTestId('review').waitFor()
  await inspect(bob, 'chat-review')
  await bob.getByTestId('hunk-accept').click()
  await until(bob, () => document.querySelector('[data-testid=review-state]')?.textContent === 'Accepted')
  await reads(ann, 'println!("good morning");')
  await until(ann, () => document.querySelector('[data-testid=answer-proposal]')?.textContent.includes('Accepted'))

  // Edited and deleted, by keyboard alone.
  await send(bob, 'Tahnks')
  await last(bob).getByTestId('message-more').focus()
  await bob.keyboard.press('Enter')
  await bob.keyboard.press('ArrowDown')
  await bob.keyboard.press('ArrowDown')
  await bob.keyboard.press('Enter')
  await until(bob, () => document.querySelector('[data-testid=chat-text]').value === 'Tahnks')
  await bob.getByTestId('chat-text').fill('Thanks')
  await bob.keyboard.press('Enter')
  await says(ann, 'Thanks')
  await last(bob).getByTestId('message-more').click()
  await bob.getByRole('button', { name: 'Delete', exact: true }).click()
  await bob.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await says(ann, 'This message was deleted.')

  // Closed, the keyboard is where it was opened from; open, it is open again after a reload and takes no focus.
  await bob.getByTestId('chat-close').click()
  await until(bob, () => document.activeElement?.id === 'chat-open')
  await ann.reload()
  await says(ann, 'This message was deleted.')
  assert.notEqual(await ann.evaluate(() => document.activeElement?.dataset.testid), 'chat-text')
})

const ATTACKS = [
  '<script>pwned()</script>', '<img src=x onerror="pwned()">', '<svg onload="pwned()"><script>pwned()</script></svg>', '<svg><animate onbegin=pwned() attributeName=x>',
  '[a](javascript:pwned())', '[b](  JaVaScRiPt:pwned())', '<a href="javascript:pwned()">c</a>', '[d](data:text/html,<script>pwned()</script>)', '[e](vbscript:pwned())',
  '![x](https://evil.example/pixel.png)', '![x](javascript:pwned())', '<iframe srcdoc="<script>parent.pwned()</script>"></iframe>', '<style>*{display:none}</style>',
  '<math><mtext><table><mglyph><style><img src=x onerror=pwned()>', '<details open ontoggle=pwned()>', '<form action=javascript:pwned()><button>f</button></form>',
  '```html"onmouseover="pwned()\n<img src=x onerror=pwned()>\n```', '[g](https://evil.example/" onclick="pwned())', '<b style="position:fixed;inset:0">h</b>',
  '`<img src=x onerror=pwned()>`', '@<img src=x onerror=pwned()>', '| a |\n|---|\n| <img src=x onerror=pwned()> |', '<noscript><p title="</noscript><img src=x onerror=pwned()>">',
]

test('what people and models write does nothing in the page of those who read it', async (t) => {
  const owner = await stage.person(t, { name: 'Ann' })
  const ann = owner.page
  const elsewhere = []
  ann.on('request', (request) => new URL(request.url()).origin !== stage.url && !request.url().startsWith('data:') && elsewhere.push(request.url()))
  await ann.addInitScript(() => {
    window.executions = 0
    window.pwned = () => (window.executions += 1)
  })
  await owner.begin('Greetings', FILES)
  await ann.getByTestId('chat-open').click()
  await ann.getByTestId('chat-welcome').waitFor()
  for (const attack of ATTACKS.slice(0, 3)) {
    // Told in the feed, as others hear it.
    model.answer(attack)
    await send(ann, attack)
    await until(ann, () => [...document.querySelectorAll('[data-testid=message]')].at(-1)?.dataset.state === 'done'
      && [...document.querySelectorAll('[data-testid=message]')].at(-1).textContent.includes('assistant'))
  }
  model.answer(ATTACKS.join('\n\n'))
  await send(ann, `All of it:\n\n${ATTACKS.join('\n\n')}\n\nSee [our page](https://example.org/page).`)
  await until(ann, () => document.querySelectorAll('[data-testid=message]').length === 8)
  await says(ann, 'pwned')
  const found = await ann.evaluate(() => {
    const bodies = [...document.querySelectorAll('[data-testid=message-body]')]
    const all = bodies.flatMap((body) => [...body.querySelectorAll('*')])
    for (const one of all) one.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))
    return {
      names: [...new Set(all.map((one) => one.localName))].filter((name) => /^(script|img|svg|iframe|style|form|input|math|object|embed|details|noscript|animate)$/.test(name)),
      handlers: all.flatMap((one) => [...one.attributes].map(({ name }) => name)).filter((name) => /^(on|style|src|srcdoc|action|formaction)/.test(name)),
      links: [...new Set(all.filter((one) => one.localName === 'a').map((one) => new URL(one.href).protocol))],
      rel: all.filter((one) => one.localName === 'a').every((one) => one.rel.includes('noopener') && one.target === '_blank'),
      hosts: bodies.some((body) => body.textContent.includes('our page (example.org)')),
    }
  })
  assert.deepEqual(found, { names: [], handlers: [], links: ['https:'], rel: true, hosts: true })
  for (const link of await ann.locator('[data-testid=message-body] a').all()) await link.dispatchEvent('mousedown')
  await shot(ann, 'chat-hostile')
  await ann.reload()
  await ann.getByTestId('message').last().waitFor()
  assert.equal(await ann.evaluate(() => window.executions), 0)
  assert.deepEqual(elsewhere, [])
})

test('the chat on a phone, and how to connect a model', async (t) => {
  const alone = await startStage({}, t)
  const [{ page: ann, ask, project }] = await alone.meet(t, 'Greetings', FILES, { name: 'Ann', ...PHONE })
  await ann.getByTestId('foot-chat').tap()
  await ann.getByTestId('chat-no-model').waitFor()
  await inspect(ann, 'phone-chat-empty')
  await send(ann, '@assistant are you there? See `a_very_long_name_that_does_not_end_where_a_phone_ends_and_goes_on_and_on`.')
  await says(ann, 'AI_BASE_URL', 'failed')
  for (let n = 1; n <= 70; n += 1) {
    const body = n % 9 === 0 ? '| one | two | three | four |\n|---|---|---|---|\n| something long | and more | and more of it | still more |' : `message ${n}`
    await ask(`/api/projects/${project()}/messages`, { body })
  }
  await says(ann, 'message 70')
  const wide = await ann.evaluate(() => document.documentElement.scrollWidth - innerWidth)
  assert.ok(wide <= 0, `${wide} px too wide`)
  await inspect(ann, 'phone-chat')
  // A reload reads the latest; the rest comes as one scrolls, and what one reads stays where it is.
  await ann.reload()
  await ann.getByTestId('foot-chat').tap()
  await says(ann, 'message 70')
  await until(ann, () => document.querySelectorAll('[data-testid=message]').length === 50)
  await ann.getByTestId('chat-log').evaluate((log) => (log.scrollTop = 60))
  await until(ann, () => document.querySelectorAll('[data-testid=message]').length === 72)
  await until(ann, () => document.querySelector('[data-testid=chat-log]').scrollTop > 400)
  await ann.getByTestId('chat-fresh').tap()
  await until(ann, () => document.querySelector('[data-testid=chat-fresh]') === null)
  // What was begun is there after a reload.
  await ann.getByTestId('chat-text').fill('to be continued')
  await ann.reload()
  await ann.getByTestId('foot-chat').tap()
  await until(ann, () => document.querySelector('[data-testid=chat-text]')?.value === 'to be continued')
})

test('another conversation, in a narrower window, of which a reader sees all and writes nothing', async (t) => {
  const narrow = { viewport: { width: 900, height: 700 } }
  const [{ page: ann }, { page: vic }] = await stage.meet(t, 'Greetings', FILES, { name: 'Ann', ...narrow }, { name: 'Vic', role: 'viewer', ...narrow })
  for (const page of [ann, vic]) await page.getByTestId('chat-open').click()
  await vic.getByText('You may read here.').waitFor()
  assert.equal(await vic.getByTestId('chat-text').count(), 0)
  await send(ann, 'What is said to everybody')
  await says(vic, 'What is said to everybody')
  await ann.getByTestId('chat-more').click()
  await ann.getByRole('button', { name: 'New conversation' }).click()
  await ann.getByLabel('What is it about?').fill('The release')
  await ann.keyboard.press('Enter')
  await ann.getByTestId('chat-welcome').waitFor()
  await ann.getByTestId('chat-more').click()
  await ann.getByRole('button', { name: 'Answers everything' }).click()
  model.answer('On Friday.')
  await send(ann, 'When?')
  await says(ann, 'On Friday.')
  await says(vic, 'What is said to everybody')
  await until(vic, () => document.querySelector('[data-testid=conversations]')?.textContent.includes('The release (2 new)'))
  await vic.getByTestId('conversations').selectOption({ label: 'The release (2 new)' })
  await says(vic, 'On Friday.')
  assert.equal(await vic.getByTestId('answer-stop').count() + (await vic.getByTestId('answer-retry').count()), 0)
  await inspect(ann, 'chat-narrow')
  await inspect(vic, 'chat-reader')
})
