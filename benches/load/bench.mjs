// Runs scenarios on peers, one after the other, and prints one table of medians.
//
//   node bench.mjs [--passes 1] [--scenarios sat-wide,…] [--peers coterie,relay,…] [--out results.jsonl]
//
// Every run is one line of JSON in the results file; an existing file is added to. `--passes 0` only prints.
import { spawnSync } from 'node:child_process'
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const options = Object.fromEntries(
  process.argv.slice(2).join(' ').split('--').filter(Boolean).map((one) => one.trim().split(' ')),
)
const peersFolder = process.env.PEERS ?? join(here, 'peers-installed')
// tests/with-postgres says where a private Postgres is.
const postgres = process.env.COTERIE_TEST_POSTGRES
const bin = process.env.BIN ?? join(here, 'target/release')
const out = options.out ?? join(here, 'results.jsonl')

const SAT = '--warm 0.7 --secs 2 --grow 1.6 --refine 2'
// name: [scenario and its arguments, what its peers must have]
const SCENARIOS = {
  'sat-wide': [`saturate ${SAT} --rooms 1 --clients 100 --writers 5 --start 3000`],
  'sat-many': [`saturate ${SAT} --rooms 100 --clients 5 --writers 1 --start 3000`],
  'fanout-wide': ['fanout --rooms 1 --clients 100 --writers 5 --rate 100'],
  'fanout-many': ['fanout --rooms 100 --clients 5 --writers 1 --rate 1000'],
  'fanout-small': ['fanout --rooms 1 --clients 20 --writers 4 --rate 40', 'content'],
  'fanout-big': ['fanout --rooms 1 --clients 20 --writers 4 --rate 40 --seed-doc 1', 'content'],
  aware: ['awareness --clients 50 --hz 10'],
  idle10k: ['idle --conns 10000 --rooms 1000'],
  load: ['load'],
  herd1: ['herd --conns 1000 --rooms 1'],
  crash27: ['crash --writers 5 --rate 200 --secs 27.3', 'store'],
}

// What the table shows: scenario, words, the place in the run's JSON, and what Coterie is to reach of whom.
const ROWS = [
  ['sat-wide', '1 room × 100, saturated: deliveries/s', 'best_delivered_per_s', ['≥', 0.9, 'relay']],
  ['sat-many', '100 rooms × 5, saturated: updates/s', 'best_updates_per_s', ['≥', 0.5, 'relay']],
  ['fanout-wide', '1 room × 100, 100 updates/s: CPU µs a delivery', 'cpu_s_per_million', ['≤', 1.1, 'relay']],
  ['fanout-wide', '… p50 ms', 'p50_ms'],
  ['fanout-wide', '… p99 ms', 'p99_ms'],
  ['fanout-many', '100 rooms × 5, 1,000 updates/s: CPU µs a delivery', 'cpu_s_per_million', ['≤', 1.3, 'relay']],
  ['fanout-many', '… p50 ms', 'p50_ms'],
  ['fanout-many', '… p99 ms', 'p99_ms'],
  ['fanout-small', '1 room × 20, 40 updates/s, empty document: CPU µs a delivery', 'cpu_s_per_million'],
  ['fanout-big', '… in a document of 260k edits', 'cpu_s_per_million', ['≤', 1.2, 'the row above']],
  ['aware', '50 cursors × 10 Hz: CPU µs a delivery', 'cpu_s_per_million'],
  ['idle10k', '10,000 idle sockets in 1,000 rooms: KiB each', 'kib_per_conn', ['≤', 6]],
  ['idle10k', '… MiB at the start', 'rss_start_mib'],
  ['idle10k', '… MiB 10 s after all closed', 'rss_after_close_mib', ['≤', '1.3 × start + 20']],
  ['load', 'open a document of 260k edits, warm: p50 ms', 'warm.p50_ms', ['≤', 1.5, 'relay']],
  ['load', '… cold: p50 ms', 'cold.p50_ms', ['≤', 3, "relay's warm"]],
  ['herd1', '1,000 clients of one room return: s', 'all_synced_s'],
  ['herd1', '… CPU s', 'cpu_s', ['≤', 2, 'relay']],
  ['crash27', 'kill -9 after 27 s: shown updates lost', 'lost_delivered', ['=', 0]],
  ['crash27', '… acknowledged updates lost', 'lost_acked', ['=', 0]],
]

