//! Live documents.

use std::sync::Arc;

use bytes::Bytes;

use crate::db::Db;
use crate::error::Result;
use crate::ids::{DocumentId, UserId};

/// Who is in a room, as the login says: what the gate, the log and presence know of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Participant {
    /// The principal.
    pub user: UserId,
    /// Guests this user was before signing in; what is theirs is the user's.
    pub merged: Arc<[UserId]>,
    /// Shown to others.
    pub name: String,
    /// guest, person, external or assistant.
    pub kind: &'static str,
    /// Colour of the caret, `#rrggbb`.
    pub color: &'static str,
    /// Colour of the selection, `#rrggbb` with alpha.
    pub color_light: &'static str,
    /// Picture address.
    pub avatar: Option<String>,
}

/// All live documents of this process; cheap to clone.
#[derive(Debug, Clone)]
pub struct Rooms {
    #[allow(dead_code)]
    db: Db,
}

impl Rooms {
    /// No room is open yet.
    #[must_use]
    pub fn new(db: Db) -> Self {
        Self { db }
    }

    /// Gates one update as `author`'s, appends it, shows it to the room, and returns the head once it is committed.
    pub async fn write(&self, _document: DocumentId, _author: Participant, _update: Bytes) -> Result<i64> {
        unimplemented!()
    }

    /// The committed difference of a document to a state vector (empty: the whole), and the head it reaches.
    pub async fn read(&self, _document: DocumentId, _state_vector: &[u8]) -> Result<(Bytes, i64)> {
        unimplemented!()
    }

    /// Tells everyone in the room that the document was deleted, and closes it.
    pub fn deleted(&self, _document: DocumentId) {
        unimplemented!()
    }

    /// Commits what is in flight and ends every room.
    pub async fn shutdown(&self) {
        unimplemented!()
    }
}
