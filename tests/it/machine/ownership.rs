//! You write as yourself, in every way in which content of others comes along with your own.

use coterie::gate::Owner;
use coterie::journal::Outcome;
use coterie::room::machine::{EditKind, Input};

use super::room::{ANN, BOB, GUEST, Room, person};
use crate::gate::write::{after, deletion, mark, text, update};

/// A room in which Ann wrote "a" as client 1.
fn room() -> Room {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.commit();
    room.handle(Input::Leave(ann));
    room.wait_until(60_000);
    room
}

#[test]
fn a_first_sync_of_a_document_by_many_closes_all_but_the_announced_client() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.announce(ann, 9, 1, Some("{}"));
    let many = update(9, 0, [after((8, 0), "c")]).with(8, 0, [after((7, 0), "b")]).with(7, 0, [text("a")]);
    room.handle(Input::Update(ann, EditKind::Sync, many.bytes()));
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    let owners = [7, 8, 9].map(|client| room.database.owner(client).unwrap());
    assert_eq!(owners, [Owner::Closed, Owner::Closed, Owner::User(ANN)]);
    room.send(ann, &update(9, 1, [after((9, 0), "d")]).bytes());
    room.send(ann, &update(8, 1, [after((8, 0), "e")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "closed_client"]);
    // Loaded again, by this or another server, it is the same.
    let mut room = Room::load(std::mem::take(&mut room.database));
    let ann = room.editor(ANN);
    room.send(ann, &update(9, 2, [after((9, 1), "d")]).bytes());
    room.send(ann, &update(7, 1, [after((7, 0), "e")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "closed_client"]);
}

#[test]
fn a_cache_opened_by_another_person_brings_that_persons_edits_only() {
    let mut room = room();
    let bob = room.editor(BOB);
    room.announce(bob, 2, 1, Some("{}"));
    // The cache holds an edit of Ann's that was never saved, and Bob's own before he saw it.
    let cache = update(2, 0, [after((1, 0), "own")]).with(1, 1, [after((1, 0), "unsaved")]);
    room.handle(Input::Update(bob, EditKind::Sync, cache.bytes()));
    room.commit();
    assert_eq!(room.answers(bob), ["foreign_client"], "he is told");
    assert_eq!(room.database.rows.last().unwrap().update, update(2, 0, [after((1, 0), "own")]).bytes());
    // What he writes beside it is saved; what he writes into it ends his own client.
    room.send(bob, &update(2, 3, [after((2, 2), "s")]).bytes());
    room.send(bob, &update(2, 4, [after((1, 3), "x")]).bytes());
    room.send(bob, &update(2, 5, [after((2, 0), "y")]).bytes());
    room.commit();
    assert_eq!(room.answers(bob), ["saved", "ended_client", "ended_client"]);
    let fresh = room.editor(BOB);
    room.send(fresh, &update(3, 0, [after((2, 3), "z")]).bytes());
    room.commit();
    assert_eq!(room.answers(fresh), ["saved"], "under a fresh client he goes on");
    // Ann's own device still has her edit.
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 1, [after((1, 0), "unsaved")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
}

#[test]
fn two_devices_of_one_person_write_side_by_side() {
    let mut room = room();
    let (desk, phone) = (room.editor(ANN), room.editor(ANN));
    room.announce(desk, 1, 1, Some("{}"));
    room.announce(phone, 4, 1, Some("{}"));
    room.send(desk, &update(1, 1, [after((1, 0), "b")]).bytes());
    room.send(phone, &update(4, 0, [after((1, 1), "c")]).bytes());
    room.send(desk, &update(1, 2, [after((4, 0), "d")]).bytes());
    room.commit();
    assert_eq!((room.answers(desk), room.answers(phone)), (vec!["saved", "saved"], vec!["saved"]));
    assert_eq!(room.database.owner(4), Some(Owner::User(ANN)));
    assert_eq!(room.database.rows.len(), 2, "one author, one row a commit");
    assert_eq!(room.shown.last().unwrap().from, None, "a row of both is shown to both");
}

#[test]
fn tabs_of_one_person_may_relay_each_other() {
    let mut room = room();
    let (tab, other) = (room.editor(ANN), room.editor(ANN));
    room.announce(tab, 4, 1, Some("{}"));
    room.announce(other, 5, 1, Some("{}"));
    let edits = [
        update(4, 0, [after((1, 0), "b")]).bytes(),
        update(5, 0, [after((4, 0), "c")]).bytes(),
        update(4, 1, [after((5, 0), "d")]).bytes(),
    ];
    for edit in &edits {
        room.send(tab, edit);
        room.send(other, edit);
    }
    room.commit();
    assert_eq!((room.answers(tab), room.answers(other)), (vec!["saved"; 3], vec!["saved"; 3]));
    assert_eq!([4, 5].map(|client| room.database.owner(client)), [Some(Owner::User(ANN)); 2]);
    let stranger = room.editor(BOB);
    room.send(stranger, &update(5, 1, [after((5, 0), "e")]).bytes());
    assert_eq!(room.answers(stranger), ["foreign_client"]);
}

#[test]
fn a_guest_who_signs_in_goes_on_writing() {
    let mut room = Room::new();
    let guest = room.editor(GUEST);
    room.announce(guest, 6, 1, Some("{}"));
    room.send(guest, &update(6, 0, [text("a")]).bytes());
    room.commit();
    room.handle(Input::Leave(guest));
    let mut signed_in = person(ANN);
    signed_in.merged = [GUEST].into();
    room.database.merge_user(GUEST, ANN);
    let ann = room.join(&signed_in, true);
    room.announce(ann, 6, 2, Some("{}"));
    room.send(ann, &update(6, 1, [after((6, 0), "b")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.database.owner(6), Some(Owner::User(GUEST)), "the row that names the guest stays");
    let other = room.editor(BOB);
    room.send(other, &update(6, 2, [after((6, 1), "c")]).bytes());
    assert_eq!(room.answers(other), ["foreign_client"]);
}

#[test]
fn what_a_guest_wrote_before_signing_in_survives_a_conflict_after_it() {
    let mut room = Room::new();
    let guest = room.editor(GUEST);
    room.announce(guest, 6, 1, Some("{}"));
    room.send(guest, &update(6, 0, [text("a")]).bytes());
    room.dispatch();
    room.handle(Input::Leave(guest));
    let mut signed_in = person(ANN);
    signed_in.merged = [GUEST].into();
    room.database.merge_user(GUEST, ANN);
    let ann = room.join(&signed_in, true);
    room.announce(ann, 6, 2, Some("{}"));
    room.send(ann, &update(6, 1, [after((6, 0), "b")]).bytes());
    room.database.write_elsewhere(BOB, update(7, 0, [text("c")]).bytes());
    assert_eq!(room.commit(), [Outcome::Conflict, Outcome::Committed]);
    assert_eq!(room.answers(ann), ["saved"]);
    assert_eq!(room.database.clocks().get(coterie::update::ClientId(6)), 2);
}

#[test]
fn a_readers_clean_up_of_formats_is_answered_and_not_logged() {
    let mut room = Room::new();
    let (ann, reader) = (room.editor(ANN), room.reader(BOB));
    room.send(ann, &update(1, 0, [text("ab"), mark((1, 1)), mark((1, 2))]).bytes());
    room.commit();
    room.send(reader, &deletion(1, 2..4).bytes());
    room.send(reader, &update(1, 0, [text("ab"), mark((1, 1))]).deleting(1, 3..4).bytes());
    assert_eq!(room.answers(reader), ["saved", "saved"]);
    room.send(reader, &deletion(1, 1..3).bytes());
    room.imply();
    room.send(reader, &update(2, 0, [after((1, 0), "x")]).bytes());
    assert_eq!(room.answers(reader), ["read_only", "read_only"]);
    assert_eq!(room.commit(), []);
    assert_eq!(room.database.rows.len(), 1);
}

#[test]
fn after_a_backup_was_restored_old_clients_are_closed_and_fresh_ones_go_on() {
    let mut room = room();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 1, [after((1, 0), "lost")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    room.database.restore(1);
    // The room learns of it with its next append.
    room.send(ann, &update(1, 5, [after((1, 4), "more")]).bytes());
    room.dispatch();
    assert_eq!(room.attempt(), Outcome::Conflict);
    room.reload();
    assert_eq!(room.answers(ann), ["gone", "ended"]);
    assert!(room.machine.has_ended());

    let database = std::mem::take(&mut room.database);
    let mut room = Room::load(database);
    let ann = room.editor(ANN);
    // A client that still has the old content offers what the restored log lacks.
    room.handle(Input::Update(ann, EditKind::Sync, update(1, 1, [after((1, 0), "lost")]).bytes()));
    assert_eq!(room.answers(ann), ["closed_client"]);
    let fresh = room.editor(ANN);
    room.send(fresh, &update(11, 0, [after((1, 0), "lost")]).bytes());
    room.commit();
    assert_eq!(room.answers(fresh), ["saved"]);
}
