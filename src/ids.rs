//! Typed identifiers: every id is its own type, so that one cannot be taken for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema, sqlx::Type,
        )]
        #[serde(transparent)]
        #[sqlx(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUIDv7, so ids sort by creation).
            #[must_use]
            #[allow(clippy::new_without_default, reason = "a default id would be a random one")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )*};
}

uuid_id! {
    /// A principal: someone who signs in, a guest, or an external user named by an application's key.
    UserId;
    /// A project.
    ProjectId;
    /// A document, which keeps its id through every rename.
    DocumentId;
    /// An invite to a project.
    InviteId;
    /// A live meeting of a project's participants.
    SessionId;
    /// A change that somebody suggests.
    ProposalId;
    /// An API key.
    KeyId;
    /// A signed-in browser, as lists name it.
    LoginId;
    /// A thread of messages in a project.
    ConversationId;
    /// A message.
    MessageId;
    /// One attempt to append rows to one document's log; kept with the rows, so that an unknown outcome can be settled.
    BatchId;
}

impl BatchId {
    /// One for an attempt to append, of which there are thousands a second: unique, and not in any order.
    #[must_use]
    pub fn of_attempt() -> Self {
        Self(uuid::Builder::from_random_bytes(rand::random()).into_uuid())
    }
}

/// One attachment of a socket to a room; unique within the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);
