//! Everyone is shown every row exactly as long as they lack it: by the ring, or from the log when they fell off it.

use bytes::Bytes;

use coterie::ids::ConnectionId;
use coterie::limits;
use coterie::protocol::{ClientMessage, yjs};
use coterie::room::machine::{Input, Message};
use coterie::room::ring::{Frame, Lagged, Ring};
use coterie::room::{Follower, Outgoing};
use coterie::update::{ClientId, StateVector, scan};

use super::room::{ANN, BOB, GUEST, Room};
use crate::gate::write::{after, text, update};

/// A connection that writes down which clocks it was shown.
struct Reader {
    follower: Follower,
    clocks: StateVector,
    /// How often it was shown something it had.
    again: usize,
    caught_up: usize,
}

impl Reader {
    /// Joins, and asks for nothing yet.
    fn new(room: &mut Room) -> Self {
        let follower = Follower::new(room.reader(BOB));
        Self { follower, clocks: StateVector::default(), again: 0, caught_up: 0 }
    }

    /// Joins and asks for everything.
    fn join(room: &mut Room) -> Self {
        let mut reader = Self::new(room);
        room.handle(Input::Ask(reader.follower.connection(), Bytes::from_static(&[0])));
        if !room.questions.is_empty() {
            room.answer();
        }
        reader.read(room);
        reader
    }

    /// Takes all that waits, and asks for what it missed.
    fn read(&mut self, room: &mut Room) {
        loop {
            let mut out = Vec::new();
            for (at, message) in room.told(self.follower.connection()) {
                self.follower.take(at, message, &mut out);
            }
            let request = self.follower.follow(&room.ring, &mut out);
            for one in out {
                match one {
                    Outgoing::Message(message) => self.see(&message),
                    Outgoing::Frame(frame) => self.see(&frame.message),
                    Outgoing::Welcome(_) | Outgoing::Question(_) => {}
                    other => panic!("{other:?}"),
                }
            }
            let Some(request) = request else { break };
            self.caught_up += 1;
            room.handle(request);
        }
    }

    fn see(&mut self, message: &Bytes) {
        for message in yjs::decode(message).unwrap() {
            if let ClientMessage::Update(update) | ClientMessage::SyncStep2(update) = message {
                for section in scan(&update).unwrap().sections {
                    let known = self.clocks.get(section.client);
                    assert!(section.clock <= known, "{} is shown with a gap", section.client);
                    self.again += usize::from(section.end <= known);
                    self.clocks.raise(section.client, section.end);
                }
            }
        }
    }
}

/// Ann types `len` units, one edit and one row each.
fn type_units(room: &mut Room, ann: ConnectionId, content: &str, times: u32) {
    for _ in 0..times {
        let clock = room.database.clocks().get(ClientId(1));
        let one = if clock == 0 { text(content) } else { after((1, clock - 1), content) };
        room.send(ann, &update(1, clock, [one]).bytes());
        room.commit();
    }
}

#[test]
fn a_follower_is_shown_every_row_once() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 3);
    let mut reader = Reader::join(&mut room);
    for _ in 0..5 {
        type_units(&mut room, ann, "b", 2);
        reader.read(&mut room);
        assert_eq!(reader.clocks, *room.database.clocks());
    }
    assert_eq!((reader.again, reader.caught_up), (0, 0));
}

#[test]
fn someone_with_nothing_gets_the_folded_base_first_and_then_the_rest() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 3);
    // Loaded anew, what was is the base.
    let mut room = Room::load(std::mem::take(&mut room.database));
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "b", 2);
    let reader = Reader::join(&mut room);
    assert_eq!(reader.clocks, *room.database.clocks());
    assert_eq!((reader.again, reader.caught_up), (0, 0));
}

