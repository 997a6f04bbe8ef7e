//! What is new and in order is admitted: as it came, or cut to what is new.

use coterie::gate::{Owner, Refusal};
use coterie::limits;
use coterie::update::{ClientId, EMPTY, MAX_CLOCK, Malformed};

use super::write::{after, before, between, deletion, ids, inside, mark, text, update};
use super::{ANN, BOB, Document, clients, vector};

#[test]
fn an_update_that_breaks_the_grammar_is_refused() {
    let document = Document::default();
    for (bytes, wrong) in [
        (&b"\x01\x01"[..], Malformed::Count(0)),
        (b"\x00\x00\x00", Malformed::Trailing(2)),
        (b"\x01\x01\x07\x00\x0b\x01\x01t\x00", Malformed::Kind(4)),
        (b"\x01\x00\x07\x00\x00\x01\x00", Malformed::EmptySection(1)),
    ] {
        let decision = document.decide_bytes(ANN, true, &bytes.into());
        assert_eq!(decision.refused, Some(Refusal::Malformed(wrong)), "{bytes:02x?}");
        assert!(decision.admitted.is_none() && decision.parked.is_none() && decision.ended.is_empty());
        assert_eq!(document.decide_bytes(BOB, false, &bytes.into()), decision, "a reader's too");
    }
    let full = update(1, MAX_CLOCK, [text("a")]);
    assert!(matches!(document.decide(ANN, &full).refused, Some(Refusal::Malformed(Malformed::Clock(_)))));
}

#[test]
fn what_follows_on_is_admitted_as_it_came() {
    let mut document = Document::default();
    for one in [
        update(1, 0, [text("ab"), after((1, 1), "cd")]),
        update(1, 4, [between((1, 0), (1, 1), "x"), before((1, 0), "y"), mark((1, 2))]).deleting(1, 0..1),
        update(1, 7, [inside((1, 2), "z")]),
    ] {
        let bytes = one.bytes();
        let decision = document.decide_bytes(ANN, true, &bytes);
        let admitted = decision.admitted.expect("it is new");
        assert_eq!(admitted.update, bytes);
        assert_eq!(admitted.update.as_ptr(), bytes.as_ptr(), "the same bytes, not a copy");
        assert!(decision.refused.is_none() && decision.parked.is_none());
        document.state.admit(&admitted);
    }
    assert_eq!(document.state.clocks, vector(&[(1, 8)]));
    assert_eq!(document.state.deleted, ids(&[(1, 0..1)]));
    assert_eq!(document.state.formats, ids(&[(1, 6..7)]));
    assert_eq!(document.state.owners[&ClientId(1)], Owner::User(ANN));
}

#[test]
fn what_is_known_already_is_cut_off() {
    let document = Document::default().wrote(ANN, &update(1, 0, [text("ab")]));
    // The first two units are known; the third and fourth are one character.
    let again = update(1, 0, [text("ab😀c")]);
    let admitted = document.decide(ANN, &again).admitted.unwrap();
    assert_eq!(admitted.update, update(1, 2, [after((1, 1), "😀c")]).bytes());
    assert_eq!(admitted.clocks, [(ClientId(1), 5)]);
    // A cut through the character leaves a unit on either side.
    let document = Document::default().wrote(ANN, &update(1, 0, [text("abc")]));
    let admitted = document.decide(ANN, &again).admitted.unwrap();
    assert_eq!(admitted.update, update(1, 3, [after((1, 2), "\u{fffd}c")]).bytes());
}

#[test]
fn what_is_known_already_is_cut_off_in_each_section() {
    let document =
        Document::default().wrote(ANN, &update(1, 0, [text("ab")])).wrote(BOB, &update(2, 0, [after((1, 0), "cd")]));
    let decision = document.decide(
        ANN,
        &update(2, 0, [after((1, 0), "cd")]).with(1, 0, [text("ab"), after((2, 1), "x")]).deleting(2, 0..1),
    );
    assert_eq!(
        decision.admitted.unwrap().update,
        update(1, 2, [after((2, 1), "x")]).deleting(2, 0..1).bytes(),
        "neither the known section nor the known struct"
    );
}

