// What a model does on one's own account, beside the chat: it goes on with a text, looks through a file, makes a picture.

import type { Http, Schema } from './http.ts'

/** What a model is to go on from. */
export type CompletionWanted = Schema<'CompletionWanted'>

/** What a model answered. Its text is not to be trusted. */
export type Completion = Schema<'Completion'>

/** What a model found in a file: faults, risks, what could be better. Its words are not to be trusted. */
export type Analysis = Schema<'Analysis'>

/** What is to be seen on a picture. */
export type PictureWanted = Schema<'PictureWanted'>

/** A picture that a model made, kept among those of the project. */
export type Picture = Schema<'Picture'>

/** Questions to a model that are no messages. For editors; each takes of the project's budget. */
export interface Assistant {
  complete(wanted: CompletionWanted): Promise<Completion>
  /** Has a file looked through, by id or path; the others see the answer in `analysis`. */
  analyse(file: string, model?: string): Promise<Analysis>
  /** Has a picture made, where a model is connected that makes some; `project.blobs` has it then. */
  picture(wanted: PictureWanted): Promise<Picture>
  /** What was last found in a file; null where nobody asked yet. */
  analysis(file: string): Promise<Analysis | null>
}

/** `idOf` answers the id of a file by its id or path. */
export function assistantOf(http: Http, p: string, idOf: (name: string) => string): Assistant {
  const document = (name: string) => ({ path: { p, d: idOf(name) } })
  return {
    complete: (wanted) => http.post('/api/projects/{p}/completions', { params: { path: { p } }, body: wanted }),
    analyse: (file, model) => http.post('/api/projects/{p}/documents/{d}/analysis', {
      params: document(file), body: model === undefined ? {} : { model },
    }),
    picture: (wanted) => http.post('/api/projects/{p}/images', { params: { path: { p } }, body: wanted }),
    analysis: async (file) => (await http.get('/api/projects/{p}/documents/{d}/analysis', { params: document(file) })).items[0] ?? null,
  }
}
