// Whatever people, projects, files, conversations and personas are called, and whatever people and models write: it is shown as
// it was written, and does nothing. All of it in every place where one reads something of somebody else's.

import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { request } from 'playwright-core'
import { startModel } from '../../../client-sdk/test/model.mjs'
import { eventually, focused, row, shot, TEXT, undoOf, until } from '../look.mjs'
import { startStage } from '../stage.mjs'

/** Each short enough to be a name. */
const CORPUS = [
  '<script>pwned()</script>', '<img src=x onerror="pwned()">', '<svg onload="pwned()">', '<svg><script>pwned()</script></svg>', '<svg><animate onbegin=pwned() attributeName=x>',
  '<iframe srcdoc="<script>parent.pwned()</script>"></iframe>', '<iframe src=javascript:parent.pwned()></iframe>', '<details open ontoggle=pwned()>',
  '<input autofocus onfocus=pwned()>', '<video><source onerror=pwned()></video>', '<body onload=pwned()>', '<style>*{display:none}</style>',
  '<link rel=stylesheet href=https://evil.example/a.css>', '<img src=https://evil.example/pixel.png>', '<meta http-equiv=refresh content="0;url=https://evil.example/">',
  '<base href=https://evil.example/>', '<form action=javascript:pwned()><button>f</button></form>', '"><img src=x onerror=pwned()>', '\' onmouseover=\'pwned()',
  '" autofocus onfocus="pwned()', '</title><script>pwned()</script>', '</textarea><img src=x onerror=pwned()>', '-->\'"<img src=x onerror=pwned()>',
  '<math><mtext><table><mglyph><style><img src=x onerror=pwned()>', '<noscript><p title="</noscript><img src=x onerror=pwned()>">',
  '<a href="javascript:pwned()">c</a>', 'javascript:pwned()', '[a](javascript:pwned())', '[b](  JaVaScRiPt:pwned())', '![x](https://evil.example/pixel.png)',
  '![x](javascript:pwned())', '[d](data:text/html,<script>pwned()</script>)', '[e](vbscript:pwned())', '[g](https://evil.example/" onclick="pwned())',
  '<b style="position:fixed;inset:0">h</b>', '`<img src=x onerror=pwned()>`', '@<img src=x onerror=pwned()>', '{{constructor.constructor("pwned()")()}}',
  '${pwned()}', '{@html "<img src=x onerror=pwned()>"}', '"];pwned();//', '__proto__', 'constructor',
]
/** What needs lines of its own. */
const LINES = ['```html"onmouseover="pwned()\n<img src=x onerror=pwned()>\n```', '| a |\n|---|\n| <img src=x onerror=pwned()> |', '<div\nonmouseover=pwned()\n>x', '[x]: javascript:pwned()\n\n[x]']
const ALL = [...CORPUS, ...LINES].join('\n\n')

const SVG = (n) => Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" onload="pwned()"><script>pwned()</script><text>${n}</text></svg>`)
/** The nearest that can be a path. */
const pathOf = (attack) => attack.replaceAll(/\/+/g, '/').replaceAll(/^\/|\/$/g, '')
/** Folders in folders, as long as a path may be. */
const CHAINS = CORPUS.map((attack) => attack.replaceAll('/', '⁄')).reduce((all, name) => {
  const last = `${all.at(-1)}/${name}`
  return all.length > 0 && Buffer.byteLength(last) < 240 ? [...all.slice(0, -1), last] : [...all, name]
}, []).map((folders) => `chains/${folders}.md`)

const model = await startModel()
after(model.stop)
const MANY = '100000/100000'
const stage = await startStage({ AI_BASE_URL: model.url, AI_MODEL: 'small-model', AI_RUNS_PER_MINUTE: '100', COTERIE_USER_RATE: MANY, COTERIE_PROJECT_RATE: MANY })

/** Hears of everything in a browser that runs or is asked for elsewhere. */
async function watch(context) {
  const heard = { executions: [], elsewhere: [] }
  await context.exposeBinding('pwned', ({ frame }) => void heard.executions.push(frame.url()))
  context.on('request', (asked) => {
    const { protocol, origin } = new URL(asked.url())
    if (/^(http|ws)s?:$/.test(protocol) && origin.replace('ws', 'http') !== stage.url) heard.elsewhere.push(asked.url())
  })
  return heard
}

