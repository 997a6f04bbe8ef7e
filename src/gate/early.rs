//! The part of an update that came before something it builds on, and what an update amounts to in ids.

use std::collections::HashMap;

use bytes::Bytes;

use super::State;
use crate::update::{ClientId, IdSet, StateVector};

/// The part of an update that came too early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Early {
    /// The part, as an update of its own.
    pub update: Bytes,
    /// For each client of which something is missing, the clock that must come first: until one of them is there, a
    /// further try is in vain.
    pub waits: HashMap<ClientId, u32>,
    /// What the document holds once it came, this way or another.
    pub extent: Extent,
}

/// Which ids an update brings and which it deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extent {
    /// The clocks it reaches.
    pub clocks: StateVector,
    /// The ids it deletes.
    pub deletions: IdSet,
}

impl Extent {
    /// Whether everything in it is in the document by now.
    #[must_use]
    pub fn is_covered(&self, state: &State) -> bool {
        state.clocks.covers(&self.clocks) && state.deleted.contains_all(&self.deletions)
    }

    /// Whether it is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.clocks.is_empty() && self.deletions.is_empty()
    }

    /// Adds another.
    pub fn union(&mut self, other: &Self) {
        other.clocks.iter().for_each(|(client, end)| self.clocks.raise(client, end));
        self.deletions.union(&other.deletions);
    }

    /// The clients of whom something is missing.
    pub fn missing(&self, state: &State) -> impl Iterator<Item = ClientId> {
        self.clocks.iter().filter(|&(client, end)| end > state.clocks.get(client)).map(|(client, _)| client)
    }

    /// The first client, if any, of whom something is missing and who can write no more.
    #[must_use]
    pub fn lost(&self, state: &State, has_ended: impl Fn(ClientId) -> bool) -> Option<ClientId> {
        let writes = self.clocks.iter().find(|&(client, end)| end > state.clocks.get(client) && has_ended(client));
        let deletes = || {
            let exist = |client, clocks: &std::ops::Range<u32>| clocks.end <= state.clocks.get(client);
            self.deletions.iter().find(|(client, clocks)| !exist(*client, clocks) && has_ended(*client))
        };
        writes.map(|(client, _)| client).or_else(|| deletes().map(|(client, _)| client))
    }
}
