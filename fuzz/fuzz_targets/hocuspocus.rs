//! Frames of Hocuspocus.
#![no_main]

use bytes::Bytes;
use coterie::protocol::hocuspocus::{ClientBody, ClientFrame, addressed, decode};
use coterie::protocol::{self, ClientMessage};
use coterie_fuzz::tally::count;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    count("inputs");
    let Ok(frame) = decode(&Bytes::copy_from_slice(bytes)) else { return };
    let ClientFrame::Addressed { address, body } = &frame else { return count("keep-alive") };
    let message = match body {
        ClientBody::Message(ClientMessage::SyncStep1(body)) => protocol::sync_step_1(body),
        ClientBody::Message(ClientMessage::SyncStep2(body)) => protocol::sync_step_2(body),
        ClientBody::Message(ClientMessage::Update(body)) => protocol::update(body),
        ClientBody::Message(ClientMessage::Awareness(body)) => protocol::awareness(body),
        ClientBody::Message(ClientMessage::QueryAwareness) => Bytes::from_static(&[3]),
        ClientBody::Detach => Bytes::from_static(&[7]),
        ClientBody::Token { .. } => return count("token"),
        ClientBody::Unsupported(_) => return count("unsupported"),
    };
    count("read");
    assert_eq!(decode(&addressed(address, &message)).as_ref(), Ok(&frame));
});
