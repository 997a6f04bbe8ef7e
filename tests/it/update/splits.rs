//! Every content that can be longer than one id, split at every clock, against the bytes Yjs writes there.

use std::collections::BTreeMap;

use coterie::update::{ClientId, IdSet, Kind, StateVector, diff, scan, summary, take};

use super::oracle::Oracle;
use super::written::normal;

#[test]
fn every_content_splits_at_every_clock_as_in_yjs() {
    let mut oracle = Oracle::start();
    let mut split: BTreeMap<String, usize> = BTreeMap::new();
    let mut cases = 0;
    for (name, state) in oracle.strips() {
        let gc = !name.ends_with("kept");
        let parsed = scan(&state).unwrap();
        let client = parsed.sections[0].client;
        let end = parsed.sections[0].end;
        let at = |clock: u32| -> StateVector { [(client, clock)].into_iter().collect() };
        let vectors: Vec<StateVector> = (0..=end + 1).map(at).collect();
        let (written, _, differences) = oracle.differences(gc, &state, &vectors);
        assert_eq!(written, state, "{name}");
        let mut parts = Vec::new();
        for (clock, (of_doc, of_update)) in (0..).zip(differences) {
            let right = take(&state, &parsed, |_| clock, |_| u32::MAX, &parsed.deletions);
            assert_eq!(right, of_doc, "{name} from {clock}");
            assert_eq!(normal(&right), normal(&of_update), "{name} from {clock}");
            assert_eq!(diff(&state, &at(clock)).unwrap(), right, "{name} from {clock}");
            let left = take(&state, &parsed, |_| 0, |_| clock, &IdSet::default());
            assert_eq!(summary(&left).unwrap().state_vector, at(clock.min(end)), "{name} below {clock}");
            parts.push(vec![left, right]);
            for inside in parsed.structs.iter().filter(|one| one.clock < clock && clock < one.end()) {
                *split.entry(format!("{:?}", inside.kind)).or_default() += 1;
            }
        }
        // One id at a time, and every window.
        parts.push(windows(&state, client, (0..end).map(|clock| (clock, clock + 1))));
        for from in 0..end {
            for to in from + 1..=end {
                parts.push(windows(&state, client, [(0, from), (from, to), (to, end)]));
            }
        }
        for part in &mut parts {
            // The deletions last, when all that they name is there.
            let mut deletions = vec![0];
            parsed.deletions.encode_into(&mut deletions);
            part.push(deletions);
        }
        cases += oracle.judge(gc, &[state], &parts, &name) + 2 * vectors.len();
    }
    println!("splits: {cases} cases; structs split: {split:?}");
    for kind in [Kind::Gc, Kind::Deleted, Kind::Json, Kind::String, Kind::Any] {
        assert!(split.contains_key(&format!("{kind:?}")), "no {kind:?} was split");
    }
}

/// Lefts of a split text, to the byte: Yjs cuts a state in place when it takes a snapshot of it.
#[test]
fn left_parts_are_the_bytes_of_a_yjs_snapshot() {
    let mut oracle = Oracle::start();
    let mut cases = 0;
    for (name, state) in oracle.strips() {
        // Without their deletions, so that Yjs leaves the contents as they are.
        let bare = take(&state, &scan(&state).unwrap(), |_| 0, |_| u32::MAX, &IdSet::default());
        let parsed = scan(&bare).unwrap();
        // Yjs merges neighbours again when it loads a part; only what is one struct stays comparable as bytes.
        if parsed.structs.len() > 1 || parsed.structs[0].kind.is_deleted() {
            continue;
        }
        let end = parsed.sections[0].end;
        let vectors: Vec<StateVector> =
            (1..=end).map(|clock| [(parsed.sections[0].client, clock)].into_iter().collect()).collect();
        for (clock, expected) in (1..).zip(oracle.below(&bare, &vectors)) {
            let left = take(&bare, &parsed, |_| 0, |_| clock, &IdSet::default());
            assert_eq!(left, expected, "{name} below {clock}");
            cases += 1;
        }
    }
    println!("left parts: {cases} cases");
    assert!(cases > 60);
}

fn windows(state: &[u8], client: ClientId, windows: impl IntoIterator<Item = (u32, u32)>) -> Vec<Vec<u8>> {
    let parsed = scan(state).unwrap();
    assert_eq!(parsed.sections[0].client, client);
    let part = |(from, to)| take(state, &parsed, |_| from, |_| to, &IdSet::default());
    windows.into_iter().map(part).collect()
}