const peers = JSON.parse(readFileSync(join(here, 'peers.json'), 'utf8'))
const installed = {
  yws: 'yws/node_modules', 'yws-ldb': 'yws-ldb/node_modules', hocus: 'hocuspocus/node_modules',
  'hocus-db': 'hocuspocus/node_modules', ysweet: 'y-sweet/bin/y-sweet',
}
const available = Object.keys(peers).filter(
  (name) => (!installed[name] || existsSync(join(peersFolder, installed[name]))) && (name !== 'coterie-pg' || postgres),
)
const wanted = options.peers ? options.peers.split(',') : available
const scenarios = options.scenarios ? options.scenarios.split(',') : Object.keys(SCENARIOS)

for (let pass = 0; pass < Number(options.passes ?? 1); pass++) {
  for (const name of scenarios) {
    const [command, needs] = SCENARIOS[name]
    for (const peer of wanted) {
      const { relay, store } = peers[peer]
      if ((needs === 'content' && relay) || (needs === 'store' && !store)) continue
      const [scenario, ...rest] = command.split(' ')
      const words = [
        'timeout', '200', 'taskset', '-c', '1', join(bin, 'harness'), scenario,
        '--peer', peer, '--as', name, '--trace', 'traces/automerge-paper.json.gz', ...rest,
      ]
      const began = Date.now()
      const run = spawnSync('./prio.sh', words, { cwd: here, env: { ...process.env, PEERS: peersFolder, BIN: bin, PG: postgres }, encoding: 'utf8' })
      const line = run.stdout.trim().split('\n').pop()
        || JSON.stringify({ scenario: name, peer, error: run.stderr.trim().slice(-300) })
      appendFileSync(out, line + '\n')
      console.error(`${name} ${peer} ${((Date.now() - began) / 1000).toFixed(0)} s ${line.slice(0, 150)}`)
    }
  }
}

const runs = readFileSync(out, 'utf8').trim().split('\n').map((line) => JSON.parse(line))

function median(scenario, peer, place) {
  const values = runs
    .filter((run) => run.scenario === scenario && run.peer === peer)
    .map((run) => place.split('.').reduce((value, key) => value?.[key], run))
    .filter((value) => typeof value === 'number')
    .sort((a, b) => a - b)
  return values.length ? (values[(values.length - 1) >> 1] + values[values.length >> 1]) / 2 : undefined
}

function shown(value) {
  if (value === undefined) return '–'
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  if (value >= 1e4) return `${(value / 1e3).toFixed(0)} k`
  return value >= 100 ? value.toFixed(0) : Number(value.toPrecision(3)).toString()
}

const columns = Object.keys(peers).filter((peer) => runs.some((run) => run.peer === peer))
const head = ['', ...columns, 'coterie : relay', 'to reach']
console.log(`| ${head.join(' | ')} |\n|${head.map(() => '---|').join('')}`)
for (const [scenario, words, place, goal] of ROWS) {
  const values = columns.map((peer) => median(scenario, peer, place))
  if (values.every((value) => value === undefined)) continue
  const [ours, relay] = ['coterie', 'relay'].map((peer) => median(scenario, peer, place))
  const ratio = ours !== undefined && relay ? `${(ours / relay).toFixed(2)} ×` : ''
  const to = goal ? (goal[2] ? `${goal[0]} ${goal[1]} × ${goal[2]}` : `${goal[0]} ${goal[1]}`) : ''
  console.log(`| ${[words, ...values.map(shown), ratio, to].join(' | ')} |`)
}
