//! What a worker process takes to apply an edit, asked as the server asks it.

use bytes::Bytes;
use coterie::head::Head;
use coterie::replica::{Part, Reply, Source, Turn, Verb};
use coterie::update::merge;
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput};
use micro::{DOCUMENTS, NEWCOMER, ROOT, Typist};

use crate::stage::{Empty, Stage};

/// A root that no document has: to ask for its text is to ask for nothing beside what was sent along.
const NOTHING: &str = "nothing";

pub(crate) fn benches(c: &mut Criterion) {
    let stage = Stage::sqlite();
    let mut group = c.benchmark_group("worker");
    for typed in &*DOCUMENTS {
        let Empty { id, head } = stage.documents(1)[0];
        let at = |seq| Head { seq, epoch: head.epoch };
        let ask = |source: &Source, root: &str| {
            let verb = Verb::Text { root: root.to_owned(), part: Part::Whole };
            let told = stage.runtime.block_on(stage.state().replicas.ask(Turn::Server, id, source, verb));
            match told.expect("a worker").expect("it has the document").reply {
                Reply::Text(text) => text,
                other => panic!("not a text: {other:?}"),
            }
        };
        let whole = Source { head: at(1), from: None, update: typed.state.clone() };
        assert!(!ask(&whole, ROOT).is_empty(), "the worker reads the document");
        group.throughput(Throughput::Bytes(typed.state.len() as u64));
        group.bench_function(BenchmarkId::new("build the document", typed.size), |b| {
            b.iter(|| ask(&whole, NOTHING));
        });
        let mut typist = Typist::new(NEWCOMER);
        let mut seq = 1;
        for (name, strokes) in [("apply a keystroke", 1), ("apply 100 keystrokes", 100)] {
            group.throughput(Throughput::Elements(strokes as u64));
            let mut next = || -> Bytes {
                let updates: Vec<Bytes> = typist.by_ref().take(strokes).collect();
                merge(&updates).expect("honest").into()
            };
            group.bench_function(BenchmarkId::new(name, typed.size), |b| {
                b.iter_batched(
                    &mut next,
                    |update| {
                        let (from, head) = (Some(seq), at(seq + 1));
                        seq += 1;
                        ask(&Source { head, from, update }, NOTHING)
                    },
                    BatchSize::SmallInput,
                );
            });
        }
        let there = Source { head: at(seq), from: Some(seq), update: Bytes::from_static(coterie::update::EMPTY) };
        group.throughput(Throughput::Bytes(typed.state.len() as u64));
        group.bench_function(BenchmarkId::new("read the text", typed.size), |b| b.iter(|| ask(&there, ROOT)));
    }
    group.finish();
    assert_eq!(stage.state().replicas.lost(), 0, "no worker was lost");
}
