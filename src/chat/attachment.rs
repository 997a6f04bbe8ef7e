//! What is attached to a message.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::blob::{self, Hash};
use crate::db::Db;
use crate::document::{self, Resolved};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, ProjectId};
use crate::limits;

/// Something of the project that a message points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Attachment {
    /// A file.
    File {
        /// Which.
        document_id: DocumentId,
    },
    /// A range of a file's text. The anchors are Yjs relative positions, which stay at the text through edits.
    Selection {
        /// Which.
        document_id: DocumentId,
        /// Where it begins: a relative position as its client encodes it.
        start: String,
        /// Where it ends.
        end: String,
        /// What was there when it was attached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<String>,
        /// The head that it was attached at.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        head: Option<i64>,
    },
    /// What a client's tools say of a file.
    Diagnostics {
        /// Which.
        document_id: DocumentId,
        /// What they say.
        items: Vec<Diagnostic>,
    },
    /// A named version of the project.
    Version {
        /// Which.
        id: Uuid,
    },
    /// Bytes of the project.
    Blob {
        /// Their SHA-256.
        hash: String,
        /// What to call them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        name: Option<String>,
    },
}

/// One thing that a compiler or linter says of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Diagnostic {
    /// Counted from 1.
    pub line: u32,
    /// error, warning, info or hint.
    pub severity: String,
    /// What it says.
    pub message: String,
}

/// Refuses attachments that are too many, too large, or not of this project.
pub(super) async fn check(db: &Db, project: ProjectId, attachments: &[Attachment]) -> Result<()> {
    if attachments.len() > limits::ATTACHMENTS {
        return Err(bad(format!("a message has at most {} attachments", limits::ATTACHMENTS)));
    }
    for attachment in attachments {
        let size = serde_json::to_string(attachment).map_err(anyhow::Error::from)?.len();
        if size > limits::ATTACHMENT_BYTES {
            return Err(bad(format!("an attachment has at most {} bytes as JSON", limits::ATTACHMENT_BYTES)));
        }
        let is_there = match attachment {
            Attachment::File { document_id }
            | Attachment::Selection { document_id, .. }
            | Attachment::Diagnostics { document_id, .. } => {
                matches!(document::resolve(db, project, &document_id.to_string()).await?, Resolved::Live(found) if found.id == *document_id)
            }
            Attachment::Blob { hash, .. } => match hash.parse::<Hash>() {
                Ok(hash) => blob::exists(db, project, hash).await?,
                Err(()) => false,
            },
            // Versions are looked up by those who show them.
            Attachment::Version { .. } => true,
        };
        if !is_there {
            return Err(bad("what is attached is not in this project; upload or create it first".to_owned()));
        }
    }
    Ok(())
}

fn bad(said: String) -> Error {
    Error::invalid("bad_attachment", said)
}