#[test]
fn rows_between_the_welcome_and_the_answer_are_not_missed() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 1);
    let mut reader = Reader::new(&mut room);
    let connection = reader.follower.connection();
    reader.read(&mut room);
    type_units(&mut room, ann, "b", 1);
    reader.read(&mut room);
    assert!(reader.clocks.is_empty(), "nothing before the answer");
    room.handle(Input::Ask(connection, Bytes::from_static(&[0])));
    type_units(&mut room, ann, "c", 1);
    room.answer();
    type_units(&mut room, ann, "d", 1);
    reader.read(&mut room);
    assert_eq!(reader.clocks, *room.database.clocks());
    assert_eq!((reader.again, reader.caught_up), (0, 0));
}

#[test]
fn one_that_fell_off_the_ring_gets_what_it_missed_from_the_log() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 1);
    let mut reader = Reader::join(&mut room);
    let paste = "x".repeat(limits::RING_BYTES / 20);
    type_units(&mut room, ann, &paste, 3);
    reader.read(&mut room);
    assert_eq!(reader.caught_up, 0);
    type_units(&mut room, ann, &paste, 25);
    reader.read(&mut room);
    assert_eq!(reader.caught_up, 1);
    assert_eq!(reader.clocks, *room.database.clocks());
    type_units(&mut room, ann, "b", 1);
    reader.read(&mut room);
    assert_eq!((reader.caught_up, room.tally.lagged.get()), (1, 1));
    assert_eq!(reader.clocks, *room.database.clocks());
}

#[test]
fn one_that_missed_little_gets_only_the_rows_it_missed() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 3);
    let mut reader = Reader::join(&mut room);
    // Presence of others pushes the few rows off the ring.
    let state = format!(r#"{{"a":"{}"}}"#, "x".repeat(limits::PRESENCE_BYTES - 100));
    type_units(&mut room, ann, "b", 2);
    for clock in 0..400 {
        room.announce(ann, 1, clock, Some(&state));
    }
    reader.read(&mut room);
    assert_eq!((reader.caught_up, reader.again), (1, 0), "the tail holds them still");
    assert_eq!(reader.clocks, *room.database.clocks());
}

#[test]
fn a_frame_too_large_for_the_ring_comes_from_the_log() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 1);
    let mut reader = Reader::join(&mut room);
    type_units(&mut room, ann, &"x".repeat(limits::RING_BYTES), 1);
    reader.read(&mut room);
    assert_eq!(reader.caught_up, 1);
    assert_eq!(reader.clocks, *room.database.clocks());
}

#[test]
fn rows_of_another_server_reach_every_follower() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 2);
    let mut reader = Reader::join(&mut room);
    room.database.write_elsewhere(GUEST, update(3, 0, [text("c")]).bytes());
    type_units(&mut room, ann, "b", 1);
    reader.read(&mut room);
    assert_eq!(reader.caught_up, 0, "what the room reads again it shows row by row");
    assert_eq!(reader.clocks, *room.database.clocks());
}

#[test]
fn the_author_is_not_shown_its_own_row() {
    let mut room = Room::new();
    let (ann, bob) = (room.editor(ANN), room.editor(BOB));
    for connection in [ann, bob] {
        room.handle(Input::Ask(connection, Bytes::from_static(&[0])));
    }
    room.answer();
    let mut follower = Follower::new(ann);
    let mut out = Vec::new();
    room.told(ann).into_iter().for_each(|(at, message)| follower.take(at, message, &mut out));
    type_units(&mut room, ann, "a", 1);
    room.send(bob, &update(2, 0, [after((1, 0), "b")]).bytes());
    room.commit();
    out.clear();
    assert!(follower.follow(&room.ring, &mut out).is_none());
    let froms: Vec<_> =
        out.iter().map(|one| matches!(one, Outgoing::Frame(frame) if frame.from == Some(bob))).collect();
    assert_eq!(froms, [true]);
}

