//! Deciding takes time in proportion to the update, whatever order a hostile one is written in.

use std::time::Duration;

use bytes::Bytes;

use super::write::{Update, after, between, update};
use super::{ANN, BOB, Document};

const SECTIONS: u32 = 10_000;
/// The system counts a thread's time in steps of some milliseconds.
const MEASURED: Duration = Duration::from_millis(60);

fn time(document: &Document, update: &Bytes) -> Duration {
    let began = spent();
    let mut times = 0;
    while spent() - began < MEASURED {
        let decision = document.decide_bytes(BOB, true, update);
        assert!(!decision.is_known());
        times += 1;
    }
    (spent() - began) / times
}

/// What this thread had of a processor so far: others on the machine do not count.
fn spent() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux says how long a thread ran");
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

/// Four times the sections may take ten times as long; sixteen would be quadratic. The shortest of a few tries counts.
fn assert_linear(name: &str, document: &Document, frame: impl Fn(u32) -> Update) {
    let (few, many) = (frame(SECTIONS / 4).bytes(), frame(SECTIONS).bytes());
    let (mut short, mut long) = (Duration::MAX, Duration::MAX);
    for _ in 0..3 {
        short = short.min(time(document, &few));
        long = long.min(time(document, &many));
    }
    println!("{name}: {} bytes in {short:?}, {} bytes in {long:?}", few.len(), many.len());
    assert!(long < 10 * short, "{name}: {short:?} for a quarter, {long:?} for the whole");
}

/// Sections of clients 1 to `count`, each of one struct after what `origin` says, first to last in the bytes.
fn sections(count: u32, origin: impl Fn(u64) -> Option<(u64, u32)>) -> Update {
    (1..=u64::from(count)).fold(Update::default(), |all, client| {
        all.with(client, 0, [origin(client).map_or_else(|| super::write::text("x"), |id| after(id, "x"))])
    })
}

#[test]
fn sections_that_wait_for_each_other_in_the_worst_order_take_linear_time() {
    let document = Document::default();
    let last = |count: u32| u64::from(count);
    assert_linear("each waits for the next", &document, |count| {
        sections(count, |client| (client < last(count)).then_some((client + 1, 0)))
    });
    assert_linear("each waits for the one before", &document, |count| {
        sections(count, |client| (client > 1).then_some((client - 1, 0)))
    });
    assert_linear("all wait for the last", &document, |count| {
        sections(count, |client| (client < last(count)).then_some((last(count), 0)))
    });
    assert_linear("in a circle", &document, |count| sections(count, |client| Some((client % last(count) + 1, 0))));
    assert_linear("all wait for what never comes", &document, |count| sections(count, |_| Some((u64::MAX >> 12, 7))));
}

#[test]
fn two_sections_that_take_turns_take_linear_time() {
    let document = Document::default();
    assert_linear("turns", &document, |count| {
        // Each struct of one names the latest of the other.
        let one =
            (0..count).map(|clock| clock.checked_sub(1).map_or_else(|| after((3, 0), "x"), |at| after((2, at), "x")));
        let two = (0..count).map(|clock| after((1, clock), "y"));
        update(1, 0, one).with(2, 0, two).with(3, 0, [super::write::text("z")])
    });
    assert_linear("many wait for each unit of one", &document, |count| {
        let units = (0..count)
            .map(|clock| clock.checked_sub(1).map_or_else(|| super::write::text("x"), |at| after((1, at), "x")));
        let others = (0..u64::from(count)).map(|at| (at + 2, between((1, at as u32), (1, count - 1), "y")));
        others.fold(Update::default(), |all, (client, one)| all.with(client, 0, [one])).with(1, 0, units)
    });
}

#[test]
fn what_builds_on_a_refused_section_takes_linear_time_to_end() {
    let document = Document::default().wrote(ANN, &update(1, 0, [super::write::text("a")]));
    assert_linear("each builds on a refused one", &document, |count| {
        let begun = Update::default().with(1, 1, [after((1, 0), "b")]);
        (2..=u64::from(count)).rev().fold(begun, |all, client| {
            let origin = if client == 2 { (1, 1) } else { (client - 1, 0) };
            all.with(client, 0, [after(origin, "x")])
        })
    });
}

#[test]
fn deletions_in_the_worst_order_take_linear_time() {
    let mut document = Document::default();
    let units = (0..2 * SECTIONS)
        .map(|clock| clock.checked_sub(1).map_or_else(|| super::write::text("x"), |at| after((1, at), "x")));
    document.admit(ANN, &update(1, 0, units));
    document.admit(ANN, &(0..SECTIONS / 2).fold(Update::default(), |all, at| all.deleting(1, 4 * at..4 * at + 1)));
    assert_linear("every other unit", &document, |count| {
        (0..count).fold(Update::default(), |all, at| all.deleting(1, 2 * at..2 * at + 1))
    });
    assert_linear("of clients that do not exist", &document, |count| {
        (2..u64::from(count)).fold(Update::default(), |all, client| all.deleting(client, 0..1))
    });
}
