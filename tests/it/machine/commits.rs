//! Saved means saved: what the outcomes of an append mean for its authors and for everyone else.

use coterie::gate::State;
use coterie::journal::Outcome;
use coterie::limits;
use coterie::protocol::close::Close;
use coterie::room::machine::{Input, Message};
use coterie::update::{ClientId, scan};

use super::database::{Database, POISON};
use super::room::{ANN, BOB, GUEST, Room, person};
use crate::gate::write::{after, before, deletion, text, update};

/// The state that the log amounts to.
fn assert_state_is_the_logs(room: &Room) {
    let state: &State = room.machine.state();
    assert_eq!(*state, room.database.state(state.bytes));
}

#[test]
fn an_edit_is_neither_shown_nor_acknowledged_before_it_is_committed() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.reader(BOB));
    let edit = update(1, 0, [text("a")]).bytes();
    room.send(ann, &edit);
    assert!(room.answers(ann).is_empty() && room.shown.is_empty());
    room.dispatch();
    assert!(room.append.is_some());
    assert!(room.answers(ann).is_empty() && room.shown.is_empty());
    room.handle(Input::Ask(bob, vec![0].into()));
    room.answer();
    assert_eq!(room.attempt(), Outcome::Committed);
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.shown[0].from, Some(ann), "whose own content need not be shown");
    assert_eq!(room.edits(), [edit]);
    assert!(room.answers(bob).is_empty());
    assert_state_is_the_logs(&room);
}

#[test]
fn what_arrives_during_a_commit_forms_the_next() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.dispatch();
    for clock in 1..50 {
        room.send(ann, &update(1, clock, [after((1, clock - 1), "b")]).bytes());
        room.dispatch();
    }
    assert_eq!(room.append.as_ref().map(|append| append.rows.len()), Some(1));
    room.attempt();
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.commit(), [Outcome::Committed]);
    assert_eq!(room.answers(ann), ["saved"; 49]);
    assert_eq!(room.database.rows.len(), 2, "the edits of one author are merged into one row");
    assert_eq!(room.edits().len(), 2, "and into one frame");
}

#[test]
fn edits_of_several_authors_become_a_row_each_where_causality_allows() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(bob, &update(2, 0, [text("b")]).bytes());
    room.send(ann, &update(1, 1, [after((1, 0), "c")]).bytes());
    room.send(bob, &update(2, 1, [after((2, 0), "d")]).bytes());
    room.commit();
    let authors: Vec<_> = room.database.rows.iter().map(|row| row.author).collect();
    assert_eq!(authors, [ANN, BOB]);
}

#[test]
fn an_edit_does_not_move_in_front_of_what_it_builds_on() {
    for leaning in [
        update(1, 1, [after((2, 0), "c")]),
        update(1, 1, [before((2, 0), "c")]),
        update(1, 1, [after((1, 0), "c")]).deleting(2, 0..1),
        deletion(2, 0..1),
    ] {
        let mut room = Room::new();
        let (ann, bob) = (room.editor(ANN), room.editor(BOB));
        room.send(ann, &update(1, 0, [text("a")]).bytes());
        room.send(bob, &update(2, 0, [text("b")]).bytes());
        room.send(ann, &leaning.bytes());
        room.commit();
        let authors: Vec<_> = room.database.rows.iter().map(|row| row.author).collect();
        assert_eq!(authors, [ANN, BOB, ANN]);
        assert_state_is_the_logs(&room);
    }
}

#[test]
fn an_edit_does_not_move_in_front_of_what_the_same_person_wrote_as_a_guest() {
    let mut room = Room::new();
    let guest = room.editor(GUEST);
    let mut signed_in = person(ANN);
    signed_in.merged = [GUEST].into();
    room.database.merge_user(GUEST, ANN);
    let ann = room.join(&signed_in, true);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(guest, &update(3, 0, [text("b")]).bytes());
    room.send(ann, &update(3, 1, [after((3, 0), "c")]).bytes());
    room.commit();
    let authors: Vec<_> = room.database.rows.iter().map(|row| row.author).collect();
    assert_eq!(authors, [ANN, GUEST, ANN]);
}

#[test]
fn one_refused_edit_among_several_is_found_by_halving_and_the_others_survive() {
    for at in [0, 3, 8] {
        let mut room = Room::new();
        let writers: Vec<_> = (0..9).map(|_| room.editor(ANN)).collect();
        for (writer, client) in writers.iter().zip(1..) {
            let content = if client == at + 1 { POISON } else { "a" };
            room.send(*writer, &update(client, 0, [text(content)]).bytes());
        }
        let outcomes = room.commit();
        assert!(outcomes.len() <= 12, "halving: {outcomes:?}");
        for (writer, client) in writers.iter().zip(1..) {
            let answer = if client == at + 1 { "unstorable" } else { "saved" };
            assert_eq!(room.answers(*writer), [answer], "client {client} with poison in {}", at + 1);
        }
        assert_eq!(room.tally.unstorable.get(), 1);
        assert_state_is_the_logs(&room);
        let shown: usize = room.edits().iter().map(|edit| scan(edit).unwrap().sections.len()).sum();
        assert_eq!(shown, 8);
    }
}

