//! Presence keeps its place behind the same connection's edits, but not for long; and says who it is by the login.

use coterie::limits;
use coterie::protocol::{ClientMessage, awareness};
use coterie::room::machine::{Input, Message};
use serde_json::{Value, json};

use super::room::{ANN, BOB, GUEST, Room, person};
use crate::gate::write::{after, text, update};

const HOLD: u64 = limits::PRESENCE_HOLD.as_millis() as u64;
const GRACE: u64 = limits::PRESENCE_GRACE.as_millis() as u64;

/// One entry as others are told: client, clock, and the state.
type Entry = (u64, u64, Option<Value>);

fn entries(body: &[u8]) -> Vec<Entry> {
    let parsed = |json: &str| serde_json::from_str(json).unwrap();
    let decoded = awareness::decode(body).unwrap().into_iter();
    decoded.map(|entry| (entry.client.0, entry.clock, entry.state.map(parsed))).collect()
}

/// The presence shown since the last look, frame by frame, with the time.
fn shown(room: &mut Room) -> Vec<(u64, Vec<Entry>)> {
    let frames = room.shown.extract_if(.., |shown| shown.seq.is_none());
    frames
        .map(|shown| match shown.message {
            ClientMessage::Awareness(body) => (shown.at, entries(&body)),
            other => panic!("{other:?}"),
        })
        .collect()
}

/// The clocks shown since the last look, with the time.
fn clocks(room: &mut Room) -> Vec<(u64, u64)> {
    shown(room).iter().flat_map(|(at, entries)| entries.iter().map(|entry| (*at, entry.1))).collect()
}

#[test]
fn presence_is_shown_at_once_when_nothing_of_its_own_waits() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.send(bob, &update(2, 0, [text("b")]).bytes());
    room.announce(ann, 1, 1, Some("{}"));
    assert_eq!(clocks(&mut room), [(0, 1)], "another's edits do not hold it up");
    room.send(ann, &update(1, 9, [text("b")]).bytes());
    room.announce(ann, 1, 2, Some("{}"));
    assert_eq!(clocks(&mut room), [(0, 2)], "nor does what came too early");
}

#[test]
fn presence_follows_its_own_edit() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.dispatch();
    room.announce(ann, 1, 1, Some("{}"));
    room.now += 10;
    room.announce(ann, 1, 2, Some("{}"));
    assert_eq!(shown(&mut room), []);
    room.attempt();
    assert!(room.shown[0].seq.is_some(), "the edit first");
    assert_eq!(clocks(&mut room), [(10, 2)], "then the latest presence, once");
    assert_eq!(room.machine.next_tick(), None);
}

#[test]
fn presence_follows_the_latest_of_its_own_edits() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.dispatch();
    room.announce(ann, 1, 1, Some("{}"));
    room.send(ann, &update(1, 1, [after((1, 0), "b")]).bytes());
    room.announce(ann, 1, 2, Some("{}"));
    room.attempt();
    assert_eq!(shown(&mut room), [], "it tells of the second edit");
    room.commit();
    assert_eq!(clocks(&mut room), [(0, 2)]);
}

#[test]
fn presence_waits_for_its_own_edit_no_longer_than_the_hold() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.send(ann, &update(1, 0, [text("a")]).bytes());
    room.dispatch();
    room.now = 100;
    room.announce(ann, 1, 1, Some("{}"));
    room.wait_until(100 + HOLD - 1);
    room.announce(ann, 1, 2, Some("{}"));
    assert_eq!(shown(&mut room), []);
    room.wait_until(100 + HOLD);
    assert_eq!(clocks(&mut room), [(100 + HOLD, 2)]);
    room.announce(ann, 1, 3, Some("{}"));
    room.wait_until(1_000);
    assert_eq!(clocks(&mut room), [(100 + 2 * HOLD, 3)], "and anew each time while the database is away");
    room.attempt();
    assert_eq!(shown(&mut room), []);
}

#[test]
fn one_who_left_is_shown_as_gone_at_the_same_clock_after_a_grace() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    room.announce(ann, 1, 7, Some("{}"));
    room.announce(bob, 2, 1, Some("{}"));
    shown(&mut room);
    room.now = 1_000;
    room.handle(Input::Leave(ann));
    room.wait_until(1_000 + GRACE - 1);
    assert_eq!(shown(&mut room), []);
    room.wait_until(1_000 + GRACE);
    assert_eq!(shown(&mut room), [(1_000 + GRACE, vec![(1, 7, None)])]);
    // Back later, with the next clock, which others take since it is above the one that was removed.
    let back = room.editor(ANN);
    room.announce(back, 1, 8, Some("{}"));
    assert_eq!(clocks(&mut room), [(1_000 + GRACE, 8)]);
}

