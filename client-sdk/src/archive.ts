// What goes into a project and out of it as bytes: a zip archive of its files, pictures and attachments.

import { bytes, pageAfter, type Http, type Schema } from './http.ts'
import type { Page } from './types.ts'

/** A file of bytes, named by what is in it. */
export type BlobInfo = Schema<'BlobView'>

/** What an archive became. */
export type Imported = Schema<'Imported'>

/** Files of bytes of a project: pictures, attachments. Whoever may read it may have them. */
export interface Blobs {
  list(after?: string | null): Promise<Page<BlobInfo>>
  /** The same bytes again are the same file. */
  put(name: string, content: Blob | Uint8Array): Promise<BlobInfo>
  read(hash: string): Promise<Blob>
  remove(hash: string): Promise<void>
}

/** A project's files as a zip archive. */
export interface Archive {
  export(): Promise<Blob>
  /** Makes its files new files of the project, below a folder where one is named: all of them, or none. */
  import(zip: Blob | Uint8Array, into?: string): Promise<Imported>
}

export function blobsOf(http: Http, p: string): Blobs {
  return {
    list: (after) => http.get('/api/projects/{p}/blobs', { params: { path: { p }, query: pageAfter(after) } }),
    put: (name, content) => http.put('/api/projects/{p}/blobs', { params: { path: { p }, query: { name } }, ...bytes(content) }),
    read: (sha256) => http.get('/api/projects/{p}/blobs/{sha256}', { params: { path: { p, sha256 } }, parseAs: 'blob' }),
    remove: (sha256) => http.delete('/api/projects/{p}/blobs/{sha256}', { params: { path: { p, sha256 } } }),
  }
}

export function archiveOf(http: Http, p: string): Archive {
  return {
    export: () => http.get('/api/projects/{p}/export', { params: { path: { p } }, parseAs: 'blob' }),
    import: (zip, into) => http.post('/api/projects/{p}/import', {
      params: { path: { p }, query: into === undefined ? {} : { into } }, ...bytes(zip, 'application/zip'),
    }),
  }
}
