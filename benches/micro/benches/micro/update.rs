//! Updates as bytes: reading, summing up, merging and comparing them, and the gate's decision. Where yrs has a function
//! that answers the same on bytes, it stands beside ours.

use std::collections::{HashMap, HashSet};
use std::hint::black_box;

use bytes::Bytes;
use coterie::gate::{Context, Owner, State, Writer, decide};
use coterie::ids::UserId;
use coterie::update::{StateVector, diff, merge, scan, summary};
use criterion::{BenchmarkId, Criterion, Throughput};
use micro::{DOCUMENTS, NEWCOMER, Typist};
use yrs::Update;
use yrs::updates::decoder::Decode;

/// Rows after a snapshot when a document is about to be folded.
const TAIL: usize = 200;

pub(crate) fn benches(c: &mut Criterion) {
    reading(c);
    merging(c);
    comparing(c);
    deciding(c);
}

fn reading(c: &mut Criterion) {
    let mut group = c.benchmark_group("scan");
    let stroke = keystroke();
    let documents = DOCUMENTS.iter().map(|typed| (typed.size, typed.state.clone()));
    for (size, update) in std::iter::once(("a keystroke", stroke)).chain(documents) {
        group.throughput(Throughput::Bytes(update.len() as u64));
        group.bench_function(BenchmarkId::new("ours", size), |b| b.iter(|| scan(&update).expect("honest")));
        group.bench_function(BenchmarkId::new("yrs decodes", size), |b| {
            b.iter(|| Update::decode_v1(&update).expect("honest"));
        });
    }
    group.finish();
    let mut group = c.benchmark_group("summary");
    for typed in &*DOCUMENTS {
        group.throughput(Throughput::Bytes(typed.state.len() as u64));
        group.bench_function(typed.size, |b| b.iter(|| summary(&typed.state).expect("honest")));
    }
    group.finish();
}

fn merging(c: &mut Criterion) {
    let mut group = c.benchmark_group("merge");
    let strokes: Vec<Bytes> = Typist::new(NEWCOMER).take(TAIL).collect();
    let mut cases = vec![("100 keystrokes".to_owned(), strokes[..100].to_vec())];
    for typed in &*DOCUMENTS {
        let all = std::iter::once(&typed.state).chain(&strokes).cloned().collect();
        cases.push((format!("{} and {TAIL} keystrokes", typed.size), all));
    }
    for (name, updates) in &cases {
        group.throughput(Throughput::Bytes(updates.iter().map(|update| update.len() as u64).sum()));
        group.bench_function(BenchmarkId::new("ours", name), |b| b.iter(|| merge(updates).expect("honest")));
        group.bench_function(BenchmarkId::new("yrs", name), |b| {
            b.iter(|| yrs::merge_updates_v1(updates).expect("honest"));
        });
    }
    group.finish();
}

fn comparing(c: &mut Criterion) {
    let mut group = c.benchmark_group("diff");
    for typed in &*DOCUMENTS {
        let all = summary(&typed.state).expect("honest").state_vector;
        let mut half = StateVector::default();
        all.iter().for_each(|(client, end)| half.set(client, end / 2));
        for (who, has) in [("has all", all), ("has half", half)] {
            let name = format!("{}, for one who {who}", typed.size);
            let vector = has.encode();
            group.throughput(Throughput::Bytes(typed.state.len() as u64));
            group.bench_function(BenchmarkId::new("ours", &name), |b| {
                b.iter(|| diff(&typed.state, &has).expect("honest"));
            });
            group.bench_function(BenchmarkId::new("yrs", &name), |b| {
                b.iter(|| yrs::diff_updates_v1(&typed.state, &vector).expect("honest"));
            });
        }
    }
    group.finish();
}

fn deciding(c: &mut Criterion) {
    let mut group = c.benchmark_group("gate");
    let (user, ended, announced) = (UserId::new(), HashSet::new(), HashMap::new());
    let stroke = keystroke();
    for typed in &*DOCUMENTS {
        let known = summary(&typed.state).expect("honest");
        let mut state = State::new(known, std::iter::empty(), typed.state.len());
        state.owners.values_mut().for_each(|owner| *owner = Owner::User(user));
        let committed = state.clocks.clone();
        let context = Context { committed: &committed, announced: &announced };
        let writer = Writer { user, merged: &[], may_write: true, ended: &ended };
        assert!(decide(&state, &writer, &context, &stroke).admitted.is_some(), "a keystroke is admitted");
        group.bench_function(BenchmarkId::new("a keystroke", typed.size), |b| {
            b.iter(|| decide(black_box(&state), &writer, &context, &stroke));
        });
    }
    group.finish();
}

/// The first of somebody who wrote nothing yet: it leans on nothing.
fn keystroke() -> Bytes {
    Typist::new(NEWCOMER).next().expect("it has no end")
}
