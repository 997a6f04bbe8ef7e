//! What comes before something it builds on is parked, and only that part of it.

use coterie::gate::Early;
use coterie::update::ClientId;

use super::write::{Update, after, before, between, deletion, garbage, ids, inside, skip, text, update};
use super::{ANN, BOB, Document, vector};

/// Client 1 wrote two units, client 2 one.
fn document() -> Document {
    Document::default().wrote(ANN, &update(1, 0, [text("ab")])).wrote(BOB, &update(2, 0, [after((1, 0), "c")]))
}

/// What is parked of an update by the owner of client 1; nothing of it may be admitted or refused.
fn parked(frame: &Update) -> Early {
    let decision = document().decide(ANN, frame);
    assert!(decision.admitted.is_none() && decision.refused.is_none(), "{decision:?}");
    decision.parked.expect("it is early")
}

fn waits(early: &Early) -> Vec<(u64, u32)> {
    let mut waits: Vec<_> = early.waits.iter().map(|(client, &clock)| (client.0, clock)).collect();
    waits.sort_unstable();
    waits
}

#[test]
fn what_comes_behind_a_gap_is_parked() {
    let frame = update(1, 4, [after((1, 3), "x")]);
    let early = parked(&frame);
    assert_eq!(early.update, frame.bytes());
    assert_eq!(waits(&early), [(1, 3)], "the unit before it");
    assert_eq!(early.extent.clocks, vector(&[(1, 5)]));
}

#[test]
fn what_names_an_unknown_origin_right_or_parent_is_parked() {
    for (one, waits_for) in [
        (after((2, 1), "x"), (2, 1)),
        (before((2, 7), "x"), (2, 7)),
        (between((1, 0), (3, 0), "x"), (3, 0)),
        (between((3, 5), (1, 0), "x"), (3, 5)),
        (inside((2, 1), "x"), (2, 1)),
        (after((1, 2), "x"), (1, 2)),
        (before((1, 9), "x"), (1, 9)),
    ] {
        let frame = update(1, 2, [one]);
        let early = parked(&frame);
        assert_eq!(early.update, frame.bytes());
        assert_eq!(waits(&early), [waits_for]);
        assert_eq!(early.extent.clocks, vector(&[(1, 3)]));
    }
}

#[test]
fn what_waits_is_admitted_once_that_came() {
    let mut document = document();
    let early = document.decide(ANN, &update(1, 2, [after((2, 1), "x")])).parked.unwrap();
    document.admit(BOB, &update(2, 1, [after((2, 0), "d")]));
    assert!(!early.extent.is_covered(&document.state));
    let decision = document.decide_bytes(ANN, true, &early.update);
    document.state.admit(&decision.admitted.unwrap());
    assert!(early.extent.is_covered(&document.state));
}

#[test]
fn the_part_before_a_gap_is_admitted_and_the_rest_parked() {
    let frame = update(1, 0, [text("ab"), after((1, 1), "x"), skip(3), after((1, 5), "yz")]);
    let decision = document().decide(ANN, &frame);
    assert_eq!(decision.admitted.unwrap().update, update(1, 2, [after((1, 1), "x")]).bytes());
    let early = decision.parked.unwrap();
    assert_eq!(early.update, update(1, 6, [after((1, 5), "yz")]).bytes());
    assert_eq!(waits(&early), [(1, 5)], "the last unit of the gap");
    assert_eq!(early.extent.clocks, vector(&[(1, 8)]));
}

#[test]
fn the_part_before_a_missing_neighbour_is_admitted_and_the_rest_parked() {
    let frame = update(1, 2, [after((1, 1), "x"), after((2, 4), "y"), after((1, 3), "z")]);
    let decision = document().decide(ANN, &frame);
    assert_eq!(decision.admitted.unwrap().update, update(1, 2, [after((1, 1), "x")]).bytes());
    let early = decision.parked.unwrap();
    assert_eq!(early.update, update(1, 3, [after((2, 4), "y"), after((1, 3), "z")]).bytes());
    assert_eq!(waits(&early), [(2, 4)]);
}

#[test]
fn a_gap_that_was_filled_another_way_does_not_wait() {
    let mut document = document();
    document.admit(ANN, &update(1, 2, [after((1, 1), "xyzw")]));
    let frame = update(1, 2, [skip(4), after((1, 5), "u")]);
    assert_eq!(document.decide(ANN, &frame).admitted.unwrap().update, update(1, 6, [after((1, 5), "u")]).bytes());
}

#[test]
fn a_skip_at_the_end_says_nothing() {
    let known = update(1, 0, [text("ab"), skip(5)]);
    assert!(document().decide(ANN, &known).is_known());
    assert!(document().decide(BOB, &known).is_known(), "not even that someone else writes");
    assert!(document().decide_for_reader(&known).is_known());
    let early = parked(&update(1, 2, [after((2, 1), "x"), skip(5)]));
    assert_eq!(early.extent.clocks, vector(&[(1, 3)]), "or it would be owed for ever");
    assert!(document().decide(ANN, &update(1, 2, [skip(5)])).is_known());
}

#[test]
fn sections_that_wait_for_one_that_waits_are_parked_with_it() {
    let mut document = document().announced(3, ANN).announced(4, ANN).announced(5, ANN);
    // 3 waits for 4, which waits for client 2; 5 waits for nobody.
    let frame = update(5, 0, [after((1, 1), "w")]).with(4, 0, [after((2, 1), "v")]).with(3, 0, [after((4, 0), "u")]);
    let decision = document.decide(ANN, &frame);
    assert_eq!(decision.admitted.unwrap().update, update(5, 0, [after((1, 1), "w")]).bytes());
    let early = decision.parked.unwrap();
    assert_eq!(early.update, update(4, 0, [after((2, 1), "v")]).with(3, 0, [after((4, 0), "u")]).bytes());
    assert_eq!(waits(&early), [(2, 1), (4, 0)]);
    document.admit(BOB, &update(2, 1, [after((2, 0), "d")]));
    let all = document.decide_bytes(ANN, true, &early.update);
    assert_eq!(all.admitted.unwrap().update, early.update);
    assert!(all.parked.is_none());
}

#[test]
fn sections_that_wait_for_each_other_in_a_circle_are_parked() {
    let frame = update(4, 0, [after((3, 0), "x")]).with(3, 0, [after((4, 0), "y")]);
    let early = parked(&frame);
    assert_eq!(early.update, frame.bytes());
    assert_eq!(waits(&early), [(3, 0), (4, 0)]);
    let itself = update(3, 0, [garbage(2), after((3, 2), "x")]);
    let decision = document().decide(ANN, &itself);
    assert_eq!(decision.admitted.unwrap().update, update(3, 0, [garbage(2)]).bytes());
    assert_eq!(waits(&decision.parked.unwrap()), [(3, 2)], "a struct that names itself waits for ever");
}

#[test]
fn of_several_ids_of_one_client_the_lowest_is_waited_for() {
    let frame = update(4, 0, [after((2, 9), "x")]).with(3, 0, [after((2, 5), "y")]).deleting(1, 7..8);
    let early = parked(&frame);
    assert_eq!(waits(&early), [(1, 7), (2, 5)]);
    assert_eq!(early.extent.deletions, ids(&[(1, 7..8)]));
    assert!(early.waits.contains_key(&ClientId(2)));
    let deletions = parked(&deletion(1, 7..8).deleting(1, 3..5).deleting(3, 4..6));
    assert_eq!(waits(&deletions), [(1, 3), (3, 4)]);
}
