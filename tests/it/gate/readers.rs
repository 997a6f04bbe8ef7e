//! Readers send frames too: what everyone has, and clean-ups. Those pass; news does not.

use coterie::gate::Refusal;
use coterie::update::{ClientId, EMPTY};

use super::write::{after, deletion, garbage, ids, mark, skip, text, update};
use super::{ANN, Document};

/// "ab", a format mark, and "c".
fn document() -> Document {
    Document::default().wrote(ANN, &update(1, 0, [text("ab"), mark((1, 1)), after((1, 2), "c")]).deleting(1, 0..1))
}

#[test]
fn what_everyone_has_is_known_from_a_reader_too() {
    for known in [
        update(1, 0, [text("ab"), mark((1, 1)), after((1, 2), "c")]).deleting(1, 0..1),
        update(1, 0, [garbage(1), after((1, 0), "b")]),
        deletion(1, 0..1),
    ] {
        assert!(document().decide_for_reader(&known).is_known(), "{known:?}");
    }
    assert!(document().decide_bytes(ANN, false, &EMPTY.into()).is_known());
}

#[test]
fn a_reader_may_find_format_marks_redundant() {
    assert!(document().decide_for_reader(&deletion(1, 2..3)).is_known(), "and nothing is logged");
    let both = document().decide_for_reader(&deletion(1, 2..4));
    assert_eq!(both.unclear, ids(&[(1, 3..4)]), "a mark and a letter");
}

#[test]
fn news_from_a_reader_is_refused() {
    for news in [
        update(1, 4, [after((1, 3), "x")]),
        update(1, 0, [text("ab"), mark((1, 1)), after((1, 2), "cx")]),
        update(2, 0, [text("x")]),
        update(2, 0, [garbage(1)]),
        update(1, 9, [after((1, 8), "x")]),
        update(1, 0, [skip(7), after((1, 6), "x")]),
        update(2, 0, [mark((1, 1))]),
        deletion(1, 9..12),
        deletion(1, 1..5),
        deletion(2, 0..1),
    ] {
        let decision = document().decide_for_reader(&news);
        assert_eq!(decision.refused, Some(Refusal::ReadOnly), "{news:?}");
        assert!(decision.admitted.is_none() && decision.parked.is_none(), "{news:?}");
    }
}

#[test]
fn deletions_of_what_exists_are_left_to_whoever_knows_what_follows_from_the_document() {
    let decision = document().decide_for_reader(&update(1, 0, [text("ab")]).deleting(1, 0..3));
    assert_eq!(decision.unclear, ids(&[(1, 1..2)]), "neither what is deleted nor the mark");
    assert!(!decision.is_known() && decision.refused.is_none() && decision.admitted.is_none());
}

#[test]
fn the_owner_of_a_client_writes_no_more_once_a_reader() {
    let news = update(1, 4, [after((1, 3), "x")]);
    assert!(document().decide(ANN, &news).admitted.is_some());
    let decision = document().decide_bytes(ANN, false, &news.bytes());
    assert_eq!(decision.refused, Some(Refusal::ReadOnly));
    assert!(decision.admitted.is_none());
    let mut document = document();
    document.ended.insert(ClientId(1));
    let known = update(1, 0, [text("ab")]);
    assert!(document.decide_bytes(ANN, false, &known.bytes()).is_known(), "what is known stays known");
}
