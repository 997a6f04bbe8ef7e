//! What a client lacks of a state: nothing it has, all it has not.
#![no_main]

use coterie::update::{StateVector, diff, merge, says_the_same, scan, summary, take};
use coterie_fuzz::tally::count;
use coterie_fuzz::{History, Plan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let raw_vector = plan.one_in(4).then(|| plan.take(12));
    let cut = plan.number();
    let mut history = History::default();
    let mut updates = Vec::new();
    while !plan.is_over() && updates.len() < 12 {
        updates.push(history.update(&mut plan));
    }
    updates.retain(|update| scan(update).is_ok());
    let state = merge(&updates).expect("well-formed");
    let sum = summary(&state).unwrap();
    let ends: StateVector =
        scan(&state).unwrap().sections.iter().map(|section| (section.client, section.end.min(cut))).collect();
    let vector = match raw_vector.map(StateVector::decode) {
        Some(Err(_)) => return count("vectors refused"),
        Some(Ok(vector)) => vector,
        None => ends,
    };
    count("compared");
    let rest = diff(&state, &vector).unwrap();
    let scanned = scan(&rest).expect("a difference is well-formed");
    for section in &scanned.sections {
        assert!(section.clock >= vector.get(section.client));
        count("sections lacked");
    }
    assert!(diff(&state, &StateVector::default()).is_ok_and(|all| summary(&all).unwrap().structs == sum.structs));
    let scanned = scan(&state).unwrap();
    let had = take(&state, &scanned, |_| 0, |client| vector.get(client), &scanned.deletions);
    let whole = merge(&[had, rest]).unwrap();
    let again = summary(&whole).unwrap();
    assert_eq!((&again.state_vector, &again.deleted, &again.formats), (&sum.state_vector, &sum.deleted, &sum.formats));
    // Half of a character reads U+FFFD once it is cut, as in Yjs.
    if !whole.windows(3).any(|bytes| bytes == "\u{fffd}".as_bytes()) {
        count("of the same content");
        assert_eq!(says_the_same(&state, &whole, &sum.deleted), Ok(true));
    }
});
