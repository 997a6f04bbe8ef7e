//! Frames that bring nothing new: what is owed for them rests on what they repeat, and a reader's on what follows from
//! the document.

use bytes::Bytes;

use coterie::journal::Outcome;
use coterie::room::machine::{EditKind, Input};

use super::database::POISON;
use super::room::{ANN, BOB, Room};
use crate::gate::write::{after, deletion, entry, entry_over, garbage, inside, list, mark, text, update};

#[test]
fn a_frame_that_repeats_a_pending_edit_beside_its_own_is_refused_with_it() {
    for fails in [true, false] {
        let mut room = Room::new();
        let (ann, tab) = (room.editor(ANN), room.editor(ANN));
        room.announce(ann, 1, 1, Some("{}"));
        room.announce(tab, 2, 1, Some("{}"));
        let content = if fails { POISON } else { "a" };
        room.send(ann, &update(1, 0, [text(content)]).bytes());
        room.send(tab, &update(2, 0, [text("b")]).with(1, 0, [text(content)]).bytes());
        room.commit();
        let answer = if fails { "unstorable" } else { "saved" };
        assert_eq!((room.answers(ann), room.answers(tab)), (vec![answer], vec![answer]));
        assert_eq!(room.database.clocks().get(coterie::update::ClientId(2)), 1, "its own part is saved in any case");
    }
}

#[test]
fn a_frame_that_repeats_a_pending_edit_and_comes_too_early_is_refused_with_it() {
    let mut room = Room::new();
    let (ann, tab, bob) = (room.editor(ANN), room.editor(ANN), room.editor(BOB));
    room.send(ann, &update(1, 0, [text(POISON)]).bytes());
    room.send(tab, &update(2, 0, [after((7, 0), "b")]).with(1, 0, [text(POISON)]).bytes());
    room.commit();
    room.send(bob, &update(7, 0, [text("c")]).bytes());
    room.commit();
    assert_eq!((room.answers(ann), room.answers(bob)), (vec!["unstorable"], vec!["saved"]));
    assert_eq!(room.answers(tab), ["unstorable"]);
}

#[test]
fn a_repeated_deletion_is_refused_with_the_edit_that_made_it() {
    let mut room = Room::new();
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    room.send(ann, &update(1, 0, [text("ab")]).bytes());
    room.commit();
    room.answers(ann);
    room.send(ann, &update(1, 2, [after((1, 1), POISON)]).deleting(1, 0..1).bytes());
    room.send(tab, &deletion(1, 0..1).bytes());
    room.commit();
    assert_eq!((room.answers(ann), room.answers(tab)), (vec!["unstorable"], vec!["unstorable"]));
}

#[test]
fn what_becomes_of_edits_that_a_frame_does_not_repeat_is_nothing_to_it() {
    let mut room = Room::new();
    let (ann, bob, tab) = (room.editor(ANN), room.editor(BOB), room.editor(ANN));
    let (first, last) = (update(1, 0, [text("a")]).bytes(), update(1, 1, [after((1, 0), "b")]).bytes());
    room.send(ann, &first);
    room.send(bob, &update(2, 0, [text(POISON)]).bytes());
    room.send(ann, &last);
    for frame in [&first, &last] {
        room.send(tab, frame);
    }
    room.commit();
    assert_eq!((room.answers(bob), room.answers(ann)), (vec!["unstorable"], vec!["saved"; 2]));
    assert_eq!(room.answers(tab), ["saved"; 2], "they came before and after the one that failed");
}

#[test]
fn a_repeated_frame_is_refused_where_a_conflict_takes_its_content_away() {
    let mut room = Room::new();
    let (ann, tab) = (room.editor(ANN), room.editor(ANN));
    let edit = update(1, 0, [text("a"), after((1, 0), "bc")]).bytes();
    room.send(ann, &edit);
    room.dispatch();
    room.send(tab, &edit);
    // Another server gave the client to somebody else.
    room.database.write_elsewhere(BOB, update(1, 0, [text("z")]).bytes());
    assert_eq!(room.commit(), [Outcome::Conflict]);
    assert_eq!((room.answers(ann), room.answers(tab)), (vec!["foreign_client"], vec!["foreign_client"]));
}

/// What a reader may send of a document, and whether it is news.
fn ask_as_reader(written: &[Bytes], sent: &Bytes) -> &'static str {
    let mut room = Room::new();
    let (ann, reader) = (room.editor(ANN), room.reader(BOB));
    for client in [1, 2, 3] {
        room.announce(ann, client, 1, Some("{}"));
    }
    for one in written {
        room.send(ann, one);
        room.commit();
    }
    assert_eq!(room.answers(ann), vec!["saved"; written.len()]);
    room.handle(Input::Update(reader, EditKind::Sync, sent.clone()));
    if room.implying.is_some() {
        assert!(room.answers(reader).is_empty(), "nothing before it is known");
        room.imply();
    }
    assert_eq!(room.commit(), [], "a reader's frame is never logged");
    let [answer] = room.answers(reader)[..] else { panic!("one answer") };
    answer
}

