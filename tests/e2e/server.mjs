// The real server for one test, and what an operator does to it.

import { cp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { startProcess } from '../server.mjs'

export async function startServer(t, { env = {} } = {}) {
  const running = await startProcess(env)
  t.after(running.remove)
  const backup = join(running.folder, 'backup')
  return {
    ...running,
    /** Puts the database aside, as a backup does; the server must be stopped. */
    backUp: () => cp(running.dataDir, backup, { recursive: true }),
    /** What the operator does after a disaster: the backup, and a new epoch for every document. */
    restore: async () => {
      await rm(running.dataDir, { recursive: true })
      await cp(backup, running.dataDir, { recursive: true })
      const code = await running.command('new-epoch')
      if (code !== 0) throw new Error(`coterie new-epoch: ${code}`)
    },
  }
}
