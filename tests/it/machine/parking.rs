//! What comes too early waits, is asked for again, and is refused in the end; nothing is owed for ever.

use coterie::ids::ConnectionId;
use coterie::limits;
use coterie::protocol::{ClientMessage, yjs};
use coterie::room::machine::{EditKind, Input, Message};

use super::database::POISON;
use super::room::{ANN, BOB, Room};
use crate::gate::write::{after, deletion, skip, text, update};

/// How often a connection was asked to send everything, and the answers to its edits.
fn asked_and_answers(room: &mut Room, connection: ConnectionId) -> (usize, Vec<&'static str>) {
    let told = room.told(connection);
    let asked = told
        .iter()
        .filter(|(_, message)| match message {
            Message::Other(bytes) => matches!(yjs::decode(bytes).unwrap()[..], [ClientMessage::SyncStep1(_)]),
            _ => false,
        })
        .count();
    let answers = told.iter().filter_map(|(_, message)| match message {
        Message::Saved => Some("saved"),
        Message::Refused(refusal) => Some(refusal.code()),
        _ => None,
    });
    (asked, answers.collect())
}

#[test]
fn an_early_edit_is_saved_when_what_it_builds_on_came_and_is_committed() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [after((2, 0), "b")]).bytes());
    room.dispatch();
    assert!(room.append.is_none(), "an early edit is not logged");
    room.send(bob, &update(2, 0, [text("a")]).bytes());
    assert!(room.answers(ann).is_empty());
    room.commit();
    assert_eq!((room.answers(ann), room.answers(bob)), (vec!["saved"], vec!["saved"]));
    assert_eq!(room.tally.parked.get(), 1);
    assert_eq!(room.machine.next_tick(), None, "nothing is left to wait for");
}

#[test]
fn edits_that_wait_for_each_other_come_in_one_after_the_other() {
    let mut room = Room::new();
    let seats: Vec<_> = (0..20).map(|_| room.editor(ANN)).collect();
    for (&seat, client) in seats.iter().zip(2..) {
        room.send(seat, &update(client, 0, [after((client - 1, 0), "x")]).bytes());
    }
    assert_eq!(room.tally.parked.get(), 20);
    let first = room.editor(ANN);
    room.send(first, &update(1, 0, [text("a")]).bytes());
    room.commit();
    for seat in seats {
        assert_eq!(room.answers(seat), ["saved"]);
    }
}

#[test]
fn reordered_frames_of_one_connection_are_all_saved_in_order() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let frames: Vec<_> = (0..6)
        .map(|clock| update(1, clock, [if clock == 0 { text("a") } else { after((1, clock - 1), "b") }]).bytes())
        .collect();
    for at in [3, 1, 5, 4, 2] {
        room.send(ann, &frames[at]);
    }
    room.dispatch();
    assert!(room.append.is_none());
    room.send(ann, &frames[0]);
    room.commit();
    assert_eq!(room.answers(ann), ["saved"; 6]);
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn a_frame_partly_admitted_is_saved_when_all_of_it_is() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a"), skip(2), after((1, 2), "d")]).bytes());
    room.commit();
    assert_eq!(room.database.rows.len(), 1, "the first part is saved");
    assert!(room.answers(ann).is_empty(), "and not acknowledged");
    room.send(ann, &update(1, 1, [after((1, 0), "bc")]).bytes());
    room.dispatch();
    assert!(room.answers(ann).is_empty());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "saved"]);
}

