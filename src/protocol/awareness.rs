//! Awareness updates: who is here, as y-protocols writes it. Only the framing; what a state says is JSON to others.

use crate::update::{ClientId, Malformed, Reader, put_number, put_string};

/// One client's state in an awareness update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Whose.
    pub client: ClientId,
    /// Rises with every change; an entry with an older clock is ignored.
    pub clock: u64,
    /// The state as JSON, or `None` when the client has gone.
    pub state: Option<&'a str>,
}

/// Reads the entries of an awareness update; the states are not parsed.
///
/// # Errors
/// Bytes that break off or go on after the end.
pub fn decode(body: &[u8]) -> Result<Vec<Entry<'_>>, Malformed> {
    let mut reader = Reader::new(body, 0);
    // An entry takes at least three bytes: client, clock, and the length of its JSON.
    let count = reader.count(3)?;
    let mut entries = Vec::with_capacity(count);
    for _ in 0..count {
        let client = reader.client()?;
        let clock = reader.number()?;
        let json = reader.string()?;
        entries.push(Entry { client, clock, state: (json != "null").then_some(json) });
    }
    if reader.left() > 0 { Err(Malformed::Trailing(reader.at)) } else { Ok(entries) }
}

/// Writes an awareness update.
#[must_use]
pub fn encode<'a>(entries: impl ExactSizeIterator<Item = Entry<'a>>) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, entries.len() as u64);
    for entry in entries {
        put_number(&mut out, entry.client.0);
        put_number(&mut out, entry.clock);
        put_string(&mut out, entry.state.unwrap_or("null"));
    }
    out
}
