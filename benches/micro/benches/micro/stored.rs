//! The log in a database: appending to one document's and to a hundred in one commit, and loading a document; on both
//! engines. Each append is a commit that the disk has taken.

use std::hint::black_box;

use bytes::Bytes;
use coterie::ids::BatchId;
use coterie::journal::{self, Append, Committer, Outcome, Row};
use coterie::meters::Meters;
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::future::join_all;
use micro::{DOCUMENTS, NEWCOMER, Typist};

use crate::stage::{Empty, Stage};

/// Rows of logs that are short, and long.
const LENGTHS: [usize; 2] = [100, 100_000];

/// Rows in one append, where a log is made long.
const ROWS_AT_ONCE: usize = 1_000;

/// Rows after a snapshot, where a document is loaded.
const TAIL: usize = 100;

pub(crate) fn benches(c: &mut Criterion) {
    for stage in Stage::all() {
        let committer = stage.runtime.block_on(async { Committer::start(stage.state().db.clone(), &Meters::new()) });
        append(c, &stage, &committer);
        load(c, &stage, &committer);
        drop(committer);
        stage.runtime.block_on(stage.state().db.close());
    }
}

fn append(c: &mut Criterion, stage: &Stage, committer: &Committer) {
    let mut group = c.benchmark_group("append");
    let update: Bytes = Typist::new(NEWCOMER).next().expect("it has no end");
    for documents in [1, 100] {
        let mut logs = stage.documents(documents);
        group.throughput(Throughput::Elements(documents as u64));
        group.bench_function(BenchmarkId::new(stage.engine, format!("a row to each of {documents}")), |b| {
            b.iter(|| commit(stage, committer, &mut logs, std::slice::from_ref(&update)));
        });
    }
    for length in LENGTHS {
        let mut log = stage.documents(1);
        lengthen(stage, committer, &mut log, length);
        group.throughput(Throughput::Elements(1));
        group.bench_function(BenchmarkId::new(stage.engine, format!("a row to a log of {length}")), |b| {
            b.iter(|| commit(stage, committer, &mut log, std::slice::from_ref(&update)));
        });
    }
    group.finish();
}

fn load(c: &mut Criterion, stage: &Stage, committer: &Committer) {
    let mut group = c.benchmark_group("load");
    let db = &stage.state().db;
    for typed in &*DOCUMENTS {
        for before in LENGTHS {
            let mut log = stage.documents(1);
            // What the snapshot was folded from stays for two days.
            lengthen(stage, committer, &mut log, before);
            let Empty { id, head } = log[0];
            let saved = journal::save_snapshot(db, id, head.seq, &typed.state);
            stage.runtime.block_on(saved).expect("a snapshot");
            lengthen(stage, committer, &mut log, TAIL);
            let loaded = stage.runtime.block_on(journal::load(db, id)).expect("a document");
            assert_eq!(
                (loaded.snapshot.map(|(_, state)| state.len()), loaded.rows.len()),
                (Some(typed.state.len()), TAIL)
            );
            let name = format!("a snapshot of {} and {TAIL} rows, after {before} folded", typed.size);
            group.throughput(Throughput::Bytes(typed.state.len() as u64));
            group.bench_function(BenchmarkId::new(stage.engine, name), |b| {
                b.iter(|| black_box(stage.runtime.block_on(journal::load(db, id)).expect("a document")));
            });
        }
    }
    group.finish();
}

/// Makes logs longer by so many rows, each a keystroke.
fn lengthen(stage: &Stage, committer: &Committer, logs: &mut [Empty], rows: usize) {
    let mut strokes = Typist::new(NEWCOMER).take(rows).peekable();
    while strokes.peek().is_some() {
        let updates: Vec<Bytes> = strokes.by_ref().take(ROWS_AT_ONCE).collect();
        commit(stage, committer, logs, &updates);
    }
}

/// Appends rows to each of the logs; all that fits is one commit.
fn commit(stage: &Stage, committer: &Committer, logs: &mut [Empty], updates: &[Bytes]) {
    let appends = logs.iter().map(|log| {
        let rows = updates.iter().map(|update| Row { author: stage.author, update: update.clone() }).collect();
        committer.append(Append {
            document: log.id,
            batch: BatchId::new(),
            expected: log.head,
            rows,
            claims: Vec::new(),
        })
    });
    let outcomes = stage.runtime.block_on(join_all(appends));
    assert!(outcomes.iter().all(|outcome| *outcome == Some(Outcome::Committed)), "{outcomes:?}");
    let rows = i64::try_from(updates.len()).expect("few rows");
    logs.iter_mut().for_each(|log| log.head.seq += rows);
}
