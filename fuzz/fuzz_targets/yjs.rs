//! Frames of y-websocket.
#![no_main]

use bytes::Bytes;
use coterie::protocol::{self, ClientMessage, yjs};
use coterie_fuzz::tally::count;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let Ok(messages) = yjs::decode(&Bytes::copy_from_slice(bytes)) else { return };
    count("read");
    assert!(messages.len() <= yjs::MESSAGES_PER_FRAME);
    for message in messages {
        let again = match &message {
            ClientMessage::SyncStep1(body) => protocol::sync_step_1(body),
            ClientMessage::SyncStep2(body) => protocol::sync_step_2(body),
            ClientMessage::Update(body) => protocol::update(body),
            ClientMessage::Awareness(body) => protocol::awareness(body),
            ClientMessage::QueryAwareness => Bytes::from_static(&[3]),
        };
        count(match &message {
            ClientMessage::SyncStep1(_) => "step 1",
            ClientMessage::SyncStep2(_) => "step 2",
            ClientMessage::Update(_) => "update",
            ClientMessage::Awareness(_) => "awareness",
            ClientMessage::QueryAwareness => "query",
        });
        assert_eq!(yjs::decode(&again), Ok(vec![message]));
    }
});
