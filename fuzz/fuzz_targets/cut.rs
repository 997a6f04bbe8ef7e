//! Parts cut out of updates: well-formed, within what was asked for, and together the whole.
#![no_main]

use coterie::update::{merge, scan, summary, take};
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let (cut, other) = (plan.number(), plan.number());
    let raw = plan.one_in(4);
    let update = if raw { plan.rest().to_vec() } else { History::default().update(&mut plan) };
    let Ok(scanned) = scan(&update) else { return };
    count(if raw { "accepted as they were" } else { "accepted from plans" });
    let sum = summary(&update).unwrap();
    let (from, to) = (cut.min(other), cut.max(other));
    let part = take(&update, &scanned, |_| from, |_| to, &scanned.deletions);
    let part = scan(&part).expect("a part is well-formed");
    assert_eq!(part.deletions, scanned.deletions);
    for section in &part.sections {
        assert!(section.clock >= from && section.end <= to && section.clock < section.end);
        count("cut");
    }
    let low = take(&update, &scanned, |_| 0, |_| from, &scanned.deletions);
    let high = take(&update, &scanned, |_| from, |_| u32::MAX, &scanned.deletions);
    let whole = summary(&merge(&[low, high]).unwrap()).unwrap();
    assert_eq!((&whole.state_vector, &whole.deleted, &whole.formats), (&sum.state_vector, &sum.deleted, &sum.formats));
});
