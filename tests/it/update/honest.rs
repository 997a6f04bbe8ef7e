//! What real Yjs clients send passes, and is read as Yjs reads it.

use std::collections::BTreeMap;

use coterie::update::{scan, summary};

use super::oracle::Oracle;
use super::written::described;

const SESSIONS: u64 = 320;

/// Everything a session must have shown at least once.
const CONTENTS: [&str; 42] = [
    "ContentAny",
    "ContentBinary",
    "ContentDeleted",
    "ContentDoc",
    "ContentEmbed",
    "ContentFormat",
    "ContentJSON",
    "ContentString",
    "ContentType",
    "GC",
    "Skip",
    "any array",
    "any bigint",
    "any bytes",
    "any false",
    "any float32",
    "any float64",
    "any integer",
    "any null",
    "any object",
    "any string",
    "any true",
    "any undefined",
    "between",
    "delete set",
    "map entry",
    "nested",
    "string astral",
    "string combining",
    "type Array",
    "type Map",
    "type Text",
    "type XmlElement",
    "type XmlFragment",
    "type XmlHook",
    "type XmlText",
    "gc on",
    "gc off",
    "ids of 1 byte",
    "ids of 5 bytes",
    "ids of 8 bytes",
    "updates",
];

#[test]
fn honest_updates_are_read_as_yjs_reads_them() {
    let mut oracle = Oracle::start();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut kinds: BTreeMap<String, u64> = BTreeMap::new();
    for seed in 0..SESSIONS {
        let session = oracle.session(seed, seed % 2 == 0, seed % 4 < 2);
        let updates = [session.rows, session.others, vec![session.state]].concat();
        *seen.entry(if session.gc { "gc on" } else { "gc off" }.into()).or_default() += updates.len() as u64;
        *seen.entry("updates".into()).or_default() += updates.len() as u64;
        for (update, expected) in updates.iter().zip(oracle.decoded(&updates)) {
            let scan = scan(update).unwrap_or_else(|wrong| panic!("seed {seed}: {wrong}: {update:02x?}"));
            assert_eq!(described(&scan), expected, "seed {seed}: {update:02x?}");
            assert_eq!(summary(update).map(|summary| summary.deleted.contains_all(&scan.deletions)), Ok(true));
            for one in &scan.structs {
                *kinds.entry(format!("{:?}", one.kind)).or_default() += 1;
            }
            for section in &scan.sections {
                let bytes = super::bytes::number(section.client.0).len();
                *seen.entry(format!("ids of {bytes} byte{}", if bytes == 1 { "" } else { "s" })).or_default() += 1;
            }
        }
    }
    seen.extend(oracle.coverage());
    println!("honest updates: seeds 0..{SESSIONS}; scanned structs: {kinds:?}\nseen: {seen:?}\nrefused: 0");
    for name in CONTENTS {
        assert!(seen.get(name).is_some_and(|&times| times > 0), "no {name} in these sessions");
    }
    assert!(seen["updates"] >= 30_000);
    assert_eq!(kinds.len(), 11, "every kind of struct");
}
