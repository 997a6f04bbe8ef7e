//! What a document is, as far as the gate needs: clocks, deleted ids, format marks, and whose each clientID is.

use std::collections::HashMap;

use super::Admitted;
use crate::ids::UserId;
use crate::update::{ClientId, IdSet, StateVector, Summary};

/// Whose a clientID is in a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// The first principal who wrote with it.
    User(UserId),
    /// It came with the history of others: readable, never to be extended.
    Closed,
}

/// What a client's owner takes in a table, in bytes, with the places that are free.
const OWNER_BYTES: usize = 64;

/// The admitted state of a document. It costs some 90 bytes a client and 8 a run of deleted ids, not a copy of the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// For each client, how many ids exist.
    pub clocks: StateVector,
    /// Ids that are deleted.
    pub deleted: IdSet,
    /// Ids of format marks, which a reader's editor may find redundant and delete.
    pub formats: IdSet,
    /// Whose each clientID is. An id that wrote before ownership was recorded counts as closed.
    pub owners: HashMap<ClientId, Owner>,
    /// Encoded size in bytes.
    pub bytes: usize,
}

impl State {
    /// The state that loaded bytes amount to.
    #[must_use]
    pub fn new(summary: Summary, owners: impl IntoIterator<Item = (ClientId, Owner)>, bytes: usize) -> Self {
        let mut owners: HashMap<ClientId, Owner> = owners.into_iter().collect();
        for (client, _) in summary.state_vector.iter() {
            owners.entry(client).or_insert(Owner::Closed);
        }
        Self { clocks: summary.state_vector, deleted: summary.deleted, formats: summary.formats, owners, bytes }
    }

    /// What it takes, in bytes, by counting clients and ranges; it goes through all clients.
    #[must_use]
    pub fn memory(&self) -> usize {
        let owners = self.owners.len() * OWNER_BYTES;
        self.clocks.memory() + owners + self.deleted.memory() + self.formats.memory()
    }

    /// Takes in what was admitted against exactly this state.
    pub fn admit(&mut self, admitted: &Admitted) {
        for &(client, end) in &admitted.clocks {
            self.clocks.raise(client, end);
        }
        self.deleted.union(&admitted.deleted);
        self.formats.union(&admitted.formats);
        self.owners.extend(admitted.claims.iter().copied());
        self.bytes += admitted.update.len();
    }
}