/** Waits until all of these can be read on the page, as they were written. */
const reads = (page, what, wanted) => eventually(what, async (saw) => {
  const missing = await page.evaluate((all) => {
    const fields = [...document.querySelectorAll('input, textarea')].map((field) => field.value)
    const titles = [...document.querySelectorAll('[title], [aria-label]')].flatMap((one) => [one.title, one.ariaLabel])
    const said = [document.body.textContent, ...fields, ...titles].join('\n')
    return all.filter((one) => !said.includes(one))
  }, wanted)
  saw(missing)
  return missing.length === 0
})

/** Somebody without a page, who has been invited. */
async function guest(t, name, token) {
  const context = await request.newContext({ baseURL: stage.url })
  t.after(() => context.dispose())
  const ask = async (path, how = {}) => {
    const answer = await context.fetch(path, { method: how.data === undefined ? 'GET' : 'POST', ...how })
    if (!answer.ok()) throw new Error(`${path}: ${answer.status()} ${await answer.text()}`)
    return answer.status() === 204 ? null : answer.json()
  }
  const { id } = await ask('/auth/guest', { data: { name } })
  await ask(`/api/invites/${token}/accept`, { data: {} })
  return { id, ask }
}

test('the corpus bites where nothing holds it', async (t) => {
  const { page, context } = await stage.person(t, { expected: [/./] })
  const heard = await watch(context)
  await page.setContent(CORPUS.map((attack) => `<iframe srcdoc="${attack.replaceAll('&', '&amp;').replaceAll('"', '&quot;')}"></iframe>`).join('\n'))
  await eventually('scripts run', (saw) => saw(heard.executions.length) ?? heard.executions.length >= 12)
  await eventually('others are asked', (saw) => saw(heard.elsewhere) ?? heard.elsewhere.length >= 3)
})

