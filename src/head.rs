//! Where a document's log stands: the position that everything about it is measured by.

use serde::{Deserialize, Serialize};

/// Where a document's log stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Sequence number of the last row; 0 for an empty log.
    pub seq: i64,
    /// The number of the history these sequence numbers belong to.
    pub epoch: i64,
}
