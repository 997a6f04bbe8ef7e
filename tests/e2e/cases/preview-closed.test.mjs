// The preview is closed to the network by every door, follows what the project has, and leads nowhere by itself.

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { test } from 'node:test'
import { inspect, row, text, until } from '../look.mjs'
import { startStage } from '../stage.mjs'

const stage = await startStage()

const inside = (page) => page.getByTestId('preview-frame').contentFrame()

async function open(t, files, first) {
  // What the policy refuses is told in the console, and that is what is tried here.
  const [{ page: ann }] = await stage.meet(t, 'Preview', files, { name: 'Ann', expected: [/./] })
  await row(ann, first).click()
  await ann.getByTestId('preview-open').click()
  return ann
}

/** What a script in a nested frame does with a browser's calls: a packet to a server is sent at once. */
const call = (port, way) => `
  parent.postMessage('nested ${way}', '*')
  const line = new RTCPeerConnection({ iceServers: [{ urls: 'stun:127.0.0.1:${port}' }] })
  line.createDataChannel('x')
  line.createOffer().then((offer) => line.setLocalDescription(offer))`

test('no frame in the preview runs a script, however it is made, and nothing calls another browser', async (t) => {
  const packets = []
  const heard = createSocket('udp4').on('message', () => packets.push('a packet'))
  await new Promise((ready) => heard.bind(0, '127.0.0.1', ready))
  t.after(() => heard.close())
  const nested = (way) => `<script>${call(heard.address().port, way)}</script>`
  const attribute = (way) => nested(way).replaceAll('"', '&quot;')
  const ann = await open(t, {
    'index.html': `<h1>Closed</h1><div id="place"></div>
      <iframe srcdoc="${attribute('page')}"></iframe>
      <script>
        const template = ${JSON.stringify(nested('WAY')).replaceAll('</', '<\\/')}
        let nested, attribute
        const name = 'src' + 'doc'
        const frame = () => document.body.appendChild(document.createElement('iframe'))
        const inShadow = () => document.body.appendChild(document.createElement('div')).attachShadow({ mode: 'closed' })
        const ways = {
          property: () => (frame()[name] = nested),
          attribute: () => frame().setAttribute(name, nested),
          attributeNS: () => frame().setAttributeNS(null, name.toUpperCase().toLowerCase(), nested),
          node: () => { const one = document.createAttribute(name); one.value = nested; frame().setAttributeNode(one) },
          later: () => { const one = document.createAttribute(name); const it = frame(); it.setAttributeNode(one); one.value = nested },
          named: () => { const one = document.createAttribute(name); one.value = nested; frame().attributes.setNamedItem(one) },
          html: () => (place.innerHTML = '<iframe ' + name + '="' + attribute + '"></iframe>'),
          capitals: () => place.insertAdjacentHTML('beforeend', '<iframe SrcDoc="' + attribute + '"></iframe>'),
          shadow: () => (inShadow().innerHTML = '<iframe ' + name + '="' + attribute + '"></iframe>'),
          unsafe: () => place.setHTMLUnsafe('<template shadowrootmode=closed><iframe ' + name + '="' + attribute + '"></iframe></template>'),
          written: () => document.write('<iframe ' + name + '="' + attribute + '"></iframe>'),
          pieces: () => { document.write('<iframe src'); document.write('doc="' + attribute + '"></iframe>') },
          parsed: () => document.body.append(document.importNode(new DOMParser().parseFromString('<iframe ' + name + '="' + attribute + '"></iframe>', 'text/html').body.firstChild, true)),
          xml: () => document.body.append(document.importNode(new DOMParser().parseFromString('<iframe xmlns="http://www.w3.org/1999/xhtml" ' + name + '="' + attribute.replaceAll('<', '&lt;') + '"/>', 'text/xml').documentElement, true)),
          inert: () => { const one = document.implementation.createHTMLDocument('').createElement('iframe'); one[name] = nested; document.body.append(one) },
          range: () => document.body.append(document.createRange().createContextualFragment('<iframe ' + name + '="' + attribute + '"></iframe>')),
          blob: () => (frame().src = URL.createObjectURL(new Blob([nested], { type: 'text/html' }))),
          data: () => (frame().src = 'data:text/html,' + encodeURIComponent(nested)),
          script: () => (frame().src = 'javascript:' + nested.replace(/<.?script>/g, '')),
          object: () => { const one = document.createElement('object'); one.data = URL.createObjectURL(new Blob([nested], { type: 'text/html' })); document.body.append(one) },
          patched: () => {
            String.prototype.replace = String.prototype.charCodeAt = String.prototype.slice = () => ''
            Function.prototype.call = () => 0
            RegExp.prototype.exec = () => null
            const one = frame()
            one[name] = nested
          },
          own: () => { const line = new RTCPeerConnection(); line.createDataChannel('x') },
          policy: () => trustedTypes.createPolicy('mine', { createHTML: (text) => text }),
        }
        const worked = []
        addEventListener('message', ({ data }) => String(data).includes('nested') && worked.push(data))
        for (const [way, act] of Object.entries(ways)) try { nested = template.split('WAY').join(way); attribute = nested.split('"').join('&quot;'); act(); if (way === 'own' || way === 'policy') worked.push(way) } catch {}
        setTimeout(() => document.querySelector('h1').append(': done ' + worked.join()), 1500)
      </script>
      <script>document.write('<iframe src')</script>doc="${attribute('split')}"></iframe>
      <script>document.write('<p>put by write</p>')</script>`,
  }, 'index.html')
  await inside(ann).getByText('Closed: done').waitFor()
  assert.equal(await inside(ann).locator('h1').innerText(), 'Closed: done')
  await inside(ann).getByText('put by write').waitFor({ state: 'attached' })
  assert.deepEqual(packets, [])
})

