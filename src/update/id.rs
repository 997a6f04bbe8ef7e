//! The names of things inside a Yjs document: who wrote it, and its how-manieth unit it is.

use std::fmt;

/// A Yjs clientID: one writer of one document, below 2^53 (Yjs draws 32 bits, JavaScript can carry 53).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub u64);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One unit of a document's content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Who wrote it.
    pub client: ClientId,
    /// How many units that client had written before it.
    pub clock: u32,
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.client, self.clock)
    }
}