#[test]
fn a_question_is_answered_once_for_all_who_ask_the_same() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 2);
    let asking: Vec<_> = (0..100).map(|_| room.reader(BOB)).collect();
    for &connection in &asking {
        room.handle(Input::Ask(connection, Bytes::from_static(&[0])));
    }
    assert_eq!(room.questions.len(), 1);
    room.answer();
    let late = room.reader(BOB);
    room.handle(Input::Ask(late, Bytes::from_static(&[0])));
    assert!(room.questions.is_empty(), "remembered for this head");
    let answers: Vec<_> = asking
        .iter()
        .chain([&late])
        .map(|&connection| {
            let told = room.told(connection);
            let [(_, Message::Welcome(..)), (_, Message::Answer(_, answer))] = &told[..] else { panic!("{told:?}") };
            answer.last.as_ptr()
        })
        .collect();
    assert!(answers.iter().all(|&answer| answer == answers[0]), "one allocation for all");
    type_units(&mut room, ann, "b", 1);
    room.handle(Input::Ask(late, Bytes::from_static(&[0])));
    assert_eq!(room.questions.len(), 1, "asked anew for the next");
}

#[test]
fn an_answer_that_was_asked_for_before_one_came_is_not_given_to_it() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, "a", 1);
    let mut early = Reader::new(&mut room);
    room.handle(Input::Ask(early.follower.connection(), Bytes::from_static(&[0])));
    type_units(&mut room, ann, "b", 1);
    // The second row is in the ring before this one follows it.
    let mut late = Reader::new(&mut room);
    room.handle(Input::Ask(late.follower.connection(), Bytes::from_static(&[0])));
    assert_eq!(room.questions.len(), 2);
    room.answer();
    room.answer();
    for reader in [&mut early, &mut late] {
        reader.read(&mut room);
        assert_eq!(reader.clocks, *room.database.clocks());
        assert_eq!((reader.again, reader.caught_up), (0, 0));
    }
}

#[test]
fn the_answers_that_are_remembered_are_bounded() {
    let mut room = Room::new();
    let ann = room.editor(ANN);
    type_units(&mut room, ann, &"x".repeat(3 * 1024 * 1024), 3);
    let reader = room.reader(BOB);
    let remembered = |room: &mut Room| {
        let mut remembered = 0;
        for client in 100..130 {
            let vector: StateVector = [(ClientId(client), 1)].into_iter().collect();
            room.handle(Input::Ask(reader, vector.encode().into()));
            remembered += usize::from(room.questions.is_empty());
            room.questions.front().is_some().then(|| room.answer());
        }
        remembered
    };
    assert_eq!(remembered(&mut room), 0);
    let again = remembered(&mut room);
    assert_eq!(again, limits::ANSWERS_BYTES / (9 * 1024 * 1024), "of 9 MiB each");
}

#[test]
fn a_ring_keeps_what_its_bound_allows_and_says_when_something_is_missed() {
    let ring = Ring::default();
    let frame = |len: usize| Frame::new(None, None, vec![0; len].into());
    let mut out = Vec::new();
    assert_eq!(ring.read(0, &mut out), Ok(0));
    for _ in 0..10 {
        ring.push(frame(100));
    }
    assert_eq!(ring.read(0, &mut out), Ok(10));
    assert_eq!((out.len(), ring.head()), (10, 10));
    assert_eq!(ring.read(7, &mut out), Ok(10));
    assert_eq!(out.len(), 13);
    for _ in 0..2 * limits::RING_BYTES / 1_000 {
        ring.push(frame(1_000));
    }
    out.clear();
    assert_eq!(ring.read(10, &mut out), Err(Lagged));
    let head = ring.head();
    let first = (0..head).rev().take_while(|&at| ring.read(at, &mut Vec::new()).is_ok()).last().unwrap();
    assert!(ring.read(first, &mut out).is_ok() && ring.read(first - 1, &mut Vec::new()).is_err());
    let bytes: usize = out.iter().map(|frame| frame.message.len()).sum();
    assert!(bytes <= limits::RING_BYTES && bytes > limits::RING_BYTES * 3 / 4, "{bytes}");
    ring.push(frame(limits::RING_BYTES + 1));
    assert_eq!(ring.read(head, &mut Vec::new()), Err(Lagged), "one too large is not kept");
    let head = ring.head();
    assert_eq!(ring.read(head, &mut Vec::new()), Ok(head));
    ring.skip();
    assert_eq!(ring.read(head, &mut Vec::new()), Err(Lagged), "and after a skip everyone has missed something");
}
