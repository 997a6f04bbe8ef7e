//! The log of every document.

use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{DocumentId, UserId};

/// Where a document's log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Sequence number of the last row; 0 for an empty log.
    pub seq: i64,
    /// The number of the history these sequence numbers belong to.
    pub epoch: i64,
}

/// Begins the log of a new document in the transaction that creates it, seeded from plain text (LF line ends).
pub async fn create(_tx: &mut Tx, _document: DocumentId, _author: UserId, _text: &str) -> Result<Head> {
    unimplemented!()
}

/// Ends the log of a document in the transaction that deletes it: nothing decided before is appended any more.
pub async fn end(_tx: &mut Tx, _document: DocumentId) -> Result<()> {
    unimplemented!()
}

/// Where the logs of these documents stand; unknown ones are left out.
pub async fn heads(_db: &Db, _documents: &[DocumentId]) -> Result<Vec<(DocumentId, Head)>> {
    unimplemented!()
}
