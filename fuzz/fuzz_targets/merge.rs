//! Updates merged: nothing of any is lost, in whatever order, and once more changes nothing.
#![no_main]

use coterie::update::{merge, scan, summary};
use coterie_fuzz::tally::{count, count_many};
use coterie_fuzz::{History, Plan};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let mut plan = Plan::new(bytes);
    let mut history = History::default();
    let mut updates = Vec::new();
    while !plan.is_over() && updates.len() < 24 {
        let raw = plan.one_in(8).then(|| usize::from(plan.byte()));
        updates.push(match raw {
            Some(most) => plan.take(most).to_vec(),
            None => history.update(&mut plan),
        });
    }
    let Ok(merged) = merge(&updates) else {
        assert!(updates.iter().any(|update| scan(update).is_err()), "well-formed updates merge");
        updates.retain(|update| scan(update).is_ok());
        return;
    };
    count("merged");
    count_many("updates", updates.len() as u64);
    let sum = summary(&merged).expect("well-formed");
    let backwards: Vec<&Vec<u8>> = updates.iter().rev().collect();
    let other = summary(&merge(&backwards).unwrap()).unwrap();
    assert_eq!((&sum.state_vector, sum.whole), (&other.state_vector, other.whole));
    let again = summary(&merge(&[&merged, &merged]).unwrap()).unwrap();
    assert_eq!(again, sum);
    for update in &updates {
        let part = scan(update).unwrap();
        assert!(sum.deleted.contains_all(&part.deletions));
        let whole = scan(&merged).unwrap();
        for section in &part.sections {
            for one in part.structs_of(section).iter().filter(|one| one.kind != coterie::update::Kind::Skip) {
                let id = coterie::update::Id { client: section.client, clock: one.end() - 1 };
                assert!(whole.struct_at(id).is_some_and(|one| one.kind != coterie::update::Kind::Skip), "{id:?}");
            }
        }
    }
});
