//! Changes of many documents at once: all or nothing, in one transaction, under open rooms too.
//!
//! A room is not asked to wait. Its log is appended to under the head's lock, like by another server; the room finds
//! out when it is told, or when its own append finds another head, and decides on what it had anew.

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::content::edit;
use super::path::DocumentPath;
use super::{Document, DocumentView, Resolved, content_of, delete_in, insert, move_in, resolve, sql};
use crate::access::lock_project;
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::gate::{self, Context, Refusal, Writer};
use crate::head::Head;
use crate::ids::{BatchId, DocumentId, ProjectId};
use crate::journal::{self, Append, Row};
use crate::limits;
use crate::quota::Quotas;
use crate::replica::Replicas;
use crate::room::{Participant, Rooms, refused, stored};

/// One operation of a change. Documents are named by id or path, as they were before the change.
#[derive(Debug, Clone, Deserialize, ToSchema)]
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
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    documents: Vec<Option<DocumentView>>,
}

/// An operation whose document is found and whose edit is made.
enum Prepared {
    Create(DocumentPath, String),
    Write(Edit),
    Rename(DocumentId, DocumentPath),
    Delete(DocumentId),
}

/// An edit of a document's text.
#[derive(Debug)]
pub(crate) struct Edit {
    pub(crate) document: DocumentId,
    /// The head it was made at.
    pub(crate) read: Head,
    /// Whether it may only be made there. Otherwise what was written since stays, merged with it.
    pub(crate) only_there: bool,
    /// The edit; `None` when the text is there already.
    pub(crate) update: Option<bytes::Bytes>,
}

