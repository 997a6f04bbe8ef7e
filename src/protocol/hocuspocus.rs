//! The dialect of Hocuspocus: many documents on one socket; every frame begins with the address of one.

use bytes::Bytes;

use super::{AUTH, AWARENESS, ClientMessage, QUERY_AWARENESS, SYNC, read_sync, with_text};
use crate::update::{Malformed, Reader, put_number, put_string};

const STATELESS: u64 = 5;
const CLOSE: u64 = 7;
const SYNC_STATUS: u64 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// A frame from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientFrame {
    /// The answer to a ping, or a client's own ping; concerns no document.
    KeepAlive,
    /// A frame about one document.
    Addressed {
        /// The document's name, and with session awareness a NUL and the session; every answer repeats it to the letter.
        address: String,
        /// What it says.
        body: ClientBody,
    },
}

/// What an addressed frame says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientBody {
    /// A credential for this document, and the provider's version (sent since 4.0).
    Token {
        /// The token; empty when there is none.
        token: String,
        /// Such as `4.8.0`.
        version: Option<String>,
    },
    /// Sync or presence.
    Message(ClientMessage),
    /// The client is done with this document.
    Detach,
    /// A type that only servers send or that this server does not offer to clients.
    Unsupported(u64),
}

/// Reads one frame.
///
/// # Errors
/// A frame that breaks off.
pub fn decode(frame: &Bytes) -> Result<ClientFrame, Malformed> {
    if matches!(frame[..], [PING] | [PONG]) {
        return Ok(ClientFrame::KeepAlive);
    }
    let mut reader = Reader::new(frame, 0);
    let address = reader.string()?.to_owned();
    let body = match reader.number()? {
        SYNC => ClientBody::Message(read_sync(frame, &mut reader)?),
        AWARENESS => ClientBody::Message(ClientMessage::Awareness(frame.slice_ref(reader.buffer()?))),
        AUTH => read_auth(&mut reader)?,
        QUERY_AWARENESS => ClientBody::Message(ClientMessage::QueryAwareness),
        CLOSE => ClientBody::Detach,
        other => ClientBody::Unsupported(other),
    };
    Ok(ClientFrame::Addressed { address, body })
}

fn read_auth(reader: &mut Reader<'_>) -> Result<ClientBody, Malformed> {
    match reader.number()? {
        0 => {
            let token = reader.string()?.to_owned();
            let version = if reader.left() > 0 { Some(reader.string()?.to_owned()) } else { None };
            Ok(ClientBody::Token { token, version })
        }
        _ => Ok(ClientBody::Unsupported(AUTH)),
    }
}

/// What stands before every message to `address`.
#[must_use]
pub fn addressed(address: &str, message: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(address.len() + message.len() + 5);
    put_string(&mut out, address);
    out.extend_from_slice(message);
    out.into()
}

/// The address alone, for a message that is written after it.
#[must_use]
pub fn address(address: &str) -> Bytes {
    addressed(address, &[])
}

/// The message that lets a client in, and says whether it may edit.
#[must_use]
pub fn authenticated(may_write: bool) -> Vec<u8> {
    with_text(&[AUTH, 2], if may_write { "read-write" } else { "readonly" })
}

/// The message that keeps a client out of this document; the socket and its other documents stay.
#[must_use]
pub fn permission_denied(reason: &str) -> Vec<u8> {
    with_text(&[AUTH, 1], reason)
}

/// The message that answers one SyncStep2 or Update: saved, or refused.
#[must_use]
pub fn sync_status(saved: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(2);
    put_number(&mut out, SYNC_STATUS);
    put_number(&mut out, u64::from(saved));
    out
}

/// The message that carries a JSON event beside the document.
#[must_use]
pub fn stateless(json: &str) -> Vec<u8> {
    with_text(&[STATELESS], json)
}

/// The message that ends this document for the client for good. Never used for a resync: providers do not come back.
#[must_use]
pub fn close(reason: &str) -> Vec<u8> {
    with_text(&[CLOSE], reason)
}

/// A frame of one byte without an address, which providers since 4.0 answer: keep-alive.
#[must_use]
pub fn ping() -> Bytes {
    Bytes::from_static(&[PING])
}
