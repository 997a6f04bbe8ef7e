//! Presence, as a room takes it in: bounded, stamped with who it is by the login, and nobody else's.
#![no_main]

use std::sync::Arc;

use bytes::Bytes;
use coterie::head::Head;
use coterie::ids::{ConnectionId, DocumentId, UserId};
use coterie::journal::Loaded;
use coterie::limits;
use coterie::protocol::{ClientMessage, awareness, yjs};
use coterie::room::machine::{Effect, Input, Machine};
use coterie::room::{Participant, Tally};
use coterie_fuzz::Plan;
use coterie_fuzz::tally::count;
use uuid::Uuid;

const NAMES: [&str; 2] = ["person 1", "person 2"];

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    if let Ok(entries) = awareness::decode(bytes) {
        count("decoded whole");
        assert_eq!(awareness::decode(&awareness::encode(entries.iter().copied())), Ok(entries));
    }
    let loaded = Loaded { head: Head { seq: 0, epoch: 1 }, snapshot: None, rows: Vec::new(), owners: Vec::new() };
    let mut machine = Machine::new(DocumentId(Uuid::from_u128(9)), loaded, Arc::new(Tally::default())).unwrap();
    let mut effects = Vec::new();
    for (at, name) in NAMES.iter().enumerate() {
        let participant = Participant {
            user: UserId(Uuid::from_u128(at as u128 + 1)),
            merged: Arc::new([]),
            name: (*name).to_owned(),
            kind: "person",
            color: "#123456".into(),
            color_light: "#12345633".into(),
            avatar: None,
        };
        let connection = ConnectionId(at as u64);
        machine.handle(
            Input::Join { connection, participant: participant.into(), may_write: at == 0 },
            0,
            &mut effects,
        );
    }
    let mut plan = Plan::new(bytes);
    let mut now = 0;
    while !plan.is_over() {
        let connection = ConnectionId(u64::from(plan.byte() % 2));
        let body = match plan.one_in(4) {
            true => {
                let most = usize::from(plan.byte());
                plan.take(most).to_vec()
            }
            false => entries(&mut plan),
        };
        machine.handle(Input::Awareness(connection, Bytes::from(body)), now, &mut effects);
        now += u64::from(plan.byte()) * 20;
        while let Some(next) = machine.next_tick().filter(|&next| next <= now) {
            machine.tick(next, &mut effects);
            assert_ne!(machine.next_tick(), Some(next), "a tick that does not do what it is for");
        }
        effects.drain(..).for_each(|effect| judge(&effect));
    }
});

/// Presence of a few clients, as JSON or nearly.
fn entries(plan: &mut Plan<'_>) -> Vec<u8> {
    const STATES: [&str; 8] = [
        "null",
        "{}",
        "{\"user\":{\"name\":\"forged\",\"id\":7,\"color\":\"x\"}}",
        "{\"user\":null,\"cursor\":{\"anchor\":1}}",
        "{\"user\":[1]}",
        "[]",
        "1",
        "{\"a\":",
    ];
    let count = plan.below(5);
    let all: Vec<_> = (0..count)
        .map(|_| awareness::Entry {
            client: coterie::update::ClientId(u64::from(plan.byte() % 6)),
            clock: plan.number().into(),
            state: Some(plan.one_of(&STATES)).filter(|state| *state != "null"),
        })
        .collect();
    awareness::encode(all.into_iter())
}

fn judge(effect: &Effect) {
    let Effect::Publish(frame) = effect else { return };
    let Ok([ClientMessage::Awareness(body)]) = yjs::decode(&frame.message).as_deref().map(|all| {
        let [one] = all else { panic!("one message a frame") };
        [one.clone()]
    }) else {
        panic!("only presence is told")
    };
    for entry in awareness::decode(&body).expect("well-formed") {
        let Some(state) = entry.state else { return count("told gone") };
        count("told");
        let state: serde_json::Value = serde_json::from_str(state).expect("JSON");
        let name = state["user"]["name"].as_str().expect("everybody has the login's name");
        assert!(NAMES.contains(&name), "{name:?} is nobody's name");
        // Beside what the client said stands what the login knows.
        assert!(entry.state.unwrap().len() <= limits::PRESENCE_BYTES + 1_024);
    }
}