test('a page that leads away can be had back, leads to another file only when it is pressed, and takes in files that come later', async (t) => {
  const ann = await open(t, {
    'index.html': `<link rel="stylesheet" href="late.css"><h1>Home</h1><a href="other.html">Other</a>
      <script>setInterval(() => parent.postMessage({ kind: 'go', address: 'other.html' }, '*'), 50)</script>`,
    'other.html': '<h1>The other page</h1>',
    'away.html': '<h1>Going</h1><script>setTimeout(() => (location = "https://example.org/"), 300)</script>',
  }, 'index.html')
  const color = () => inside(ann).locator('h1').evaluate((one) => getComputedStyle(one).color)
  await inside(ann).getByText('Home').waitFor()
  // Typing beside it is no press in it.
  const address = ann.url()
  await text(ann).getByText('Home').click()
  await ann.keyboard.press('End')
  await ann.waitForTimeout(600)
  assert.equal(ann.url(), address)

  await ann.getByTestId('file-path').fill('late.css')
  await ann.keyboard.press('Enter')
  await until(ann, () => document.activeElement?.getAttribute('aria-label') === 'Text of late.css')
  await ann.keyboard.type('h1 { color: rgb(1, 2, 3) }')
  await inside(ann).getByText('Home').waitFor()
  for (let i = 0; i < 100 && (await color().catch(() => '')) !== 'rgb(1, 2, 3)'; i += 1) await ann.waitForTimeout(50)
  assert.equal(await color(), 'rgb(1, 2, 3)')

  await row(ann, 'away.html').click()
  await ann.getByTestId('preview-lost').waitFor()
  await inspect(ann, 'preview-lost')
  await ann.getByTestId('preview-again').click()
  await inside(ann).getByText('Going').waitFor()

  await row(ann, 'index.html').click()
  await inside(ann).getByRole('link', { name: 'Other' }).click()
  await inside(ann).getByText('The other page').waitFor()
})
