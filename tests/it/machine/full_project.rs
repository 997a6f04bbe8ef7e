//! A project that may take no more: what its rooms admit together, and what they refuse.

use std::sync::Arc;

use coterie::journal::Outcome;
use coterie::quota::{Allowance, Share, Usage};

use super::room::{ANN, BOB, Room};
use crate::gate::write::{deletion, text, update};

/// A room of a project.
fn room_in(project: &Arc<Allowance>) -> Room {
    let mut room = Room::new();
    room.machine.keep_within(Share::new(project.clone()));
    room
}

fn project(most: i64) -> Arc<Allowance> {
    Arc::new(Allowance::new(Usage { used: 0, most }))
}

#[test]
fn what_a_project_has_no_room_for_is_refused_and_deletions_are_not() {
    let project = project(2_000);
    let mut room = room_in(&project);
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text(&"x".repeat(1_000))]).bytes());
    room.commit();
    room.send(ann, &update(2, 0, [text(&"y".repeat(1_500))]).bytes());
    assert_eq!(room.answers(ann), ["saved", "project_full"]);
    room.send(ann, &update(2, 0, [text("z")]).bytes());
    assert_eq!(room.answers(ann), ["ended_client"], "a refusal ends the writing of its client");
    room.send(ann, &deletion(1, 0..900).bytes());
    room.send(ann, &update(3, 0, [text("z")]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved", "saved"]);
    assert_eq!(room.machine.state().clocks.get(coterie::update::ClientId(2)), 0);
}

#[test]
fn rooms_of_one_project_share_what_it_may_take() {
    let project = project(2_000);
    let (mut one, mut other) = (room_in(&project), room_in(&project));
    let (ann, bob) = (one.editor(ANN), other.editor(BOB));
    let half = |client| update(client, 0, [text(&"x".repeat(1_000))]).bytes();
    // Not committed yet, and counted all the same.
    one.send(ann, &half(1));
    other.send(bob, &half(2));
    assert_eq!(other.answers(bob), ["project_full"]);
    // Refused by the database, so it takes nothing.
    one.dispatch();
    one.settle(Outcome::Refused);
    one.reload();
    assert_eq!(one.answers(ann), ["unstorable"]);
    other.send(bob, &half(3));
    other.commit();
    assert_eq!(other.answers(bob), ["saved"]);
    // Gone with what waited in it.
    let mut third = room_in(&project);
    let ann = third.editor(ANN);
    third.send(ann, &update(4, 0, [text(&"x".repeat(600))]).bytes());
    other.send(bob, &update(5, 0, [text(&"x".repeat(600))]).bytes());
    assert_eq!(other.answers(bob), ["project_full"]);
    drop(third);
    other.send(bob, &update(6, 0, [text(&"x".repeat(600))]).bytes());
    other.commit();
    assert_eq!(other.answers(bob), ["saved"]);
}

#[test]
fn what_is_decided_on_again_counts_once() {
    let project = project(2_000);
    let mut room = room_in(&project);
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text(&"x".repeat(1_000))]).bytes());
    room.dispatch();
    room.settle(Outcome::Conflict);
    room.reload();
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
    room.send(ann, &update(2, 0, [text(&"x".repeat(600))]).bytes());
    room.commit();
    assert_eq!(room.answers(ann), ["saved"]);
}
