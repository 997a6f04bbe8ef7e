// Projects that begin with files, pages that are tried beside their text, and the first visitor of a server.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { createServer } from 'node:http'
import { test } from 'node:test'
import { eventually, inspect, reads, row, saved, text } from '../look.mjs'
import { DESK, PHONE, startStage } from '../stage.mjs'

const stage = await startStage()

/** What pages in the preview say in the browser's own console, and what it says of what they may not. */
const LOUD = [/preview|blob:|on purpose|no such file|imports|Refused|CSP|Content.Security.Policy|sandbox/i]

/** What is shown in the preview of a page. */
const inside = (page) => page.getByTestId('preview-frame').contentFrame()

for (const [look, options] of [['desk', DESK], ['phone', PHONE]]) {
  test(`a project begins as a web page that is seen as it is typed, ${look}`, async (t) => {
    const owner = await stage.person(t, { name: 'Ann', expected: LOUD, ...options })
    const ann = owner.page
    await ann.goto('/')
    await ann.getByTestId('template-page').check()
    await ann.getByText('index.html, style.css, script.js').waitFor()
    await inspect(ann, `templates-${look}`)
    await ann.getByTestId('project-name').fill('Site')
    await ann.getByTestId('project-name').press('Enter')
    if (look === 'phone') await row(ann, 'index.html').click()
    await reads(ann, 'Hello, all of you')
    await ann.getByTestId('preview-open').click()
    await inside(ann).getByRole('heading', { name: 'Hello, all of you' }).waitFor()
    const color = await inside(ann).getByRole('button').evaluate((button) => getComputedStyle(button).backgroundColor)
    assert.equal(color, 'rgb(11, 110, 95)', 'with its style')
    await inside(ann).getByRole('button').click()
    await inside(ann).getByText('Pressed 1 time', { exact: true }).waitFor()
    await ann.getByTestId('console').click()
    await ann.getByRole('log', { name: 'Console' }).getByText('Pressed 1 time').waitFor()
    await inspect(ann, `preview-${look}`)
    if (look === 'phone') {
      await ann.getByTestId('preview-close').click()
      await text(ann).waitFor({ state: 'visible' })
      return
    }

    // What another types is seen too.
    const other = await stage.person(t, { name: 'Ben' })
    await other.join(owner)
    const ben = other.page
    await row(ben, 'style.css').click()
    await reads(ben, 'color-scheme')
    await text(ben).click()
    await ben.keyboard.press('Control+End')
    await ben.keyboard.insertText('\nh1 { color: rgb(1, 2, 3) }\n')
    await saved(ben)
    await eventually('the style is there', async () =>
      (await inside(ann).getByRole('heading').evaluate((one) => getComputedStyle(one).color).catch(() => '')) === 'rgb(1, 2, 3)')
    // A part of a page shows the page.
    await row(ann, 'script.js').click()
    await inside(ann).getByRole('heading', { name: 'Hello, all of you' }).waitFor()
    await text(ann).click()
    await ann.keyboard.press('Control+End')
    await ann.keyboard.insertText('\nthrow new Error("on purpose")\n')
    await ann.getByRole('log', { name: 'Console' }).getByText('on purpose').waitFor()
    await ann.getByTestId('console-errors').waitFor()
  })
}

test('modules, Markdown and pictures of a project are shown, and lead to each other', async (t) => {
  const [{ page: ann }] = await stage.meet(t, 'Site', {
    'index.html': '<h1></h1><script type="module">import { words } from "./lib/words.js"\ndocument.querySelector("h1").textContent = words</script><a href="about.md">About</a>',
    'lib/words.js': 'import { who } from "../who.js"\nexport const words = `Hello, ${who}`\n',
    'who.js': 'export const who = "Ben"\nexport * from "./more.js"\n',
    'more.js': '// "./comment.js" is no import\nexport const more = 1\n',
    'about.md': '# About\n\n- [x] done\n\n![A dot](dot.svg)\n\n![elsewhere](https://example.org/spy.png)\n\n[Back](index.html)\n',
    'dot.svg': '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20"><circle cx="10" cy="10" r="9"/></svg>\n',
    'circle.html': '<script type="module" src="one.js"></script>',
    'one.js': 'import "./two.js"\n',
    'two.js': 'import "./one.js"\n',
  }, { name: 'Ann', expected: LOUD })
  await row(ann, 'index.html').click()
  await ann.getByTestId('preview-open').click()
  await inside(ann).getByRole('heading', { name: 'Hello, Ben' }).waitFor()
  await inside(ann).getByRole('link', { name: 'About' }).click()
  await inside(ann).getByRole('heading', { name: 'About' }).waitFor()
  await eventually('the picture is there', () => inside(ann).getByAltText('A dot').evaluate((one) => one.naturalWidth === 20))
  assert.equal(await inside(ann).locator('img').count(), 1, 'one from elsewhere is a link')
  await inspect(ann, 'preview-markdown')
  await inside(ann).getByRole('link', { name: 'Back' }).click()
  await inside(ann).getByRole('heading', { name: 'Hello, Ben' }).waitFor()
  await row(ann, 'dot.svg').click()
  await eventually('the picture is shown', () => inside(ann).getByAltText('dot.svg').evaluate((one) => one.naturalWidth === 20).catch(() => false))
  await row(ann, 'circle.html').click()
  await ann.getByTestId('console').click()
  await ann.getByRole('log', { name: 'Console' }).getByText('one.js imports two.js imports one.js').waitFor()
})

