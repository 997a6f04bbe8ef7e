//! Deletions may name whoever's text, but only text that exists.

use coterie::gate::Refusal;
use coterie::update::ClientId;

use super::write::{after, deletion, garbage, gone, ids, text, update};
use super::{ANN, BOB, Document, clients, vector};

fn document() -> Document {
    Document::default().wrote(ANN, &update(1, 0, [text("abcd")]))
}

#[test]
fn anyone_who_may_edit_may_delete_anyones_text() {
    let frame = deletion(1, 1..3);
    let bytes = frame.bytes();
    let admitted = document().decide_bytes(BOB, true, &bytes).admitted.unwrap();
    assert_eq!(admitted.update.as_ptr(), bytes.as_ptr());
    assert_eq!(admitted.deleted, ids(&[(1, 1..3)]));
    assert!(admitted.claims.is_empty() && admitted.clocks.is_empty());
}

#[test]
fn a_deletion_of_unknown_ids_is_parked() {
    for unknown in [deletion(1, 4..6), deletion(7, 0..1)] {
        let decision = document().decide(ANN, &unknown);
        let early = decision.parked.unwrap();
        assert!(decision.admitted.is_none() && decision.refused.is_none());
        assert_eq!(early.update, unknown.bytes());
        assert!(early.extent.clocks.is_empty());
    }
}

#[test]
fn of_a_half_known_range_the_known_half_is_deleted_and_the_rest_parked() {
    let mut document = document();
    let decision = document.decide(ANN, &deletion(1, 2..6));
    let admitted = decision.admitted.unwrap();
    assert_eq!(admitted.update, deletion(1, 2..4).bytes());
    document.state.admit(&admitted);
    let early = decision.parked.unwrap();
    assert_eq!(early.update, deletion(1, 4..6).bytes());
    assert_eq!(early.waits[&ClientId(1)], 4);
    document.admit(ANN, &update(1, 4, [after((1, 3), "ef")]));
    assert!(!early.extent.is_covered(&document.state));
    let rest = document.decide_again(ANN, &early.update).admitted.unwrap();
    document.state.admit(&rest);
    assert!(early.extent.is_covered(&document.state));
    assert_eq!(document.state.deleted, ids(&[(1, 2..6)]));
}

#[test]
fn what_another_has_yet_to_write_cannot_be_deleted() {
    for (document, trap, exists) in [
        (document(), deletion(1, 4..900), None),
        (document(), deletion(1, 2..900), Some(ids(&[(1, 2..4)]))),
        (document().announced(9, ANN), deletion(9, 0..900), None),
    ] {
        let decision = document.decide(BOB, &trap);
        assert!(matches!(decision.refused, Some(Refusal::Foreign(_))), "{decision:?}");
        assert!(decision.parked.is_none() && decision.ended.is_empty(), "{decision:?}");
        assert_eq!(decision.admitted.map(|admitted| admitted.deleted), exists, "what is there may be deleted");
    }
    // Of an id that was nobody's when it came.
    let mut document = document();
    let early = document.decide(BOB, &deletion(9, 0..900)).parked.unwrap();
    document.admit(ANN, &update(9, 0, [text("mine")]));
    let decision = document.decide_again(BOB, &early.update);
    assert_eq!(decision.refused, Some(Refusal::Foreign(ClientId(9))));
    assert!(decision.admitted.is_none() && decision.parked.is_none(), "{decision:?}");
    assert!(document.decide_again(ANN, &early.update).admitted.is_some(), "a tab of the same person");
}

#[test]
fn only_new_deletions_are_logged() {
    let document = document().wrote(BOB, &deletion(1, 0..2));
    let admitted = document.decide(BOB, &deletion(1, 0..3)).admitted.unwrap();
    assert_eq!(admitted.update, deletion(1, 2..3).bytes());
    assert_eq!(admitted.deleted, ids(&[(1, 2..3)]));
}

#[test]
fn an_update_may_delete_what_it_brings() {
    let frame = update(2, 0, [after((1, 3), "xy")]).deleting(2, 0..1).deleting(1, 0..1);
    let admitted = document().decide(BOB, &frame).admitted.unwrap();
    assert_eq!(admitted.update, frame.bytes());
    assert_eq!(admitted.deleted, ids(&[(1, 0..1), (2, 0..1)]));
}

#[test]
fn garbage_and_deleted_content_count_as_deleted() {
    let mut document = document();
    document.admit(BOB, &update(2, 0, [garbage(2), gone((1, 0), 3)]));
    assert_eq!(document.state.deleted, ids(&[(2, 0..5)]));
    assert!(document.decide(ANN, &deletion(2, 0..5)).is_known());
}

#[test]
fn garbage_in_anothers_name_is_refused() {
    let frame = update(1, 4, [garbage(3)]);
    assert!(document().decide(ANN, &frame).admitted.is_some(), "the owner's own");
    let decision = document().decide(BOB, &frame);
    assert_eq!(decision.refused, Some(Refusal::Foreign(ClientId(1))));
    assert_eq!(decision.ended, clients(&[1]));
    assert!(decision.admitted.is_none() && decision.parked.is_none());
    // What everyone has may be garbage to whoever sends it.
    let collected = update(1, 0, [garbage(4)]);
    assert!(document().decide(BOB, &collected).is_known());
}

#[test]
fn deletions_of_what_was_refused_are_refused_with_it() {
    let frame = update(3, 0, [after((1, 0), "x")]).with(1, 4, [garbage(3)]).deleting(1, 3..6);
    let decision = document().decide(BOB, &frame);
    assert_eq!(decision.refused, Some(Refusal::Foreign(ClientId(1))));
    let admitted = decision.admitted.unwrap();
    assert_eq!(admitted.update, update(3, 0, [after((1, 0), "x")]).deleting(1, 3..4).bytes());
    assert_eq!(admitted.clocks.iter().copied().collect::<coterie::update::StateVector>(), vector(&[(3, 1)]));
    assert!(decision.parked.is_none(), "1:4 and 1:5 never come from here");
    // Alone, later, on the same connection.
    let mut document = document();
    document.ended.insert(ClientId(1));
    assert_eq!(document.decide(BOB, &deletion(1, 4..6)).refused, Some(Refusal::Ended(ClientId(1))));
    assert!(document.decide(BOB, &deletion(1, 0..2)).refused.is_none(), "what exists may be deleted");
}
