// A React page: who is in a project, its files, and one of them in a plain text box. `npm run examples`, then open
// /react/#project-id.

import { createClient, describeSave, type FileHandle, type Project } from 'coterie'
import { ClientProvider, useFile, useMembers, useProject, useSaveState, useStore } from 'coterie/react'
import { StrictMode, useEffect, useState } from 'react'
import { createRoot } from 'react-dom/client'

export function Page({ id }: { id: string }) {
  const project = useProject(id)
  if (project.kind === 'opening') return <p role="status">Opening…</p>
  if (project.kind === 'failed') return <p role="alert">{String(project.error)}</p>
  return <Files project={project.value} />
}

function Files({ project }: { project: Project }) {
  const files = useStore(project.files.list)
  const members = useMembers(project)
  const save = useSaveState(project)
  const [path, setPath] = useState(files[0]?.path ?? '')
  return (
    <>
      <p>{describeSave(save)} · {members.map((member) => member.name).join(', ')}</p>
      <label>File <select value={path} onChange={(event) => setPath(event.target.value)}>
        {files.map((file) => <option key={file.id}>{file.path}</option>)}
      </select></label>
      {path && <Text key={path} project={project} path={path} />}
    </>
  )
}

function Text({ project, path }: { project: Project; path: string }) {
  const file = useFile(project, path)
  if (file.kind !== 'open') return <p role="status">Opening {path}…</p>
  return <Reading file={file.value} path={path} />
}

function Reading({ file, path }: { file: FileHandle; path: string }) {
  const [text, setText] = useState(file.text.toString())
  useEffect(() => {
    const read = () => setText(file.text.toString())
    file.text.observe(read)
    read()
    return () => file.text.unobserve(read)
  }, [file])
  return <textarea aria-label={path} readOnly rows={20} value={text} />
}

const root = typeof document === 'undefined' ? null : document.querySelector('#app')
if (root) {
  const client = createClient()
  if (!(await client.me())) await client.signInAsGuest(prompt('Your name') ?? 'Somebody')
  createRoot(root).render(<StrictMode><ClientProvider client={client}><Page id={location.hash.slice(1)} /></ClientProvider></StrictMode>)
}
