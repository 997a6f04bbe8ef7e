//! What rooms are found by.

use std::fmt;

use crate::ids::{DocumentId, ProjectId};

/// What a room is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Subject {
    /// A document: its edits, and who is in it.
    Document(DocumentId),
    /// A project: only who is in it. Nothing is stored, and nobody can write.
    Project(ProjectId),
}

impl From<DocumentId> for Subject {
    fn from(document: DocumentId) -> Self {
        Self::Document(document)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Document(document) => write!(f, "document {document}"),
            Self::Project(project) => write!(f, "project {project}"),
        }
    }
}