#[test]
fn an_early_deletion_is_saved_when_its_text_came() {
    let mut room = Room::new();
    // Two tabs of one person, who tell each other what they write past the server.
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    room.send(tab, &update(2, 0, [text("ab")]).bytes());
    room.send(ann, &deletion(2, 1..4).bytes());
    room.commit();
    assert!(room.answers(ann).is_empty(), "half of it is");
    room.send(tab, &update(2, 2, [after((2, 1), "cd")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.database.state(0).deleted, crate::gate::write::ids(&[(2, 1..4)]));
}

#[test]
fn a_deletion_that_waits_is_no_trap_for_what_another_types() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(bob, &deletion(2, 0..4).bytes());
    room.send(ann, &update(2, 0, [text("ab")]).bytes());
    room.commit();
    assert_eq!((room.answers(ann), room.answers(bob)), (vec!["saved"], vec!["foreign_client"]));
    assert_eq!(room.database.state(0).deleted, crate::gate::write::ids(&[]));
}

#[test]
fn what_never_comes_is_asked_for_and_refused_in_the_end() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let early = update(1, 4, [text("x")]).bytes();
    room.send(ann, &early);
    for _ in 0..limits::RESYNCS {
        assert_eq!(asked_and_answers(&mut room, ann), (0, vec![]));
        room.wait_for_parked();
        assert_eq!(asked_and_answers(&mut room, ann), (1, vec![]), "{}", room.now);
        room.handle(Input::Update(ann, EditKind::Sync, early.clone()));
    }
    room.wait_for_parked();
    assert_eq!(asked_and_answers(&mut room, ann), (0, vec!["incomplete"]), "the answers to our questions are not owed");
    assert_eq!(room.tally.resyncs.get(), u64::from(limits::RESYNCS));
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn a_client_that_does_not_answer_is_told_all_the_same() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 4, [text("x")]).bytes());
    room.send(ann, &update(2, 0, [text("y")]).bytes());
    room.commit();
    for _ in 0..=limits::RESYNCS {
        assert_eq!(room.answers(ann), [""; 0]);
        room.wait_for_parked();
    }
    assert_eq!(room.answers(ann), ["incomplete", "saved"]);
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn an_answer_that_completes_it_is_not_acknowledged_itself() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let early = update(1, 1, [after((1, 0), "b")]).bytes();
    room.send(ann, &early);
    room.wait_for_parked();
    room.handle(Input::Update(ann, EditKind::Sync, update(1, 0, [text("ab")]).bytes()));
    room.commit();
    assert_eq!(asked_and_answers(&mut room, ann), (1, vec!["saved"]), "one answer for one Update");
    room.handle(Input::Update(ann, EditKind::Sync, update(1, 0, [text("ab")]).bytes()));
    assert_eq!(room.answers(ann), ["saved"], "a SyncStep2 of the client's own accord is");
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn what_came_another_way_is_noticed_by_the_next_deadline() {
    let mut room = Room::new();
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    room.send(ann, &update(1, 1, [after((1, 0), "b")]).bytes());
    room.wait_for_parked();
    assert_eq!(asked_and_answers(&mut room, ann), (1, vec![]));
    room.send(tab, &update(1, 0, [text("ab")]).bytes());
    room.commit();
    room.wait_for_parked();
    assert_eq!(asked_and_answers(&mut room, ann), (0, vec!["saved"]));
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn an_edit_that_goes_on_does_not_put_off_the_end_of_one_that_does_not() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 4, [text("x")]).bytes());
    for clock in 0..=limits::RESYNCS {
        let one = if clock == 0 { text("y") } else { after((2, clock - 1), "y") };
        room.send(ann, &update(2, clock, [one]).bytes());
        room.commit();
        assert!(room.answers(ann).is_empty());
        room.wait_for_parked();
    }
    assert_eq!(room.answers(ann), ["incomplete", "saved", "saved", "saved", "saved"]);
}

#[test]
fn what_can_never_be_complete_is_refused_at_once() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text(POISON)]).bytes());
    room.dispatch();
    room.send(ann, &update(1, 3, [after((1, 2), "d")]).bytes());
    room.send(ann, &update(2, 0, [text("e")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["unstorable", "ended_client", "saved"]);
}

#[test]
fn a_retry_that_is_refused_says_so_and_leaves_other_early_edits_alone() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    // Client 1 will turn out to be Bob's; client 2 waits for something else of his.
    room.send(ann, &update(1, 1, [after((1, 0), "x")]).bytes());
    room.send(ann, &update(2, 0, [after((7, 0), "y")]).bytes());
    room.send(bob, &update(1, 0, [text("a")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["foreign_client"]);
    room.send(bob, &update(7, 0, [text("b")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
}

#[test]
fn more_than_the_bound_is_not_kept_but_asked_for_at_once() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let paste = "x".repeat(limits::PARKED_BYTES / 3);
    for clock in [5, 1_000_000, 2_000_000] {
        room.send(ann, &update(1, clock, [text(&paste)]).bytes());
    }
    assert_eq!(room.machine.next_tick(), Some(0), "the third is too much");
    room.now += 10;
    room.wait_until(room.now);
    assert_eq!(asked_and_answers(&mut room, ann), (1, vec![]));
    let whole = update(1, 0, [text(&"x".repeat(2_000_000 + paste.len()))]).bytes();
    room.handle(Input::Update(ann, EditKind::Sync, whole));
    room.commit();
    assert_eq!(room.answers(ann), ["saved"; 3]);
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn a_flood_of_tiny_early_edits_is_bounded_too() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let kept = limits::PARKED_BYTES / (limits::EDIT_OVERHEAD + 20);
    for clock in 0..kept as u32 {
        room.send(ann, &update(1, 1_000_000 + 2 * clock, [text("a")]).bytes());
    }
    assert_ne!(room.machine.next_tick(), Some(0));
    for clock in 0..kept as u32 / 10 {
        room.send(ann, &update(1, 5_000_000 + 2 * clock, [text("a")]).bytes());
    }
    assert_eq!(room.machine.next_tick(), Some(0));
}

#[test]
fn an_early_edit_is_tried_again_only_when_what_it_waits_for_came() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    for _ in 0..50 {
        room.send(ann, &update(1, 0, [after((2, 400), "x")]).bytes());
    }
    let parked = room.tally.parked.get();
    for clock in 0..400 {
        let one = if clock == 0 { text("y") } else { after((2, clock - 1), "y") };
        room.send(bob, &update(2, clock, [one]).bytes());
    }
    assert_eq!(room.tally.parked.get(), parked);
    assert!(room.answers(ann).is_empty());
    room.send(bob, &update(2, 400, [after((2, 399), "y")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"; 50]);
}

#[test]
fn one_who_leaves_takes_what_waits_along() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [after((2, 0), "x")]).bytes());
    room.handle(Input::Leave(ann));
    room.send(bob, &update(2, 0, [text("y")]).bytes());
    room.commit();
    assert_eq!(room.database.rows.len(), 1);
    assert_eq!(room.machine.next_tick(), None);
}