#[test]
fn what_builds_on_a_refused_edit_is_refused_and_the_rest_is_not() {
    let mut room = Room::new();
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    room.send(ann, &update(1, 0, [text(POISON)]).bytes());
    room.send(ann, &update(1, 1, [after((1, 0), "b")]).bytes());
    room.send(tab, &update(2, 0, [after((1, 0), "c")]).bytes());
    room.send(tab, &update(4, 0, [text("d")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["unstorable", "ended_client"]);
    assert_eq!(room.answers(tab), ["incomplete", "saved"]);
    assert_state_is_the_logs(&room);
    room.send(ann, &update(1, 2, [after((1, 1), "e")]).bytes());
    assert_eq!(room.answers(ann), ["ended_client"], "at once");
}

#[test]
fn a_known_duplicate_of_an_edit_that_fails_later_is_refused_as_well() {
    let edit = update(1, 0, [text(POISON)]).bytes();
    let mut room = Room::new();
    let (ann, tab, early) = (room.editor(ANN), room.editor(ANN), room.editor(ANN));
    room.send(early, &update(2, 0, [text("a")]).bytes());
    room.dispatch();
    room.send(early, &update(2, 0, [text("a")]).bytes());
    room.send(ann, &edit);
    room.send(tab, &edit);
    assert!(room.answers(tab).is_empty());
    room.attempt();
    assert_eq!(room.answers(early), ["saved", "saved"], "known before that edit came");
    room.dispatch();
    room.attempt();
    // The log is being read again; until then the state still has the edit.
    room.send(tab, &edit);
    assert!(room.reloading && room.answers(tab).is_empty());
    room.commit();
    assert_eq!(room.answers(ann), ["unstorable"]);
    assert_eq!(room.answers(tab), ["unstorable", "unstorable"]);
    assert_state_is_the_logs(&room);
}

#[test]
fn what_repeats_only_committed_content_is_saved_whatever_becomes_of_the_edits_under_way() {
    let committed = update(1, 0, [text("a")]).bytes();
    let mut room = Room::new();
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    room.send(ann, &committed);
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    room.send(tab, &update(2, 0, [text(POISON)]).bytes());
    room.send(ann, &committed);
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.answers(tab), ["unstorable"]);
}

#[test]
fn a_frame_is_not_saved_when_one_of_its_parts_is_refused() {
    for early_part_comes_first in [true, false] {
        let mut room = Room::new();
        let (ann, bob) = (room.editor(ANN), room.editor(BOB));
        room.announce(ann, 1, 1, Some("{}"));
        room.announce(ann, 2, 1, Some("{}"));
        // The poison is admitted; client 2 waits for Bob.
        room.send(ann, &update(2, 0, [after((7, 0), "b")]).with(1, 0, [text(POISON)]).bytes());
        room.dispatch();
        if !early_part_comes_first {
            room.commit();
        }
        room.send(bob, &update(7, 0, [text("c")]).bytes());
        room.commit();
        assert_eq!(room.answers(ann), ["unstorable"], "although its other part is saved");
        assert_eq!(room.answers(bob), ["saved"]);
        assert_eq!(room.database.clocks().get(ClientId(2)), 1);
    }
}

#[test]
fn a_conflict_is_answered_by_going_on_from_what_the_log_holds() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(bob, &update(2, 0, [after((1, 0), "b")]).bytes());
    room.dispatch();
    room.database.write_elsewhere(GUEST, update(3, 0, [text("c")]).bytes());
    assert_eq!(room.commit(), [Outcome::Conflict, Outcome::Committed]);
    assert_eq!((room.answers(ann), room.answers(bob)), (vec!["saved"], vec!["saved"]));
    assert_eq!(room.database.head.seq, 3);
    assert_state_is_the_logs(&room);
    assert_eq!(room.tally.conflicts.get(), 1);
}

#[test]
fn what_another_server_committed_meanwhile_is_saved_and_not_logged_twice() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    let edit = update(1, 0, [text("a")]).bytes();
    room.send(ann, &edit);
    room.send(bob, &update(2, 0, [text("b")]).bytes());
    room.dispatch();
    room.database.write_elsewhere(ANN, edit);
    room.commit();
    assert_eq!((room.answers(ann), room.answers(bob)), (vec!["saved"], vec!["saved"]));
    assert_eq!(room.database.rows.len(), 2);
    assert_state_is_the_logs(&room);
}

#[test]
fn a_client_that_another_server_gave_to_somebody_else_is_refused_after_a_conflict() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(bob, &update(2, 0, [text("b")]).bytes());
    room.dispatch();
    room.send(ann, &update(1, 1, [after((1, 0), "c")]).bytes());
    room.database.write_elsewhere(GUEST, update(1, 0, [text("z")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "foreign_client"], "the first is there, if not from here");
    assert_eq!(room.answers(bob), ["saved"]);
}

