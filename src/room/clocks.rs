//! The clocks of the presence that a room has told, readable without asking the room: a socket drops what repeats them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;

use crate::update::ClientId;

/// For each client that is here its clock, and whether it has a state. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Clocks(Arc<RwLock<HashMap<ClientId, (u64, bool)>>>);

impl Clocks {
    /// Whether an entry says nothing that the room does not know.
    #[must_use]
    pub fn has(&self, client: ClientId, clock: u64, here: bool) -> bool {
        match self.0.read().get(&client) {
            Some(&(known, known_here)) => clock < known || (clock == known && (here || !known_here)),
            // Who is not here need not be told to have gone.
            None => !here,
        }
    }

    pub(super) fn set(&self, client: ClientId, clock: u64, here: bool) {
        self.0.write().insert(client, (clock, here));
    }

    pub(super) fn remove(&self, client: ClientId) {
        self.0.write().remove(&client);
    }
}
