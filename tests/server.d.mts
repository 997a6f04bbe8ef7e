export declare const BINARY: string

export interface ServerProcess {
  url: string
  folder: string
  dataDir: string
  /** What it wrote to its log. */
  log(): string
  isRunning(): boolean
  start(): Promise<string>
  kill(): Promise<void>
  stop(): Promise<void>
  /** Runs another command of the program, while the server does not run, and answers how it ended. */
  command(...args: string[]): Promise<number | string>
  /** Ends it, and leaves nothing. */
  remove(): Promise<void>
}

/** Starts one with these settings, as environment variables. */
export declare function startProcess(env?: Record<string, string>): Promise<ServerProcess>
