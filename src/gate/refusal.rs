//! Why something is refused, in a word for programs and a sentence for people.

use std::fmt;

use crate::limits;
use crate::update::{ClientId, Malformed};

/// Why the gate refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// Not a Yjs update that everyone would read alike.
    Malformed(Malformed),
    /// News from someone who may only read.
    ReadOnly,
    /// New content under a clientID that is another principal's.
    Foreign(ClientId),
    /// New content under a clientID that came with the history of others.
    Closed(ClientId),
    /// New content after, or on top of, content that was refused.
    Ended(ClientId),
    /// The document would grow beyond its limit.
    TooLarge,
    /// The documents of the project would take more than these bytes, which they may.
    ProjectFull(i64),
    /// What it builds on never came, although it was asked for.
    Incomplete,
    /// The database refused to store it.
    Unstorable,
    /// The document's history ended: deleted, or replaced by a restored one.
    Gone,
}

impl Refusal {
    /// A stable word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "malformed",
            Self::ReadOnly => "read_only",
            Self::Foreign(_) => "foreign_client",
            Self::Closed(_) => "closed_client",
            Self::Ended(_) => "ended_client",
            Self::TooLarge => "document_full",
            Self::ProjectFull(_) => "project_full",
            Self::Incomplete => "incomplete",
            Self::Unstorable => "unstorable",
            Self::Gone => "gone",
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(wrong) => write!(f, "not a Yjs update: {wrong}"),
            Self::ReadOnly => f.write_str("you may read this document, not edit it"),
            Self::Foreign(client) => {
                write!(f, "the edits of client {client} are another person's; reload to go on under an id of your own")
            }
            Self::Closed(client) => {
                write!(f, "client {client} belongs to an earlier history; reload to go on under an id of your own")
            }
            Self::Ended(client) => {
                write!(f, "an earlier edit of client {client} was refused, and what follows it cannot be saved; reload")
            }
            Self::TooLarge => write!(f, "the document has reached its limit of {} bytes", limits::DOCUMENT_BYTES),
            Self::ProjectFull(most) => write!(
                f,
                "the documents of this project have reached its limit of {most} bytes; delete some, or ask for more, then reload"
            ),
            Self::Incomplete => f.write_str("the edit builds on something this server never got; reload"),
            Self::Unstorable => f.write_str("the database refuses to store this edit"),
            Self::Gone => f.write_str("the document was deleted or replaced; reload"),
        }
    }
}
