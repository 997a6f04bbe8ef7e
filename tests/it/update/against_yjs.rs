//! What we merge, cut and compare means to Yjs what its own would mean, and where Yjs would write the same bytes the
//! bytes are the same.

use std::collections::BTreeMap;

use coterie::update::{ClientId, IdSet, Scan, StateVector, diff, implied_deletions, merge, scan, summary, take};

use super::bytes::Random;
use super::oracle::{Oracle, Session, part_of};
use super::written::{ids, normal};

const SEED: u64 = 20_000;
const SESSIONS: u64 = 240;
const VECTORS: usize = 60;

type Cases = BTreeMap<&'static str, usize>;

#[test]
fn merging_cutting_and_comparing_agree_with_yjs() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(SEED);
    let mut cases = Cases::new();
    for seed in SEED..SEED + SESSIONS {
        let session = oracle.session(seed, seed % 2 == 0, seed % 4 < 2);
        let about = format!("seed {seed}");
        judge_merges(&mut oracle, &mut random, &session, &about, &mut cases);
        compare_merges(&mut oracle, &mut random, &session, &mut cases);
        compare_differences(&mut oracle, &mut random, &session, &about, &mut cases);
        compare_updates(&mut oracle, &mut random, &session, &about, &mut cases);
        judge_cuts(&mut oracle, &mut random, &session, &about, &mut cases);
        compare_cuts(&mut oracle, &session, &about, &mut cases);
        compare_implied(&mut oracle, &mut random, &session, &about, &mut cases);
    }
    let all: usize = cases.values().sum();
    println!("against yjs: seeds {SEED}..{}; {all} cases: {cases:?}", SEED + SESSIONS);
    for name in [
        "merge judged",
        "merge bytes",
        "merge bytes with skips",
        "state vector",
        "deleted ids",
        "diff bytes",
        "diff judged",
        "diff update bytes",
        "cut judged",
        "cut in three judged",
        "cut as snapshot",
        "implied deletions",
        "implied and not said",
    ] {
        assert!(cases.get(name).is_some_and(|&times| times > 0), "no case of: {name}");
    }
    assert!(all >= 100_000, "{all} cases");
}

/// What a document of any part of the log has deleted, though no deletion of entries and of what is nested is said, is
/// what follows from it.
fn compare_implied(oracle: &mut Oracle, random: &mut Random, session: &Session, about: &str, cases: &mut Cases) {
    for _ in 0..10 {
        let rows = &session.rows[..1 + random.below(session.rows.len() as u64) as usize];
        let mut part = merge(rows).unwrap();
        let scan = scan(&part).unwrap();
        if random.below(2) == 0 {
            let said: IdSet = scan.deletions.iter().filter(|_| random.below(3) == 0).collect();
            part = take(&part, &scan, |_| 0, |_| u32::MAX, &said);
        }
        let ours = implied_deletions(&part).unwrap();
        let (_, theirs, _) = oracle.differences(session.gc, &part, &[]);
        assert_eq!(ids(&ours), theirs, "{about}: {part:02x?}");
        *cases.entry("implied deletions").or_default() += 1;
        if ours != summary(&part).unwrap().deleted {
            *cases.entry("implied and not said").or_default() += 1;
        }
    }
}

/// Merged in any grouping and any order, with or without overlaps, it is the same document.
fn judge_merges(oracle: &mut Oracle, random: &mut Random, session: &Session, about: &str, cases: &mut Cases) {
    let rows = &session.rows;
    let mut candidates = vec![vec![merge(rows).unwrap()]];
    for _ in 0..3 {
        let mut groups = Vec::new();
        let mut rest = &rows[..];
        while !rest.is_empty() {
            let (group, after) = rest.split_at(1 + random.below(rest.len().min(40) as u64) as usize);
            groups.push(merge(group).unwrap());
            rest = after;
        }
        candidates.push(vec![merge(&groups).unwrap()]);
        candidates.push(groups);
    }
    for _ in 0..3 {
        let mut shuffled = rows.clone();
        if random.below(2) == 0 {
            shuffled.extend(session.others.iter().cloned());
        }
        for index in (1..shuffled.len()).rev() {
            shuffled.swap(index, random.below(index as u64 + 1) as usize);
        }
        candidates.push(vec![merge(&shuffled).unwrap()]);
    }
    candidates.push(vec![merge(&[&session.state]).unwrap()]);
    *cases.entry("merge judged").or_default() += oracle.judge(session.gc, rows, &candidates, about);
}

/// Rows with and without gaps, merged, are the bytes of `Y.mergeUpdates`.
fn compare_merges(oracle: &mut Oracle, random: &mut Random, session: &Session, cases: &mut Cases) {
    let lists: Vec<Vec<Vec<u8>>> = (0..30)
        .map(|round| session.rows.iter().filter(|_| round == 0 || random.below(4) > 0).cloned().collect())
        .filter(|list: &Vec<_>| !list.is_empty())
        .collect();
    for (list, (expected, vector)) in lists.iter().zip(oracle.merged(&lists)) {
        let ours = merge(list).unwrap();
        assert_eq!(normal(&ours), normal(&expected), "{list:02x?}");
        assert_eq!(summary(&ours).unwrap().state_vector.encode(), sorted(&vector));
        let skips = scan(&ours).unwrap().structs.iter().any(|one| one.kind == coterie::update::Kind::Skip);
        *cases.entry(if skips { "merge bytes with skips" } else { "merge bytes" }).or_default() += 1;
        *cases.entry("state vector").or_default() += 1;
    }
}