impl Prepared {
    fn document(&self) -> Option<DocumentId> {
        match self {
            Self::Create(..) => None,
            Self::Write(edit) => Some(edit.document),
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
    feed: &Feed,
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
    let db = feed.db();
    for operation in operations {
        prepared.push(prepare(db, rooms, replicas, project, operation).await?);
    }
    refuse_twice(&prepared)?;
    let documents = carry_out(feed, rooms, project, author, prepared).await?;
    Ok(Changed { documents: documents.iter().map(|document| document.as_ref().map(Document::view)).collect() })
}

/// Makes one edit. Answers the head it reaches.
///
/// # Errors
/// As [`change`].
pub(super) async fn edit_there(
    feed: &Feed,
    rooms: &Rooms,
    project: ProjectId,
    author: &Participant,
    edit: Edit,
) -> Result<i64> {
    let documents = carry_out(feed, rooms, project, author, vec![Prepared::Write(edit)]).await?;
    documents.into_iter().flatten().next().map(|document| document.head.seq).ok_or(Error::NotFound)
}

/// Carries operations out, in a task of its own: who asked may go away, but open rooms must hear of what was committed.
async fn carry_out(
    feed: &Feed,
    rooms: &Rooms,
    project: ProjectId,
    author: &Participant,
    operations: Vec<Prepared>,
) -> Result<Vec<Option<Document>>> {
    let (feed, rooms, author) = (feed.clone(), rooms.clone(), author.clone());
    let carried_out = tokio::spawn(async move {
        let touched: Vec<(DocumentId, bool)> = operations
            .iter()
            .filter_map(|operation| Some((operation.document()?, matches!(operation, Prepared::Delete(_)))))
            .collect();
        let outcome = commit(&feed, rooms.quotas(), project, &author, operations).await;
        let mut looks = Vec::new();
        for (document, deleted) in touched {
            // After an error it may have been committed all the same; then rooms find out what became of it.
            if deleted && outcome.is_ok() { rooms.deleted(document) } else { looks.push(rooms.look(document)) }
        }
        join_all(looks).await;
        rooms.quotas().look(project);
        outcome
    });
    carried_out.await.map_err(anyhow::Error::from)?
}

/// Carries operations out in one transaction, and tells them in the feed. Answers their documents, but for deleted ones.
async fn commit(
    feed: &Feed,
    quotas: &Quotas,
    project: ProjectId,
    author: &Participant,
    operations: Vec<Prepared>,
) -> Result<Vec<Option<Document>>> {
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    let touched: Vec<DocumentId> = operations.iter().filter_map(Prepared::document).collect();
    journal::lock(&mut tx, &touched).await?;
    let mut documents = Vec::with_capacity(operations.len());
    let mut events = Vec::new();
    let mut grows = false;
    for operation in operations {
        documents.push(match operation {
            Prepared::Create(path, content) => {
                grows |= !content.is_empty();
                let document = insert(&mut tx, project, author.user, path, &content).await?;
                events.push(document.created());
                Some(document)
            }
            Prepared::Write(edit) => {
                let told = edit.update.is_some();
                let (document, grown) = write_in(&mut tx, project, author, edit).await?;
                grows |= grown;
                let (document_id, head) = (document.id, document.head.seq);
                events.extend(told.then(|| Event::FileChanged { document_id, path: document.path.clone(), head }));
                Some(document)
            }
            Prepared::Rename(document, path) => {
                let (document, event) = move_in(&mut tx, project, document, &path).await?;
                events.extend(event);
                Some(document)
            }
            Prepared::Delete(document) => {
                events.push(delete_in(&mut tx, project, document).await?);
                None
            }
        });
    }
    if grows {
        quotas.hold(&mut tx, project).await?;
    }
    if !events.is_empty() {
        feed::append(&mut tx, project, Some(author.user), &events).await?;
    }
    feed.commit(tx, project).await?;
    Ok(documents)
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
            let (read, update) = edit(rooms, replicas, &found, &content).await?;
            if head.is_some_and(|head| head != read.seq) {
                return Err(Error::PreconditionFailed(read.seq));
            }
            Prepared::Write(Edit { document: found.id, read, only_there: head.is_some(), update })
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

/// Appends an edit to a log that is locked, gated against what it holds now. Answers whether it brings more than
/// deletions.
///
/// # Errors
/// [`Error::PreconditionFailed`] where it may only be made at another head, [`Error::NotFound`] for a deleted document, what
/// the gate refuses, or when the database fails.
pub(crate) async fn write_in(
    tx: &mut Tx,
    project: ProjectId,
    author: &Participant,
    edit: Edit,
) -> Result<(Document, bool)> {
    let Edit { document, read, only_there, update } = edit;
    let Resolved::Live(mut found) = sql::by_id_in(tx, project, document).await? else {
        return Err(Error::NotFound);
    };
    if only_there && found.head != read {
        return Err(Error::PreconditionFailed(found.head.seq));
    }
    let Some(update) = update else { return Ok((found, false)) };
    let loaded = journal::load_in(tx, document).await?;
    if loaded.head.epoch != read.epoch {
        return Err(Error::conflict("replaced", "the document's history was replaced meanwhile; try again"));
    }
    let (committed, state) = stored::committed(document, loaded)?;
    let ended = std::collections::HashSet::new();
    let announced = std::collections::HashMap::new();
    let writer = Writer { user: author.user, merged: &author.merged, may_write: true, ended: &ended };
    let context = Context { committed: &committed.clocks, announced: &announced };
    let decision = gate::decide(&state, &writer, &context, &update);
    if let Some(refusal) = decision.refused.or(decision.parked.map(|_| Refusal::Incomplete)) {
        return Err(refused(&refusal));
    }
    let mut grown = false;
    if let Some(admitted) = decision.admitted {
        grown = !admitted.clocks.is_empty();
        let user = author.user;
        let append = Append {
            document,
            batch: BatchId::new(),
            expected: committed.head,
            rows: vec![Row { author: user, update: admitted.update }],
            claims: admitted.claims.into_iter().map(|(client, owner)| (client, user, owner)).collect(),
        };
        journal::append_in(tx, &append).await?;
        found.head = append.head();
    }
    Ok((found, grown))
}