#[test]
fn a_reader_may_have_lost_map_entries_that_others_were_written_over() {
    // Written at the same time, so that neither deletes the other; then one more over the second.
    let written = [
        update(1, 0, [entry("k", "a")]).bytes(),
        update(2, 0, [entry("k", "b")]).bytes(),
        update(1, 1, [entry("other", "c")]).bytes(),
        update(3, 0, [entry_over((2, 0), "d")]).bytes(),
    ];
    for (lost, answer) in [
        (deletion(1, 0..1), "saved"),
        (deletion(1, 0..1).deleting(2, 0..1), "saved"),
        (deletion(3, 0..1), "read_only"),
        (deletion(1, 1..2), "read_only"),
        (deletion(1, 0..2), "read_only"),
    ] {
        assert_eq!(ask_as_reader(&written, &lost.bytes()), answer, "{lost:?}");
    }
    let not_over = [update(1, 0, [entry("k", "a"), entry_over((1, 0), "b")]).bytes(), written[1].clone()];
    assert_eq!(ask_as_reader(&not_over, &deletion(1, 0..2).bytes()), "saved", "the higher client comes last");
    assert_eq!(ask_as_reader(&not_over, &deletion(2, 0..1).bytes()), "read_only");
}

#[test]
fn a_reader_may_have_lost_what_is_in_something_deleted() {
    let alive = [update(1, 0, [list()]).bytes(), update(2, 0, [inside((1, 0), "ab"), after((2, 1), "cd")]).bytes()];
    let gone = [&alive[..], &[deletion(1, 0..1).bytes(), update(3, 0, [after((2, 3), "late")]).bytes()]].concat();
    for lost in [deletion(2, 0..4), deletion(2, 1..3), deletion(3, 0..4).deleting(2, 0..4)] {
        assert_eq!(ask_as_reader(&gone, &lost.bytes()), "saved", "{lost:?}");
    }
    assert_eq!(ask_as_reader(&alive, &deletion(2, 0..4).bytes()), "read_only");
    assert_eq!(ask_as_reader(&alive, &deletion(1, 0..1).bytes()), "read_only");
    let nested = [
        update(1, 0, [entry("k", "x"), [vec![0x27, 1], string("map"), string("n"), vec![1]].concat()]).bytes(),
        update(2, 0, [[vec![0x24, 0, 1, 1], string("in"), string("y")].concat()]).bytes(),
        update(3, 0, [inside((2, 0), "no type, so nothing is in it")]).bytes(),
        deletion(1, 1..2).bytes(),
    ];
    assert_eq!(ask_as_reader(&nested, &deletion(2, 0..1).bytes()), "saved", "entries of a nested map");
    assert_eq!(ask_as_reader(&nested, &deletion(1, 0..1).bytes()), "read_only");
}

#[test]
fn a_reader_may_have_lost_what_is_beside_garbage_and_never_plain_text() {
    let written = [update(1, 0, [garbage(2), text("abc"), mark((1, 4))]).bytes()];
    assert_eq!(ask_as_reader(&written, &deletion(1, 0..2).bytes()), "saved");
    assert_eq!(ask_as_reader(&written, &deletion(1, 5..6).bytes()), "saved", "a mark");
    assert_eq!(ask_as_reader(&written, &deletion(1, 2..3).bytes()), "read_only");
    assert_eq!(ask_as_reader(&written, &deletion(1, 0..6).bytes()), "read_only");
    let beside = [update(1, 0, [garbage(2)]).bytes(), update(2, 0, [after((1, 1), "ab"), after((2, 1), "cd")]).bytes()];
    assert_eq!(ask_as_reader(&beside, &deletion(2, 0..4).bytes()), "saved");
}

#[test]
fn what_follows_from_a_document_is_found_once_for_all_readers() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    for client in [1, 2, 3] {
        room.announce(ann, client, 1, Some("{}"));
    }
    room.send(ann, &update(1, 0, [entry("k", "a"), text("t")]).with(2, 0, [entry("k", "b")]).bytes());
    room.commit();
    let readers: Vec<_> = (0..50).map(|_| room.reader(BOB)).collect();
    for &reader in &readers {
        room.send(reader, &deletion(1, 0..1).bytes());
    }
    room.imply();
    let late = room.reader(BOB);
    room.send(late, &deletion(1, 0..1).bytes());
    for &reader in readers.iter().chain([&late]) {
        assert_eq!(room.answers(reader), ["saved"]);
    }
    // A reader that knows of later rows is not refused for what followed from earlier ones.
    room.send(late, &deletion(1, 1..2).bytes());
    assert_eq!(room.answers(late), ["read_only"], "for this head it is known");
    room.send(ann, &update(2, 1, [entry("l", "x")]).with(3, 0, [entry("l", "y")]).bytes());
    room.commit();
    room.send(late, &deletion(2, 1..2).bytes());
    assert!(room.answers(late).is_empty());
    room.imply();
    assert_eq!(room.answers(late), ["saved"]);
    assert_eq!((room.tally.known.get(), room.tally.refused.get()), (52, 1));
}

#[test]
fn a_readers_answer_waits_for_what_it_repeats_and_is_refused_with_it() {
    for fails in [true, false] {
        let mut room = Room::new();
        let (ann, reader) = (room.editor(ANN), room.reader(BOB));
        room.send(ann, &update(1, 0, [entry("k", "a")]).with(2, 0, [entry("k", "b")]).bytes());
        room.commit();
        let content = if fails { POISON } else { "c" };
        let edit = update(9, 0, [text(content)]);
        room.send(ann, &edit.bytes());
        // It saw that edit in another tab.
        room.send(reader, &edit.deleting(1, 0..1).bytes());
        room.imply();
        assert!(room.answers(reader).is_empty());
        room.commit();
        assert_eq!(room.answers(reader), [if fails { "unstorable" } else { "saved" }]);
    }
}

fn string(text: &str) -> Vec<u8> {
    crate::gate::write::string(text)
}
