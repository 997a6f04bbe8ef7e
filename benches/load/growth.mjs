// What things cost as one number grows: rooms, clients of a room, the document, its log. Prints a table of each.
//
//   node growth.mjs [--axes rooms,clients,document,log] [--peer coterie] [--quick 1] [--out results-growth.jsonl]
//
// Every axis is one line of JSON in the results file; the last of each peer is printed. `--axes none` only prints. `--quick 1`
// stops each axis early.
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const options = Object.fromEntries(
  process.argv.slice(2).join(' ').split('--').filter(Boolean).map((one) => one.trim().split(' ')),
)
const bin = process.env.BIN ?? join(here, 'target/release')
const out = options.out ?? join(here, 'results-growth.jsonl')
const peer = options.peer ?? 'coterie'

// Rows that several axes have: words, and where in the JSON of a step.
const LATENCY = [['p50 ms', 'p50_ms'], ['p99 ms', 'p99_ms']]
const OF_ALL = ['MiB of all', (step) => step.kib_each * step.at / 1024]
const DELIVERY = [['CPU µs a delivery', 'cpu_s_per_million'], ...LATENCY]
const COLD = [['open cold, ms', 'cold_ms'], ['… CPU ms', 'cold_cpu_ms']]
const EDIT = [['an edit, CPU µs', 'edit_cpu_us'], ['… of workers, which fold', 'fold_cpu_us'], ...LATENCY, ['server MiB', 'rss_mib']]

// Two sockets in each, and a process may often open no more than 20,000 files, of which the server keeps some back.
const ROOMS_MOST = 9_900

// axis: [words, its steps, its rows: words, and where in the JSON of a step]
const AXES = {
  rooms: ['rooms of two; 1,000 updates/s in all of them together', [10, 100, 1_000, ROOMS_MOST], [
    ['to open one and join twice, CPU ms', 'open_cpu_ms'],
    OF_ALL,
    ['idle, share of a core', 'idle_cpu'],
    ...DELIVERY,
  ]],
  clients: ['clients of one room; 20 updates/s', [2, 20, 200, 2_000], [
    ['to join, CPU ms', 'join_cpu_ms'],
    OF_ALL,
    ...DELIVERY,
  ]],
  document: ['bytes of a document, as a snapshot; 50 updates/s', [1_000, 10_000, 100_000, 1_000_000, 10_000_000], [
    ['bytes', 'bytes'],
    ['open warm, ms', 'warm.p50_ms'],
    ['… CPU ms', 'warm.cpu_ms'],
    ...COLD,
    ...EDIT,
    ['workers MiB', 'workers_mib'],
  ]],
  log: ['rows of one document of a constant text; 50 updates/s', [100, 1_000, 10_000, 100_000, 1_000_000], [
    ['rows', 'rows'],
    ['a row of 50 authors, CPU µs', 'grow_cpu_us'],
    ...COLD,
    ['… bytes', 'bytes'],
    ...EDIT,
    ['workers MiB', 'workers_mib'],
  ]],
}
// A run that takes longer, in seconds, has failed.
const TIME = 600

for (const axis of (options.axes ?? Object.keys(AXES).join(',')).split(',').filter((axis) => axis !== 'none')) {
  const steps = AXES[axis][1].slice(0, options.quick ? -1 : undefined)
  const words = ['timeout', TIME, 'taskset', '-c', '1', join(bin, 'harness'), 'growth', '--peer', peer, '--axis', axis, '--at', steps.join(',')]
  const run = spawnSync('./prio.sh', words.map(String), { cwd: here, env: { ...process.env, BIN: bin }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const line = run.stdout.trim().split('\n').pop()
  if (run.status !== 0 || !line) throw new Error(`${axis}: the harness failed`)
  appendFileSync(out, line + '\n')
}

function shown(value) {
  if (typeof value !== 'number') return '–'
  if (Math.abs(value) >= 1e5) return Math.round(value).toLocaleString('en')
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString()
}

const runs = existsSync(out) ? readFileSync(out, 'utf8').trim().split('\n').map((line) => JSON.parse(line)) : []
for (const [axis, [words, , columns]] of Object.entries(AXES)) {
  const run = runs.findLast((run) => run.peer === peer && run.axis === axis)
  if (!run) continue
  const row = (cells) => `| ${cells.join(' | ')} |`
  console.log(row([words, ...run.steps.map((step) => step.at.toLocaleString('en'))]))
  console.log(`|${'---|'.repeat(run.steps.length + 1)}`)
  for (const [name, place] of columns) {
    const value = typeof place === 'function' ? place : (step) => place.split('.').reduce((value, key) => value?.[key], step)
    const values = run.steps.map(value)
    console.log(row([name, ...values.map(shown)]))
  }
  console.log()
}
