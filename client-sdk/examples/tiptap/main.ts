// Rich text in TipTap, on a document like any other: the server does not care what a document holds. `npm run examples`, then
// open /tiptap/#project-id/page. The document is made when it is not there.

import { Editor } from '@tiptap/core'
import { Collaboration } from '@tiptap/extension-collaboration'
import { CollaborationCaret } from '@tiptap/extension-collaboration-caret'
import { StarterKit } from '@tiptap/starter-kit'
import { createClient, describeSave } from 'coterie'

const at = (id: string) => document.querySelector(`#${id}`)!

const [projectId = '', path = 'page'] = location.hash.slice(1).split(/\/(.*)/s)
const client = createClient()
const me = (await client.me()) ?? (await client.signInAsGuest(prompt('Your name') ?? 'Somebody'))
const project = await client.open(projectId)
if (!project.files.find(path)) await project.files.create(path)
const file = await project.files.open(path)
await file.whenSynced()

file.save.subscribe((state) => void (at('save').textContent = describeSave(state)))
file.people.subscribe((people) => void (at('people').textContent = people.map((person) => person.name).join(', ')))
const editor = new Editor({
  element: at('editor'),
  extensions: [
    StarterKit.configure({ undoRedo: false }), // undo of one's own edits comes with the collaboration
    Collaboration.configure({ document: file.doc }),
    CollaborationCaret.configure({ provider: file, user: { name: me.name, color: me.color } }),
  ],
})
at('bold').addEventListener('click', () => editor.chain().focus().toggleBold().run())