/// What a document lacks at random state vectors is what its own Yjs would send; and it brings it up to date.
fn compare_differences(oracle: &mut Oracle, random: &mut Random, session: &Session, about: &str, cases: &mut Cases) {
    let whole = summary(&session.state).unwrap().state_vector;
    let mut vectors = session.vectors.clone();
    vectors.extend([StateVector::default(), whole.clone()]);
    vectors.resize_with(VECTORS, || part_of(&whole, random));
    let (state, deleted, expected) = oracle.differences(session.gc, &session.state, &vectors);
    let sum = summary(&state).unwrap();
    assert_eq!(ids(&sum.deleted), deleted, "{about}");
    assert!(sum.whole);
    *cases.entry("deleted ids").or_default() += 1;
    for (vector, (of_doc, of_update)) in vectors.iter().zip(expected) {
        let ours = diff(&state, vector).unwrap();
        assert_eq!(ours, of_doc, "{about}, at {vector:?}");
        assert_eq!(normal(&ours), normal(&of_update), "{about}, at {vector:?}");
        *cases.entry("diff bytes").or_default() += 1;
    }
    let scan = scan(&state).unwrap();
    let candidates: Vec<Vec<Vec<u8>>> = vectors
        .iter()
        .take(12)
        .map(|vector| vec![below(&state, &scan, vector, &scan.deletions.below(vector)), diff(&state, vector).unwrap()])
        .collect();
    *cases.entry("diff judged").or_default() +=
        oracle.judge(session.gc, std::slice::from_ref(&state), &candidates, about);
}

/// Every single update, from a random state vector on, is what `Y.diffUpdate` leaves of it.
fn compare_updates(oracle: &mut Oracle, random: &mut Random, session: &Session, about: &str, cases: &mut Cases) {
    let questions: Vec<(Vec<u8>, StateVector)> = [&session.rows[..], &session.others]
        .concat()
        .into_iter()
        .map(|update| {
            let ends = scan(&update).unwrap().sections.iter().map(|one| (one.client, one.end)).collect();
            let vector = part_of(&ends, random);
            (update, vector)
        })
        .collect();
    let answers = oracle.diff_updates(&questions);
    for ((update, vector), (expected, known)) in questions.iter().zip(answers) {
        let ours = diff(update, vector).unwrap();
        assert_eq!(normal(&ours), normal(&expected), "{about}: {update:02x?} at {vector:?}");
        let scan = scan(update).unwrap();
        let taken = take(update, &scan, |client| vector.get(client), |_| u32::MAX, &scan.deletions);
        assert_eq!(taken, ours, "{about}: {update:02x?} at {vector:?}");
        assert_eq!(summary(update).unwrap().state_vector.encode(), sorted(&known), "{about}: {update:02x?}");
        *cases.entry("diff update bytes").or_default() += 1;
        *cases.entry("state vector").or_default() += 1;
    }
}

/// Cut anywhere, the parts together are the whole.
fn judge_cuts(oracle: &mut Oracle, random: &mut Random, session: &Session, about: &str, cases: &mut Cases) {
    let state = &session.state;
    let scan = scan(state).unwrap();
    let whole = summary(state).unwrap().state_vector;
    let (mut twos, mut threes) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let (a, b) = (part_of(&whole, random), part_of(&whole, random));
        let low: StateVector = whole.iter().map(|(client, _)| (client, a.get(client).min(b.get(client)))).collect();
        let high: StateVector = whole.iter().map(|(client, _)| (client, a.get(client).max(b.get(client)))).collect();
        let from = |vector: StateVector| move |client: ClientId| vector.get(client);
        let first = below(state, &scan, &low, &scan.deletions.below(&low));
        let rest = take(state, &scan, from(low.clone()), |_| u32::MAX, &scan.deletions);
        twos.push(vec![first.clone(), rest]);
        let middle = take(state, &scan, from(low), from(high.clone()), &IdSet::default());
        let last = take(state, &scan, from(high), |_| u32::MAX, &scan.deletions);
        threes.push(vec![first, middle, last]);
    }
    *cases.entry("cut judged").or_default() += oracle.judge(session.gc, std::slice::from_ref(state), &twos, about);
    *cases.entry("cut in three judged").or_default() +=
        oracle.judge(session.gc, std::slice::from_ref(state), &threes, about);
}

/// The part below a state vector that was once somebody's is what Yjs cuts for a snapshot of that moment.
fn compare_cuts(oracle: &mut Oracle, session: &Session, about: &str, cases: &mut Cases) {
    if session.gc {
        return;
    }
    let scan = scan(&session.state).unwrap();
    let parts = oracle.below(&session.state, &session.vectors);
    for (vector, expected) in session.vectors.iter().zip(parts) {
        let ours = below(&session.state, &scan, vector, &scan.deletions);
        *cases.entry("cut as snapshot").or_default() += oracle.judge(false, &[expected], &[vec![ours]], about);
    }
}

fn below(state: &[u8], scan: &Scan, vector: &StateVector, deletions: &IdSet) -> Vec<u8> {
    take(state, scan, |_| 0, |client| vector.get(client), deletions)
}

/// `encodeStateVectorFromUpdate` writes clients in the order of the update.
fn sorted(vector: &[u8]) -> Vec<u8> {
    StateVector::decode(vector).unwrap().encode()
}