#[test]
fn one_who_comes_back_within_the_grace_is_never_shown_as_gone() {
    for clock in [7, 8] {
        let mut room = Room::new();
        let ann = room.editor(ANN);
        room.announce(ann, 1, 7, Some("{}"));
        shown(&mut room);
        room.handle(Input::Leave(ann));
        room.wait_until(GRACE / 2);
        let back = room.editor(ANN);
        room.announce(back, 1, clock, Some("{}"));
        let told = if clock > 7 { vec![(GRACE / 2, 8)] } else { vec![] };
        assert_eq!(clocks(&mut room), told);
        room.wait_until(10 * GRACE);
        assert_eq!(shown(&mut room), []);
        // And its second leaving counts.
        room.handle(Input::Leave(back));
        room.wait_until(11 * GRACE);
        assert_eq!(shown(&mut room), [(11 * GRACE, vec![(1, clock, None)])]);
    }
}

#[test]
fn who_it_is_is_written_by_the_server() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.announce(ann, 1, 1, Some(r#"{"cursor":3,"user":{"id":"me","name":"Bob","mood":"good"}}"#));
    room.announce(ann, 1, 2, Some(r#"{"user":"Bob"}"#));
    let states: Vec<Value> =
        shown(&mut room).into_iter().map(|(_, mut entries)| entries.remove(0).2.unwrap()).collect();
    let user = |mood: Option<&str>| {
        let mut user = json!({
            "id": ANN, "name": "person 1", "kind": "person",
            "color": "#123456", "colorLight": "#12345633", "avatar": null,
        });
        mood.iter().for_each(|mood| user["mood"] = json!(mood));
        user
    };
    assert_eq!(states, [json!({ "cursor": 3, "user": user(Some("good")) }), json!({ "user": user(None) })]);
}

#[test]
fn nobody_speaks_for_anothers_client() {
    let mut room = Room::new();
    let (ann, bob, tab) = (room.editor(ANN), room.editor(BOB), room.editor(ANN));
    room.announce(ann, 1, 1, Some("{}"));
    room.send(ann, &update(3, 0, [text("a")]).bytes());
    room.commit();
    shown(&mut room);
    room.announce(bob, 1, 2, Some("{}"));
    room.announce(bob, 1, 1, None);
    room.announce(bob, 3, 1, Some("{}"));
    assert_eq!(shown(&mut room), [], "neither an announced one, nor one that another wrote with");
    room.announce(tab, 1, 2, Some("{}"));
    assert_eq!(clocks(&mut room), [(0, 2)], "another tab of the same person may");
}

#[test]
fn a_guest_who_signs_in_keeps_the_client() {
    let mut room = Room::new();
    let guest = room.editor(GUEST);
    room.announce(guest, 1, 1, Some("{}"));
    shown(&mut room);
    room.handle(Input::Leave(guest));
    let mut signed_in = person(ANN);
    signed_in.merged = [GUEST].into();
    let ann = room.join(&signed_in, true);
    room.announce(ann, 1, 2, Some("{}"));
    let entries = shown(&mut room).remove(0).1;
    assert_eq!(entries[0].2.as_ref().unwrap()["user"]["id"], json!(ANN));
    room.wait_until(10 * GRACE);
    assert_eq!(shown(&mut room), []);
}

#[test]
fn old_and_absurd_states_are_ignored() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.announce(ann, 1, 5, Some("{}"));
    shown(&mut room);
    let large = format!(r#"{{"a":"{}"}}"#, "x".repeat(limits::PRESENCE_BYTES));
    for (client, clock, state) in
        [(1, 5, Some("{}")), (1, 4, Some("{}")), (1, 4, None), (1, 6, Some("[]")), (1, 6, Some(&large)), (2, 1, None)]
    {
        room.announce(ann, client, clock, state);
        assert_eq!(shown(&mut room), [], "{client} {clock} {state:?}");
    }
    room.announce(ann, 1, 5, None);
    assert_eq!(shown(&mut room), [(0, vec![(1, 5, None)])], "gone, at the same clock");
    for client in 10..10 + 2 * limits::PRESENCE_CLIENTS as u64 {
        room.announce(ann, client, 1, Some("{}"));
    }
    assert!(shown(&mut room).len() < limits::PRESENCE_CLIENTS + 1, "one connection announces only so many");
    room.handle(Input::Awareness(ann, b"\x01\x01".as_slice().into()));
    assert_eq!(room.answers(ann), ["ended"], "what is no awareness update ends the connection");
}

#[test]
fn a_newcomer_is_told_who_is_here() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    room.announce(ann, 1, 3, Some("{}"));
    let bob = room.reader(BOB);
    let told = room.told(bob);
    let Message::Welcome(_, Some(everyone)) = &told[0].1 else { panic!("{told:?}") };
    let bodies = coterie::protocol::yjs::decode(everyone).unwrap();
    let ClientMessage::Awareness(body) = &bodies[0] else { panic!("{bodies:?}") };
    assert_eq!(entries(body)[0].1, 3);
    room.handle(Input::QueryAwareness(bob));
    assert!(matches!(&room.told(bob)[..], [(_, Message::Other(message))] if message == everyone));
}
