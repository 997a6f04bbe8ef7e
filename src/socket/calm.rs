//! Presence as one socket hands it to a room: at most ten times a second, the latest of each client, and nothing that the
//! room told itself. y-websocket repeats to the server whatever presence it is shown; with many people in a room that is
//! most of what comes in, and it ends here.

use std::collections::BTreeMap;

use bytes::Bytes;
use tokio::time::Instant;

use crate::limits;
use crate::protocol::awareness::{self, Entry};
use crate::room::Clocks;
use crate::update::{ClientId, Malformed};

/// What one socket says of presence in one document.
#[derive(Debug, Default)]
pub(super) struct Calm {
    waiting: BTreeMap<ClientId, (u64, Option<String>)>,
    /// When the room was last told; `None` before the first, which goes as it is.
    last: Option<Instant>,
}

impl Calm {
    /// Takes in an awareness update; answers what the room is to be told now.
    ///
    /// # Errors
    /// Bytes that are no awareness update.
    pub(super) fn take(&mut self, body: Bytes, clocks: &Clocks, now: Instant) -> Result<Option<Bytes>, Malformed> {
        if self.last.is_none() {
            self.last = Some(now);
            return Ok(Some(body));
        }
        for Entry { client, clock, state } in awareness::decode(&body)? {
            if clocks.has(client, clock, state.is_some()) {
                continue;
            }
            // What is too long for the room is too long here.
            if state.is_some_and(|state| state.len() > limits::PRESENCE_BYTES) {
                continue;
            }
            let older = self.waiting.get(&client).is_some_and(|(known, _)| clock < *known);
            let full = self.waiting.len() >= limits::PRESENCE_CLIENTS && !self.waiting.contains_key(&client);
            if !older && !full {
                self.waiting.insert(client, (clock, state.map(str::to_owned)));
            }
        }
        Ok(self.due(now))
    }

    /// When what waits is to be told.
    pub(super) fn next(&self) -> Option<Instant> {
        self.last.filter(|_| !self.waiting.is_empty()).map(|last| last + limits::PRESENCE_INTERVAL)
    }

    /// What the room is to be told by now.
    pub(super) fn due(&mut self, now: Instant) -> Option<Bytes> {
        if self.next().is_none_or(|next| next > now) {
            return None;
        }
        self.last = Some(now);
        let told = std::mem::take(&mut self.waiting);
        let entries =
            told.iter().map(|(&client, (clock, state))| Entry { client, clock: *clock, state: state.as_deref() });
        Some(awareness::encode(entries).into())
    }
}