test('nothing that anybody is called or writes does anything in the pages of others', async (t) => {
  const ann = await stage.person(t, { name: CORPUS[1], viewport: { width: 1280, height: 4_000 }, expected: [/status of 404/, /Blocked script execution in '\S+\/blobs\//] })
  const { page, ask, at } = ann
  const heard = await watch(ann.context)

  // Everything, through the API.
  const { id: project } = await ask('/api/projects', { name: CORPUS[1], description: ALL.slice(0, 2_000) })
  const home = `/api/projects/${project}`
  for (const name of CORPUS) await ask('/api/projects', { name, description: name })
  for (const name of CORPUS) await ask('/api/keys', { name })
  const create = (path, content) => ({ op: 'create', path, content })
  const personas = CORPUS.slice(0, 12).map((name, n) => create(`.coterie/personas/evil${n}.md`, `---\nname: ${name}\nabout: ${name}\n---\nAnswer.\n`))
  const files = CORPUS.map((attack) => create(`files/${pathOf(attack)}`, `${attack}\n`))
  const { token } = await ask(`${home}/invites`, { role: 'editor' })
  await ask(`${home}/changes`, { operations: [create('all.md', `# Everything\n\n${ALL}\n\ncalm\n`), ...personas, ...files, ...CHAINS.map((path) => create(path, ALL))] })
  const documents = (await ask(`${home}/documents?limit=200`)).items
  const document = documents.find(({ path }) => path === 'all.md').id
  const first = await ask(`${home}/proposals`, { summary: CORPUS[0], rationale: ALL, files: [{ op: 'edit', document: 'all.md', text: `${ALL}\n<img src=x onerror=pwned()>\n` }, ...CHAINS.map((path) => create(`new-${path}`, ALL))] })
  for (const title of CORPUS) await ask(`${home}/conversations`, { title })
  await ask(`${home}/conversations/import`, { title: 'From elsewhere', messages: CORPUS.map((name) => ({ author: { name }, body: name })) })
  const guests = []
  for (const [n, name] of CORPUS.entries()) {
    const one = await guest(t, name, token)
    const propose = { summary: name, rationale: name, files: [create(`proposed-${n}/${pathOf(name)}`, name)] }
    const made = await one.ask(`${home}/proposals`, { data: propose })
    await one.ask(`${home}/proposals/${first.id}/vote`, { data: { value: n % 2 === 0 ? 1 : -1 } })
    if (n >= CORPUS.length / 2) await ask(`${home}/proposals/${made.id}/reject`, { reason: ALL })
    await one.ask(`${home}/messages`, { data: { body: name, attachments: [{ kind: 'file', document_id: documents[n].id }] } })
    await one.ask(`${home}/blobs?name=${encodeURIComponent(`${name.replaceAll('/', '⁄')}.svg`)}`, { method: 'PUT', data: SVG(n), headers: { 'content-type': 'application/octet-stream' } })
    guests.push({ ...one, token: (await one.ask(`${home}/tokens`, { data: {} })).token })
  }

  // They are here, each with a connection, and look at the first proposal.
  // Two copies of Yjs are in the page of the crowd: the studio's, and the package's.
  const crowd = await stage.person(t, { expected: [/Yjs was already imported/] })
  await crowd.page.goto('/')
  await crowd.page.evaluate(async ([id, tokens, file, proposal]) => {
    const { createClient } = await import('/sdk/v1/index.js')
    globalThis.everybody = await Promise.all(tokens.map(async (secret) => {
      const client = createClient({ url: location.origin, token: secret, persist: false })
      await client.me()
      const joined = await client.open(id)
      joined.presence.update({ file, review: { proposal, hunk: 1 } })
      return joined
    }))
  }, [project, guests.map(({ token: secret }) => secret), document, first.id])

  await t.test('the list of projects', async () => {
    await page.goto('/')
    await reads(page, 'the projects', CORPUS)
    await shot(page, 'hostile-projects')
  })

  await t.test('files, tabs, dialogs, notices, and who is where', async () => {
    await page.goto(`/p/${project}/f/${document}`)
    await row(page, 'all.md').waitFor()
    const paths = [...CORPUS.map((attack) => `files/${pathOf(attack)}`), ...CHAINS]
    await eventually('the files', async (saw) => {
      const there = await page.locator('[role=treeitem]').evaluateAll((all) => all.map((one) => one.dataset.path))
      const missing = paths.filter((path) => !there.includes(path))
      saw(missing)
      return missing.length === 0
    })
    await page.locator('.cm-content').getByText('<script>pwned()</script>', { exact: true }).waitFor()
    await at('people').getByRole('button').first().click()
    await reads(page, 'the people', CORPUS)
    await page.keyboard.press('Escape')
    for (const path of CHAINS) {
      const item = page.locator('[role=treeitem]').and(page.locator(`[data-path=${JSON.stringify(path)}]`))
      await item.click()
      await until(page, (wanted) => document.title.includes(wanted.replaceAll(/\s+/g, ' ')) && document.querySelector('[role=tab][aria-selected=true]') !== null, path)
      // The text that was opened takes the focus once it is there, and the keys with it.
      await focused(page, TEXT)
      await item.focus()
      await page.keyboard.press('F2')
      await focused(page, '#rename-path')
      assert.equal(await page.locator('#rename-path').inputValue(), path)
      await page.keyboard.press('Escape')
      await item.focus()
      await page.keyboard.press('Delete')
      await item.waitFor({ state: 'detached' })
      await undoOf(page, `Deleted ${path.split('/').at(-1)}`).click()
      await item.waitFor()
    }
    await shot(page, 'hostile-files')
    for (const attack of CORPUS) {
      await at('file-filter').fill(attack)
      await until(page, () => document.querySelector('[role=treeitem]') !== null || document.body.textContent.includes('in its path'))
    }
    await at('file-filter').fill('')
    await page.keyboard.press('Control+p')
    await focused(page, '[data-testid=palette]')
    await page.keyboard.type('pwned')
    await page.getByRole('option').first().waitFor()
    await page.keyboard.press('Escape')
  })

  await t.test('proposals, votes, and reasons', async () => {
    await page.goto(`/p/${project}/r/${first.id}`)
    await at('review').waitFor()
    await page.setViewportSize({ width: 1280, height: 900 })
    await reads(page, 'those that wait, and their files', [...CORPUS.slice(0, CORPUS.length / 2), ...CHAINS])
    await reads(page, 'why', CORPUS)
    await reads(page, 'who voted, and who looks', CORPUS)
    await page.locator('#hunk-1').click({ position: { x: 5, y: 5 } })
    await page.getByRole('button', { name: 'Show what was decided' }).click()
    await reads(page, 'those that were decided', CORPUS)
    await page.getByTestId('proposal-link').last().click()
    await reads(page, 'why it was rejected', CORPUS)
    await shot(page, 'hostile-review')
  })

  // What they look at was seen; what follows needs nobody to be there.
  await crowd.context.close()

  await t.test('what a search finds', async () => {
    await page.goto(`/p/${project}/f/${document}`)
    await row(page, 'all.md').waitFor()
    await page.keyboard.press('Control+Shift+F')
    for (const words of ['<', 'pwned', ...CORPUS.slice(0, 3)]) {
      await at('search-words').fill(words)
      await until(page, (asked) => document.querySelector('[data-testid=search-line]')?.textContent.includes(asked), words)
    }
    await at('search-words').fill('<')
    await reads(page, 'lines', CORPUS.filter((attack) => attack.includes('<')))
    await at('search-words').fill('nobody wrote <img src=x onerror=pwned()>')
    await page.getByText('Nothing found').waitFor()
    await at('search-words').press('Escape')
  })

  await t.test('the chat: people, conversations, attachments, and what the assistant says', async () => {
    await at('chat-open').click()
    await reads(page, 'who wrote', CORPUS)
    await at('chat-text').pressSequentially('@')
    await at('mentions').waitFor()
    await at('chat-text').fill('')
    await guests[5].ask(`${home}/typing`, { data: {} })
    await until(page, (name) => document.querySelector('[data-testid=typing]').textContent.includes(name), CORPUS[5])
    const conversations = await at('conversations').locator('option').allTextContents()
    assert.deepEqual(CORPUS.filter((title) => !conversations.some((one) => one.includes(title))), [])
    await at('conversations').selectOption({ label: conversations.find((one) => one.startsWith('From elsewhere')) })
    await reads(page, 'who is said to have written', CORPUS)
    await at('conversations').selectOption(project)
    const ends = (state, words) => until(page, ([how, said]) => {
      const last = [...document.querySelectorAll('[data-testid=message]')].at(-1)
      return last?.dataset.state === how && last.textContent.includes(said)
    }, [state, words])
    // A persona by each name answers with everything, a few letters at a time.
    for (const n of [1]) {
      model.answer(`${ALL}\n\nSee [our page](https://example.org/page). The end of ${n}`)
      await at('chat-text').fill(`@evil${n} say it:\n\n${ALL}`)
      await at('chat-text').press('Enter')
      await ends('done', `The end of ${n}`)
    }
    model.call('propose_edits', { summary: CORPUS[1], rationale: ALL, confidence: 50, risk: 'high', files: [{ op: 'create', path: `ai/${CHAINS[0]}`, content: ALL }] })
    model.answer(CORPUS[1])
    await at('chat-text').fill(`@evil2 propose ${CORPUS[2]}`)
    await at('chat-text').press('Enter')
    await until(page, () => [...document.querySelectorAll('[data-testid=answer-proposal]')].at(-1)?.textContent.includes('onerror'))
    model.refuse(400, { message: ALL })
    await at('chat-text').fill('@assistant fail')
    await at('chat-text').press('Enter')
    await ends('failed', 'No answer.')
    const found = await page.evaluate(() => {
      const bodies = [...document.querySelectorAll('[data-testid=message-body]')]
      const all = bodies.flatMap((body) => [...body.querySelectorAll('*')])
      for (const one of all) one.dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))
      const links = all.filter((one) => one.localName === 'a')
      return {
        names: [...new Set(all.map((one) => one.localName))].filter((name) => /^(script|img|svg|iframe|style|form|input|math|object|embed|details|noscript|animate|link|meta|base|video)$/.test(name)),
        handlers: all.flatMap((one) => [...one.attributes].map(({ name }) => name)).filter((name) => /^(on|style|src|srcdoc|action|formaction)/.test(name)),
        links: [...new Set(links.map((one) => new URL(one.href).protocol))],
        rel: links.length > 0 && links.every((one) => one.rel.includes('noopener') && (one.target === '_blank' || one.origin === location.origin)),
        hosts: bodies.some((body) => body.textContent.includes('our page (example.org)')),
      }
    })
    assert.deepEqual(found, { names: [], handlers: [], links: ['https:'], rel: true, hosts: true })
    for (const link of await page.locator('[data-testid=message-body] a').all()) await link.dispatchEvent('mousedown')
    await shot(page, 'hostile-chat')
    await at('chat-more').click()
    await page.getByRole('button', { name: 'Search in the chat' }).click()
    await page.keyboard.type('pwned')
    await at('chat-found').getByRole('button').first().waitFor()
    await at('chat-search').press('Escape')
    await at('chat-close').click()
  })

  await t.test('members, pictures, and what the assistant took', async () => {
    await page.goto(`/p/${project}/settings`)
    await page.getByRole('heading', { name: 'Members', exact: true }).waitFor()
    // Lists come in parts.
    await eventually('all of them', async () => {
      const more = page.getByRole('button', { name: 'Show more' })
      if ((await more.count()) > 0) await more.first().click()
      return (await at('member-role').count()) === CORPUS.length && (await more.count()) === 0
    })
    await reads(page, 'members', CORPUS)
    await reads(page, 'pictures', CORPUS.map((name) => name.replaceAll('/', '⁄')))
    await at('member-remove').first().click()
    await page.getByRole('dialog').getByRole('heading').waitFor()
    await page.keyboard.press('Escape')
    await shot(page, 'hostile-settings')
  })

  await t.test('keys, and projects that were deleted', async () => {
    const { items } = await ask('/api/projects?limit=100')
    for (const { id } of items) if (id !== project) await ask(`/api/projects/${id}`, undefined, 'DELETE')
    await page.goto('/me')
    await reads(page, 'keys and projects', CORPUS)
  })

  await t.test('the preview of Markdown', async () => {
    // While it is made harmless, in a document that runs nothing, the browser tells what the policy would refuse.
    const reader = await stage.person(t, { name: 'Reader', expected: [/./] })
    const inPreview = await watch(reader.context)
    await reader.ask(`/api/invites/${token}/accept`, {})
    await reader.page.goto(`/p/${project}/f/${document}`)
    await reader.at('preview-open').click()
    await reader.at('preview-frame').contentFrame().getByRole('heading', { name: 'Everything' }).waitFor()
    await shot(reader.page, 'hostile-preview')
    assert.deepEqual(inPreview, { executions: [], elsewhere: [] })
  })

  await t.test('addresses, and what is served as it is', async () => {
    for (const attack of CORPUS.slice(0, 6)) {
      for (const where of [`/p/${encodeURIComponent(attack)}`, `/join/${encodeURIComponent(attack)}`, `/${encodeURIComponent(attack)}/a`, `/?${attack}#${attack}`]) {
        await page.goto(where)
        await page.getByRole('heading').filter({ visible: true }).first().waitFor()
      }
    }
    const { items: pictures } = await ask(`${home}/blobs`)
    const html = documents.find(({ path }) => path.startsWith('chains/<script>')).id
    for (const where of [`${home}/blobs/${pictures[0].hash ?? pictures[0].sha256}`, `${home}/documents/${html}/text`, `${home}/messages/export?format=md`, `${home}/documents/${html}/roots/content`, `${home}`, `/sdk/v1/<script>pwned()</script>`]) {
      // What is to be saved is not shown.
      await page.goto(where).catch((error) => assert.match(error.message, /Download is starting|ERR_ABORTED/))
    }
  })

  assert.deepEqual(heard, { executions: [], elsewhere: [] })
})