test('a page in the preview reaches nothing: no server, no cookie, no window but its own', async (t) => {
  const asked = []
  const spy = createServer((request, response) => {
    asked.push(request.url)
    response.end()
  })
  await new Promise((ready) => spy.listen(0, '127.0.0.1', ready))
  t.after(() => spy.close())
  const heard = createSocket('udp4').on('message', () => asked.push('a packet'))
  await new Promise((ready) => heard.bind(0, '127.0.0.1', ready))
  t.after(() => heard.close())
  const elsewhere = `http://127.0.0.1:${spy.address().port}`
  /** A call to another browser, whose way goes over a server that is asked first. */
  const call = (where) => `(async () => {
    const line = new ${where}.RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${heard.address().port}' }] })
    line.createDataChannel('x')
    await line.setLocalDescription(await line.createOffer())
    await new Promise((enough) => setTimeout(enough, 1000))
    if (line.iceGatheringState === 'new') throw new Error('nothing was tried')
  })()`
  const tries = [
    'parent.document.title', 'parent.location.href', 'top.location.href = "about:blank"', 'document.cookie', 'localStorage.length',
    'indexedDB.open("x")', 'open("about:blank").location', `fetch("${elsewhere}/fetch")`, 'fetch("/api/me")', `new WebSocket("${elsewhere.replace('http', 'ws')}/socket")`,
    `new EventSource("${elsewhere}/events")`, `import("${elsewhere}/module.js")`,
    call('window'), `document.body.append(document.createElement('iframe')), ${call('frames[frames.length - 1]')}`,
    'navigator.serviceWorker.register("/sw.js")', 'new SharedWorker("/sw.js")',
  ]
  const [{ page: ann }] = await stage.meet(t, 'Hostile', {
    'index.html': `<base href="${elsewhere}/base/"><h1 id="done"></h1>
      <img src="${elsewhere}/img"><link rel="stylesheet" href="${elsewhere}/css"><script src="${elsewhere}/js"></script>
      <link rel="preconnect" href="${elsewhere}"><link rel="dns-prefetch" href="${elsewhere}">
      <link rel="prefetch" href="${elsewhere}/prefetch"><link rel="preload" as="image" href="${elsewhere}/preload">
      <style>@import "${elsewhere}/import"; h1 { background: url(${elsewhere}/background) }</style>
      <iframe src="${elsewhere}/frame"></iframe><object data="${elsewhere}/object"></object><video src="${elsewhere}/video"></video>
      <form action="${elsewhere}/form" method="post"><input name="a" value="b"></form>
      <script>
        const fine = []
        const attempt = async (what) => {
          try {
            const got = await eval(what)
            if (got instanceof WebSocket || got instanceof EventSource) await new Promise((yes, no) => { got.onopen = yes; got.onerror = no; setTimeout(no, 1000) })
            if (got instanceof IDBOpenDBRequest) await new Promise((yes, no) => { got.onsuccess = yes; got.onerror = no })
            fine.push(what)
          } catch {}
        }
        (async () => {
          for (const what of ${JSON.stringify(tries)}) await attempt(what)
          document.forms[0].submit()
          navigator.sendBeacon("${elsewhere}/beacon", "x") // says yes and sends nothing
          done.textContent = 'Got: ' + fine.join(' | ')
        })()
      </script>`,
    'away.html': `<meta http-equiv="refresh" content="0; url=${elsewhere}/refresh"><script>location = "${elsewhere}/location"</script>`,
    'home.html': '<script>location = "/"</script>',
    'note.md': `<script>parent.postMessage({ kind: 'console', level: 'log', text: 'ran' }, '*')</script><img src=x onerror="parent.postMessage({ kind: 'console', level: 'log', text: 'ran' }, '*')"> <svg onload="alert(1)"></svg> [x](javascript:alert(1)) **calm**`,
  }, { name: 'Ann', expected: LOUD })
  await row(ann, 'index.html').click()
  await ann.getByTestId('preview-open').click()
  await inside(ann).getByText('Got:').waitFor()
  const got = await inside(ann).getByText('Got:').innerText()
  assert.equal(got.trim(), 'Got:', 'nothing that it tried worked')
  const address = ann.url()
  for (const path of ['away.html', 'home.html']) {
    await row(ann, path).click()
    await ann.waitForTimeout(1_500)
    assert.equal(await ann.getByTestId('project-name').count(), 0)
    assert.equal(await ann.frameLocator('[data-testid=preview] iframe').first().getByTestId('project-name').count(), 0, 'no studio in the studio')
  }
  await row(ann, 'note.md').click()
  await inside(ann).getByText('calm').waitFor()
  await ann.getByTestId('console').click()
  // The picture that is not there is told; what would have run did not.
  await eventually('one line', async () => (await ann.getByRole('log', { name: 'Console' }).locator('p').count()) === 1)
  await ann.getByRole('log', { name: 'Console' }).getByText('x: there is no such file').waitFor()
  assert.deepEqual(asked, [], 'nobody was asked')
  assert.notEqual(ann.url(), address)
  // What is opened by its address is in nobody's origin either.
  const { page: alone } = await stage.person(t, { expected: LOUD })
  await alone.goto('/preview.html')
  assert.equal(await alone.evaluate(() => origin), 'null')
})
