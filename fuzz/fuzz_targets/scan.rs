//! Any bytes as an update and as a state vector: read in full by every reader, to the same end.
#![no_main]

use coterie::update::{Kind, StateVector, scan, summary};
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};

/// What an input begins with that is a plan, and is no update by itself.
const PLAN: u8 = 0xff;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let made = bytes.strip_prefix(&[PLAN]).map(|plan| History::default().update(&mut Plan::new(plan)));
    let bytes = made.as_deref().unwrap_or(bytes);
    if let Ok(vector) = StateVector::decode(bytes) {
        count("state vectors");
        assert_eq!(StateVector::decode(&vector.encode()), Ok(vector));
    }
    let scanned = scan(bytes);
    let summed = summary(bytes);
    assert_eq!(scanned.as_ref().map(drop).map_err(|wrong| *wrong), summed.as_ref().map(drop).map_err(|wrong| *wrong));
    let (Ok(scan), Ok(sum)) = (scanned, summed) else { return };
    count("accepted");
    let mut structs = 0;
    for section in &scan.sections {
        let mut at = section.clock;
        for one in scan.structs_of(section) {
            assert_eq!(one.clock, at);
            assert!(one.len > 0 && one.bytes.end <= bytes.len());
            at = one.end();
            structs += usize::from(one.kind != Kind::Skip);
            count(match one.kind {
                Kind::Gc => "gc",
                Kind::Skip => "skip",
                Kind::Deleted => "deleted",
                Kind::Json => "json",
                Kind::Binary => "binary",
                Kind::String => "string",
                Kind::Embed => "embed",
                Kind::Format => "format",
                Kind::Type => "type",
                Kind::Any => "any",
                Kind::Doc => "doc",
            });
        }
        assert_eq!(at, section.end);
    }
    assert_eq!(structs, sum.structs);
    assert!(sum.deleted.contains_all(&scan.deletions));
});
