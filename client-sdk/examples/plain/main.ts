// A page with one shared file, without a framework: `npm run examples`, then open /plain/#project-id/notes.md.

import { EditorState } from '@codemirror/state'
import { EditorView, lineNumbers } from '@codemirror/view'
import { createClient, describeSave } from 'coterie'
import { collab } from 'coterie/codemirror'

const show = (id: string, words: string) => void (document.querySelector(`#${id}`)!.textContent = words)

const [projectId = '', ...path] = location.hash.slice(1).split('/')
const client = createClient()
if (!(await client.me())) await client.signInAsGuest(prompt('Your name') ?? 'Somebody')
const project = await client.open(projectId)
const file = await project.files.open(path.join('/'))
await file.whenSynced()

file.save.subscribe((state) => show('save', describeSave(state)))
file.people.subscribe((people) => show('people', people.map((person) => person.name).join(', ')))
new EditorView({
  parent: document.querySelector('#editor')!,
  state: EditorState.create({ doc: file.text.toString(), extensions: [lineNumbers(), EditorView.lineWrapping, collab(file)] }),
})
