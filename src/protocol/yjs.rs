//! The dialect of y-websocket: one document a socket, named by the path; a frame holds messages without an address.

use bytes::Bytes;

use super::{AUTH, AWARENESS, ClientMessage, QUERY_AWARENESS, SYNC, read_sync, with_text};
use crate::update::{Malformed, Reader};

/// Messages in one frame at most. Stable clients send one; some pack SyncStep1 and presence together. A frame of
/// one-byte questions must not buy thousands of answers.
pub const MESSAGES_PER_FRAME: usize = 16;

/// The messages of a frame. Types that only servers send, or that this server does not know, end the reading without
/// an error, as the reference server ignores them.
///
/// # Errors
/// A frame that breaks off, or with more than [`MESSAGES_PER_FRAME`].
pub fn decode(frame: &Bytes) -> Result<Vec<ClientMessage>, Malformed> {
    let mut reader = Reader::new(frame, 0);
    let mut messages = Vec::with_capacity(1);
    while reader.left() > 0 {
        if messages.len() == MESSAGES_PER_FRAME {
            return Err(Malformed::Trailing(reader.at));
        }
        messages.push(match reader.number()? {
            SYNC => read_sync(frame, &mut reader)?,
            AWARENESS => ClientMessage::Awareness(frame.slice_ref(reader.buffer()?)),
            QUERY_AWARENESS => ClientMessage::QueryAwareness,
            _ => break,
        });
    }
    Ok(messages)
}

/// Tells the client that it may not do what it tried. Clients print the reason and go on.
#[must_use]
pub fn permission_denied(reason: &str) -> Bytes {
    with_text(&[AUTH, 0], reason).into()
}
