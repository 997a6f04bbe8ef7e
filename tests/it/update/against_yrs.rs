//! What we merge, cut and compare means the same to yrs. It misreads XML hooks and JSON contents, so its sessions
//! have none; those kinds have Yjs as their only judge.

use coterie::update::{Kind, StateVector, diff, merge, scan, summary, take};
use yrs::types::ToJson;
use yrs::updates::decoder::Decode;
use yrs::updates::encoder::Encode;
use yrs::{Any, Doc, GetString, OffsetKind, Options, ReadTxn, Transact, Update};

use super::bytes::Random;
use super::oracle::{Oracle, part_of};
use super::written::ids;

const SEED: u64 = 40_000;
const SESSIONS: u64 = 100;

/// What must be equal for two yrs documents to be the same.
#[derive(Debug, PartialEq)]
struct Facts {
    vector: StateVector,
    deleted: String,
    text: String,
    array: String,
    map: String,
}

/// Text of which a pair of surrogates counts as two halves: split or not, it is the same length.
fn halves(text: &str) -> String {
    text.chars().map(|one| if one.len_utf16() == 2 { "\u{fffd}\u{fffd}".into() } else { one.to_string() }).collect()
}

/// A value as text, keys in order.
fn written(value: &Any) -> String {
    match value {
        Any::Array(list) => format!("[{}]", list.iter().map(written).collect::<Vec<_>>().join(",")),
        Any::Map(map) => {
            let mut entries: Vec<String> = map.iter().map(|(key, value)| format!("{key}:{}", written(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(","))
        }
        // An XML type; yrs writes attributes and embedded objects in any order, so all there is to compare is a heap.
        Any::String(text) if text.contains(['<', '{']) => {
            let mut heap: Vec<char> = halves(text).chars().collect();
            heap.sort_unstable();
            heap.into_iter().collect()
        }
        Any::String(text) => halves(text),
        other => format!("{other:?}"),
    }
}

fn load(updates: &[Vec<u8>]) -> Facts {
    // With offsets in bytes a split pair of surrogates changes lengths, and yrs counts below zero.
    let doc = Doc::with_options(Options { offset_kind: OffsetKind::Utf16, ..Options::default() });
    let (text, array, map) = (doc.get_or_insert_text("t"), doc.get_or_insert_array("a"), doc.get_or_insert_map("m"));
    doc.get_or_insert_xml_fragment("x");
    let mut txn = doc.transact_mut();
    for update in updates {
        txn.apply_update(Update::decode_v1(update).unwrap()).unwrap();
    }
    assert!(!txn.has_missing_updates());
    drop(txn);
    let txn = doc.transact();
    let state = txn.encode_state_as_update_v1(&yrs::StateVector::default());
    let sum = summary(&state).unwrap_or_else(|wrong| panic!("yrs writes what we refuse: {wrong}: {state:02x?}"));
    assert_eq!(sum.state_vector.encode().len(), txn.state_vector().encode_v1().len());
    Facts {
        vector: sum.state_vector,
        deleted: ids(&sum.deleted),
        text: halves(&text.get_string(&txn)),
        array: written(&array.to_json(&txn)),
        map: written(&map.to_json(&txn)),
    }
}

/// The ids an update brings and those it deletes, whoever wrote it.
fn extent(update: &[u8]) -> (String, String) {
    let scan = scan(update).unwrap_or_else(|wrong| panic!("yrs writes what we refuse: {wrong}: {update:02x?}"));
    let brought = scan.ids(|kind| kind != Kind::Skip, |_| 0, |_| u32::MAX);
    (ids(&brought), ids(&scan.deletions))
}

#[test]
fn merging_cutting_and_comparing_agree_with_yrs() {
    let mut oracle = Oracle::start();
    let mut random = Random::new(SEED);
    let (mut documents, mut updates) = (0, 0);
    for seed in SEED..SEED + SESSIONS {
        let session = oracle.session(seed, seed % 2 == 0, false);
        let (rows, state) = (&session.rows, &session.state);
        let expected = load(rows);
        let merged = merge(rows).unwrap();
        assert_eq!(load(std::slice::from_ref(&merged)), expected, "seed {seed}: merged");
        assert_eq!(summary(&merged).unwrap().state_vector, expected.vector, "seed {seed}");
        let parsed = scan(state).unwrap();
        let mut causal = session.vectors.clone();
        causal.truncate(8);
        for vector in &causal {
            let known = parsed.deletions.below(vector);
            let first = take(state, &parsed, |_| 0, |client| vector.get(client), &known);
            let rest = diff(state, vector).unwrap();
            assert_eq!(load(&[first, rest]), expected, "seed {seed}: cut at {vector:?}");
            documents += 1;
        }
        let middle = rows.len() / 2;
        let halves = [merge(&rows[..middle]).unwrap(), merge(&rows[middle..]).unwrap()];
        assert_eq!(load(&halves), expected, "seed {seed}: halves");
        documents += 2;

        let refs: Vec<&[u8]> = rows.iter().map(Vec::as_slice).collect();
        assert_eq!(extent(&yrs::merge_updates_v1(&refs).unwrap()), extent(&merged), "seed {seed}: merge");
        let vector = yrs::encode_state_vector_from_update_v1(state).unwrap();
        assert_eq!(StateVector::decode(&vector).unwrap(), summary(state).unwrap().state_vector, "seed {seed}");
        for _ in 0..20 {
            let vector = part_of(&summary(state).unwrap().state_vector, &mut random);
            let theirs = yrs::diff_updates_v1(state, &vector.encode()).unwrap();
            assert_eq!(extent(&theirs), extent(&diff(state, &vector).unwrap()), "seed {seed}: diff at {vector:?}");
        }
        updates += 22;
    }
    println!("against yrs: seeds {SEED}..{}; {documents} documents, {updates} updates", SEED + SESSIONS);
    assert!(documents > 300 && updates > 2_000);
}
