//! What goes over a socket: the messages that all dialects share, and one file for each dialect's own.
//!
//! A *message* here is the part that every dialect writes alike (`00` sync or `01` awareness and a body). The dialect
//! of y-websocket sends it as it is; Hocuspocus puts the document's address in front. So one allocation serves all.

pub mod awareness;
pub mod close;
pub mod hocuspocus;
pub mod yjs;

use bytes::Bytes;

use crate::update::{Malformed, Reader, put_number, put_string};

const SYNC: u64 = 0;
const AWARENESS: u64 = 1;
const AUTH: u64 = 2;
const QUERY_AWARENESS: u64 = 3;

const SYNC_STEP_1: u64 = 0;
const SYNC_STEP_2: u64 = 1;
const SYNC_UPDATE: u64 = 2;

/// What a client says about one document, in any dialect. The bodies are slices of the frame, not yet looked into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage {
    /// "Send me what I lack": an encoded state vector.
    SyncStep1(Bytes),
    /// The answer to the server's own SyncStep1: an update.
    SyncStep2(Bytes),
    /// A live edit: an update.
    Update(Bytes),
    /// Presence: an awareness update.
    Awareness(Bytes),
    /// "Send me everyone's presence."
    QueryAwareness,
}

fn read_sync(frame: &Bytes, reader: &mut Reader<'_>) -> Result<ClientMessage, Malformed> {
    let at = reader.at;
    let kind = reader.number()?;
    let body = frame.slice_ref(reader.buffer()?);
    match kind {
        SYNC_STEP_1 => Ok(ClientMessage::SyncStep1(body)),
        SYNC_STEP_2 => Ok(ClientMessage::SyncStep2(body)),
        SYNC_UPDATE => Ok(ClientMessage::Update(body)),
        _ => Err(Malformed::Kind(at)),
    }
}

/// The message that asks a client for what the server lacks.
#[must_use]
pub fn sync_step_1(state_vector: &[u8]) -> Bytes {
    sync(SYNC_STEP_1, state_vector)
}

/// The message after which a client counts itself as synced.
#[must_use]
pub fn sync_step_2(update: &[u8]) -> Bytes {
    sync(SYNC_STEP_2, update)
}

/// The message that carries an edit.
#[must_use]
pub fn update(update: &[u8]) -> Bytes {
    sync(SYNC_UPDATE, update)
}

fn sync(kind: u64, body: &[u8]) -> Bytes {
    message(&[SYNC, kind], body)
}

/// The message that carries presence; `entries` as [`awareness::encode`] writes them.
#[must_use]
pub fn awareness(entries: &[u8]) -> Bytes {
    message(&[AWARENESS], entries)
}

fn message(tags: &[u64], body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + 12);
    for &tag in tags {
        put_number(&mut out, tag);
    }
    put_number(&mut out, body.len() as u64);
    out.extend_from_slice(body);
    out.into()
}

fn with_text(tags: &[u64], text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    for &tag in tags {
        put_number(&mut out, tag);
    }
    put_string(&mut out, text);
    out
}
