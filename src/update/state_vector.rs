//! How far each client of a document has been seen.

use std::collections::BTreeMap;

use super::reader::Reader;
use super::writer::put_number;
use super::{ClientId, Malformed};

/// The most clients an encoded state vector may name. Each costs some 25 bytes of memory here for 2 on the wire; a
/// 16 MiB document has room for fewer honest clients than this.
pub const MAX_STATE_VECTOR_CLIENTS: usize = 1 << 20;

/// What a client takes in the tree, in bytes, with the places that are free.
const CLIENT_BYTES: usize = 24;

/// For each client the number of units known, from clock 0 without a gap. A client with 0 is the same as one absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StateVector(BTreeMap<ClientId, u32>);

impl StateVector {
    /// The next clock expected of `client`; 0 if nothing of it is known.
    pub fn get(&self, client: ClientId) -> u32 {
        self.0.get(&client).copied().unwrap_or(0)
    }

    /// Replaces what is known of `client`.
    pub fn set(&mut self, client: ClientId, clock: u32) {
        if clock == 0 {
            self.0.remove(&client);
        } else {
            self.0.insert(client, clock);
        }
    }

    /// Like [`set`](Self::set), but never lowers.
    pub fn raise(&mut self, client: ClientId, clock: u32) {
        if clock > self.get(client) {
            self.0.insert(client, clock);
        }
    }

    /// Clients and their clocks, lowest client first.
    pub fn iter(&self) -> impl Iterator<Item = (ClientId, u32)> {
        self.0.iter().map(|(&client, &clock)| (client, clock))
    }

    /// How many clients are known.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing is known of anyone.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What the vector takes in memory, in bytes, about.
    pub fn memory(&self) -> usize {
        self.len() * CLIENT_BYTES
    }

    /// Whether all that `other` knows is known here too.
    pub fn covers(&self, other: &Self) -> bool {
        other.len() <= self.len() && other.iter().all(|(client, clock)| self.get(client) >= clock)
    }

    /// Reads an encoded state vector (the payload of SyncStep1). A client named twice has its last clock, as in Yjs.
    ///
    /// # Errors
    /// Truncated or trailing bytes, numbers out of range, more than [`MAX_STATE_VECTOR_CLIENTS`] clients.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(bytes, 0);
        let count = reader.count(2)?;
        if count > MAX_STATE_VECTOR_CLIENTS {
            return Err(Malformed::Count(0));
        }
        let mut vector = Self::default();
        for _ in 0..count {
            let client = reader.client()?;
            vector.set(client, reader.clock()?);
        }
        if reader.left() > 0 { Err(Malformed::Trailing(reader.at)) } else { Ok(vector) }
    }

    /// The bytes Yjs would write: highest client first.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(1 + 8 * self.len());
        put_number(&mut out, self.len() as u64);
        for (client, clock) in self.0.iter().rev() {
            put_number(&mut out, client.0);
            put_number(&mut out, (*clock).into());
        }
        out
    }
}

impl FromIterator<(ClientId, u32)> for StateVector {
    fn from_iter<T: IntoIterator<Item = (ClientId, u32)>>(pairs: T) -> Self {
        let mut vector = Self::default();
        pairs.into_iter().for_each(|(client, clock)| vector.raise(client, clock));
        vector
    }
}