#[test]
fn what_is_known_in_whole_is_neither_admitted_nor_refused() {
    let all = update(2, 0, [after((1, 0), "c")]).with(1, 0, [text("ab")]).deleting(1, 1..2);
    let document = Document::default().wrote(ANN, &all);
    for known in [
        all,
        update(1, 0, [text("ab")]),
        update(1, 1, [after((1, 0), "b")]),
        deletion(1, 1..2),
        update(2, 0, [after((1, 0), "c")]).deleting(1, 1..2),
    ] {
        assert!(document.decide(ANN, &known).is_known());
        assert!(document.decide(BOB, &known).is_known(), "whoever sends it");
    }
    assert!(document.decide_bytes(BOB, true, &EMPTY.into()).is_known());
}

#[test]
fn sections_may_build_on_each_other_in_any_order() {
    for ascending in [false, true] {
        let mut document = Document::default().announced(1, ANN).announced(2, ANN);
        let one = (1, vec![text("a"), after((2, 0), "c"), after((2, 1), "e")]);
        let two = (2, vec![after((1, 0), "b"), after((1, 1), "d")]);
        let (first, second) = if ascending { (one, two) } else { (two, one) };
        let frame = update(first.0, 0, first.1).with(second.0, 0, second.1);
        let admitted = document.admit(ANN, &frame);
        assert_eq!(admitted.update, frame.bytes());
        assert_eq!(document.state.clocks, vector(&[(1, 3), (2, 2)]));
    }
}

#[test]
fn a_document_grows_no_further_than_its_limit() {
    let mut document = Document::default().wrote(ANN, &update(1, 0, [text("ab")]));
    let more = update(1, 2, [after((1, 1), "c")]);
    document.state.bytes = limits::DOCUMENT_BYTES - more.bytes().len();
    assert!(document.decide(ANN, &more).admitted.is_some(), "exactly up to the limit");
    document.state.bytes += 1;
    let decision = document.decide(ANN, &more);
    assert_eq!((decision.refused, decision.ended), (Some(Refusal::TooLarge), clients(&[1])));
    assert!(decision.admitted.is_none());
    assert!(document.decide(ANN, &deletion(1, 0..1)).admitted.is_some(), "deletions make it smaller");
    assert!(document.decide(ANN, &update(1, 0, [text("ab")])).is_known());
}

#[test]
fn only_what_is_new_counts_for_the_limit() {
    let mut document = Document::default().wrote(ANN, &update(1, 0, [text(&"a".repeat(1_000))]));
    let whole = update(1, 0, [text(&"a".repeat(1_001))]);
    document.state.bytes = limits::DOCUMENT_BYTES - 100;
    let decision = document.decide(ANN, &whole);
    assert!(decision.refused.is_none(), "{:?}", decision.refused);
    assert_eq!(decision.admitted.unwrap().update, update(1, 1_000, [after((1, 999), "a")]).bytes());
}

#[test]
fn an_update_leans_on_what_another_client_wrote_and_nobody_committed() {
    let mut document =
        Document::default().wrote(ANN, &update(1, 0, [text("ab")])).wrote(BOB, &update(2, 0, [after((1, 0), "c")]));
    document.admit(ANN, &update(1, 2, [after((1, 1), "d")]));
    // 1:2 is admitted, not committed.
    for (leans, one) in [
        (false, update(2, 1, [after((1, 1), "x")])),
        (true, update(2, 1, [after((1, 2), "x")])),
        (true, update(2, 1, [between((1, 1), (1, 2), "x")])),
        (true, update(2, 1, [inside((1, 2), "x")])),
        (false, update(2, 1, [after((2, 0), "x")]).deleting(1, 1..2)),
        (true, update(2, 1, [after((2, 0), "x")]).deleting(1, 1..3)),
        (true, deletion(1, 2..3)),
    ] {
        assert_eq!(document.decide(BOB, &one).admitted.unwrap().leans, leans, "{one:?}");
    }
    assert!(!document.decide(ANN, &update(1, 3, [after((1, 2), "e")])).admitted.unwrap().leans, "its own follows on");
}