#[test]
fn an_unknown_outcome_is_settled_by_the_batch() {
    for (committed, appended_elsewhere) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut room = Room::new();
        let ann = room.editor(ANN);
        room.send(ann, &update(1, 0, [text("a")]).bytes());
        room.dispatch();
        if committed {
            let append = room.append.clone().unwrap();
            assert_eq!(room.database.attempt(&append), Outcome::Committed);
        }
        if appended_elsewhere {
            room.database.write_elsewhere(BOB, update(2, 0, [text("b")]).bytes());
        }
        room.commit();
        assert_eq!(room.answers(ann), ["saved"]);
        room.send(ann, &update(1, 1, [after((1, 0), "c")]).bytes());
        room.commit();
        assert_eq!(room.answers(ann), ["saved"]);
        assert_eq!(room.database.rows.len(), 2 + usize::from(appended_elsewhere));
        assert_state_is_the_logs(&room);
    }
}

#[test]
fn the_edits_of_one_who_left_are_committed_all_the_same() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.handle(Input::Leave(ann));
    assert!(!room.machine.is_idle());
    room.commit();
    assert!(room.machine.is_idle());
    assert_eq!(room.database.rows.len(), 1);
}

#[test]
fn the_answers_of_one_connection_keep_the_order_of_its_frames() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(ann, &b"\x01".as_slice().into());
    room.send(ann, &update(1, 1, [after((7, 0), "b")]).bytes());
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    assert!(room.answers(ann).is_empty(), "a refusal does not overtake what waits");
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "saved", "malformed"]);
    room.send(bob, &update(7, 0, [text("c")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "saved"]);
}

#[test]
fn a_document_that_ends_refuses_what_is_owed_and_tells_everyone() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.reader(BOB));
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.send(ann, &update(1, 9, [text("a")]).bytes());
    room.dispatch();
    room.handle(Input::End(Close::Deleted));
    assert_eq!(room.answers(ann), ["gone", "gone", "ended"]);
    assert_eq!(room.answers(bob), ["ended"]);
    assert!(room.machine.has_ended() && room.machine.is_idle());
    room.settle(Outcome::Committed);
    let late = room.editor(BOB);
    assert!(matches!(room.told(late)[..], [(_, Message::Ended(Close::Deleted))]));
    room.send(late, &update(2, 0, [text("b")]).bytes());
    room.dispatch();
    assert!(room.append.is_none() && room.shown.is_empty());
}

#[test]
fn a_room_takes_in_no_more_than_its_limit_and_counts_the_smallest_edits() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let mut clock = 0;
    while room.machine.accepts() {
        let one = if clock == 0 { text("a") } else { after((1, clock - 1), "a") };
        room.send(ann, &update(1, clock, [one]).bytes());
        clock += 1;
        assert!((clock as usize) < limits::DEBTS, "the debts are bounded elsewhere");
    }
    assert!((clock as usize) < limits::PENDING_BYTES / limits::EDIT_OVERHEAD, "each counts for more than its bytes");
    room.commit();
    assert!(room.machine.accepts());
    assert_eq!(room.answers(ann).len(), clock as usize);
}

#[test]
fn a_client_that_leaves_too_many_answers_open_is_sent_away() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    let early = update(1, 5, [text("a")]).bytes();
    for _ in 0..limits::DEBTS {
        room.send(ann, &early);
    }
    assert!(room.answers(ann).is_empty());
    room.send(ann, &early);
    assert!(matches!(room.told(ann)[..], [(_, Message::Ended(Close::TryAgain))]));
    assert!(room.machine.is_idle());
}

#[test]
fn a_log_of_another_epoch_ends_the_room() {
    let mut room = Room::load(Database::default());
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.commit();
    room.send(ann, &update(1, 1, [after((1, 0), "b")]).bytes());
    room.dispatch();
    room.database.restore(1);
    assert_eq!(room.attempt(), Outcome::Conflict);
    room.reload();
    assert_eq!(room.answers(ann), ["saved", "gone", "ended"]);
    assert!(room.machine.has_ended());
}

#[test]
fn what_others_append_is_read_also_when_it_comes_during_a_commit_or_a_read() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    // During a commit that came first: it is committed, and what came after it is read.
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.dispatch();
    let outcome = room.database.attempt(room.append.as_ref().unwrap());
    room.database.write_elsewhere(GUEST, update(3, 0, [text("b")]).bytes());
    room.handle(Input::Look);
    assert!(!room.machine.has_looked());
    room.settle(outcome);
    // During a read that may have been just before it.
    let before = room.database.load();
    room.database.write_elsewhere(GUEST, update(4, 0, [text("c")]).bytes());
    room.handle(Input::Look);
    room.reloading = false;
    room.handle(Input::Reloaded(Box::new(before)));
    assert!(!room.machine.has_looked());
    room.reload();
    assert!(room.machine.has_looked());
    assert_eq!(room.machine.committed().head, room.database.head);
    assert_eq!(room.answers(ann), ["saved"]);
    assert_state_is_the_logs(&room);
}
