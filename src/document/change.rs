//! Changes of many documents at once: all or nothing, in one transaction, under open rooms too.
//!
//! A room is not asked to wait. Its log is appended to under the head's lock, like by another server; the room finds
//! out when it is told, or when its own append finds another head, and decides on what it had anew.

use serde::{Deserialize, Serialize};

use super::content::edit;
use super::path::DocumentPath;
use super::{Document, DocumentView, Resolved, content_of, delete_in, insert, move_in, resolve, sql};
use crate::access::lock_project;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::gate::{self, Context, Writer};
use crate::ids::{BatchId, DocumentId, ProjectId};
use crate::journal::{self, Append, Row};
use crate::limits;
use crate::replica::Replicas;
use crate::room::{Committed, Participant, Rooms};

/// One operation of a change. Documents are named by id or path, as they were before the change.
#[derive(Debug, Clone, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase", deny_unknown_fields)]
pub enum Operation {
    /// Creates a document with a text.
    Create {
        /// Where.
        path: String,
        /// Its text.
        #[serde(default)]
        content: String,
    },
    /// Makes a document's text another, by the smallest edit.
    Write {
        /// Which.
        document: String,
        /// The text it shall have.
        content: String,
        /// Only if it is at this head.
        head: Option<i64>,
    },
    /// Moves a document.
    Rename {
        /// Which.
        document: String,
        /// Where to.
        path: String,
    },
    /// Deletes a document.
    Delete {
        /// Which.
        document: String,
    },
}

/// A change that was made: each operation's document, in order; nothing for a deleted one.
#[derive(Debug, Serialize)]
pub struct Changed {
    documents: Vec<Option<DocumentView>>,
}

/// An operation whose document is found and whose edit is made.
enum Prepared {
    Create(DocumentPath, String),
    Write(Document, Option<bytes::Bytes>),
    Rename(DocumentId, DocumentPath),
    Delete(DocumentId),
}

impl Prepared {
    fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Create(..) => None,
            Self::Write(document, _) => Some(document.id),
            Self::Rename(document, _) | Self::Delete(document) => Some(*document),
        }
    }
}

/// Makes a change, wholly or not at all.
///
/// # Errors
/// What any of its operations meets: `bad_change`, `path_taken`, `bad_path`, [`Error::NotFound`],
/// [`Error::PreconditionFailed`], [`Error::TooLarge`], 503 when a text cannot be had, or when the database fails. Nothing was
/// changed then.
pub async fn change(
    db: &Db,
    rooms: &Rooms,
    replicas: &Replicas,
    project: ProjectId,
    author: &Participant,
    operations: Vec<Operation>,
) -> Result<Changed> {
    if operations.is_empty() || operations.len() > limits::CHANGE_OPERATIONS {
        let most = limits::CHANGE_OPERATIONS;
        return Err(Error::invalid("bad_change", format!("a change has 1 to {most} operations")));
    }
    let mut prepared = Vec::with_capacity(operations.len());
    for operation in operations {
        prepared.push(prepare(db, rooms, replicas, project, operation).await?);
    }
    refuse_twice(&prepared)?;
    let mut tx = db.begin().await?;
    lock_project(&mut tx, project).await?;
    let touched: Vec<DocumentId> = prepared.iter().filter_map(Prepared::document).collect();
    journal::lock(&mut tx, &touched).await?;
    let mut documents = Vec::with_capacity(prepared.len());
    let (mut written, mut deleted) = (Vec::new(), Vec::new());
    for operation in prepared {
        documents.push(match operation {
            Prepared::Create(path, content) => {
                Some(insert(&mut tx, project, author.user, path, &content).await?.view())
            }
            Prepared::Write(document, update) => {
                let document = write_in(&mut tx, project, author, document, update).await?;
                written.push(document.id);
                Some(document.view())
            }
            Prepared::Rename(document, path) => Some(move_in(&mut tx, project, document, &path).await?.view()),
            Prepared::Delete(document) => {
                delete_in(&mut tx, project, document).await?;
                deleted.push(document);
                None
            }
        });
    }
    tx.commit().await?;
    written.into_iter().for_each(|document| rooms.look(document));
    deleted.into_iter().for_each(|document| rooms.deleted(document));
    Ok(Changed { documents })
}

async fn prepare(
    db: &Db,
    rooms: &Rooms,
    replicas: &Replicas,
    project: ProjectId,
    operation: Operation,
) -> Result<Prepared> {
    Ok(match operation {
        Operation::Create { path, content } => Prepared::Create(DocumentPath::new(&path)?, content_of(&content)?),
        Operation::Write { document, content, head } => {
            let found = find(db, project, &document).await?;
            let (read, update) = edit(rooms, replicas, found.id, &content).await?;
            if head.is_some_and(|head| head != read.seq) {
                return Err(Error::PreconditionFailed(read.seq));
            }
            Prepared::Write(Document { head: read, ..found }, update)
        }
        Operation::Rename { document, path } => {
            Prepared::Rename(find(db, project, &document).await?.id, DocumentPath::new(&path)?)
        }
        Operation::Delete { document } => Prepared::Delete(find(db, project, &document).await?.id),
    })
}

async fn find(db: &Db, project: ProjectId, name: &str) -> Result<Document> {
    match resolve(db, project, name).await? {
        Resolved::Live(document) => Ok(document),
        Resolved::Deleted | Resolved::Unknown => Err(Error::NotFound),
    }
}

/// An edit is made against the document as it was read, so two of one document in a change would undo each other.
fn refuse_twice(prepared: &[Prepared]) -> Result<()> {
    let mut written: Vec<DocumentId> = prepared
        .iter()
        .filter(|operation| !matches!(operation, Prepared::Rename(..)))
        .filter_map(Prepared::document)
        .collect();
    written.sort_unstable();
    if written.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(Error::invalid("bad_change", "a change writes or deletes each document once"));
    }
    Ok(())
}

/// Appends an edit to a log that is locked, gated against what it holds now.
async fn write_in(
    tx: &mut Tx,
    project: ProjectId,
    author: &Participant,
    document: Document,
    update: Option<bytes::Bytes>,
) -> Result<Document> {
    let Resolved::Live(mut found) = sql::by_id_in(tx, project, document.id).await? else {
        return Err(Error::NotFound);
    };
    let Some(update) = update else { return Ok(found) };
    let loaded = journal::load_in(tx, document.id).await?;
    if loaded.head.epoch != document.head.epoch {
        return Err(Error::conflict("replaced", "the document's history was replaced meanwhile; try again"));
    }
    let (committed, state) = Committed::new(loaded).map_err(anyhow::Error::from)?;
    let ended = std::collections::HashSet::new();
    let announced = std::collections::HashMap::new();
    let writer = Writer { user: author.user, merged: &author.merged, may_write: true, ended: &ended };
    let context = Context { committed: &committed.clocks, announced: &announced };
    let decision = gate::decide(&state, &writer, &context, &update);
    if let Some(refusal) = decision.refused {
        return Err(Error::conflict(refusal.code(), refusal.to_string()));
    }
    if let Some(admitted) = decision.admitted {
        let user = author.user;
        let append = Append {
            document: document.id,
            batch: BatchId::new(),
            expected: committed.head,
            rows: vec![Row { author: user, update: admitted.update }],
            claims: admitted.claims.into_iter().map(|(client, owner)| (client, user, owner)).collect(),
        };
        journal::append_in(tx, &append).await?;
        found.head = append.head();
    }
    Ok(found)
}
