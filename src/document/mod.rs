//! The documents of a project: which there are, what they are called, and their life from creation to deletion.
//!
//! Its bytes are the journal's and the rooms' affair; what it says is asked of workers (`content`, `change`).
//! Whatever depends on which paths are taken happens under the project's lock.

mod change;
mod content;
mod hunks;
mod path;
mod routes;
mod sql;
pub mod sweep;
mod target;

use serde::Serialize;
use utoipa::ToSchema;

pub use self::change::{Changed, Operation, change};
pub(crate) use self::change::{Edit, write_in};
pub use self::content::{Content, Search, json, search, text, write, write_at};
pub(crate) use self::hunks::{apply, apply_held, fit, propose, revert};
pub use self::path::DocumentPath;
pub use self::routes::routes;
pub use self::target::Target;

use crate::access::lock_project;
use crate::db::{Db, Tx, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::journal::{self, Head};
use crate::limits;
use crate::quota::Quotas;
use crate::room::Rooms;
use crate::text as texts;
use crate::timestamp::Timestamp;

/// A living document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its id, which stays through every rename.
    pub id: DocumentId,
    /// Whose it is.
    pub project: ProjectId,
    /// Where it is in the tree now.
    pub path: String,
    /// Where its log stood when it was looked up.
    pub head: Head,
    /// Who made it.
    pub created_by: UserId,
    /// When it was created, in microseconds since 1970.
    pub created_us: i64,
}

/// Which documents of a project are wanted.
#[derive(Debug, Clone, Copy, Default)]
struct Wanted<'a> {
    after: Option<DocumentId>,
    /// A pattern of their paths.
    words: Option<&'a str>,
    /// Where or below what they are.
    folder: Option<&'a str>,
    author: Option<UserId>,
}

/// What a name stands for in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// A living document: named by its id, by its path, or by a path it had.
    Live(Document),
    /// A document that was deleted.
    Deleted,
    /// Nothing, and never has.
    Unknown,
}

/// A document as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DocumentView {
    id: DocumentId,
    project_id: ProjectId,
    #[schema(example = "notes/today.md")]
    path: String,
    /// The number of the last row of its log.
    head: i64,
    /// Which history it has: another one begins when a backup was restored.
    epoch: i64,
    created_by: UserId,
    created_at: Timestamp,
}

impl Document {
    /// What there is to tell when it is new.
    fn created(&self) -> Event {
        Event::FileCreated { document_id: self.id, path: self.path.clone() }
    }

    /// As the API tells it.
    #[must_use]
    pub fn view(&self) -> DocumentView {
        DocumentView {
            id: self.id,
            project_id: self.project,
            path: self.path.clone(),
            head: self.head.seq,
            epoch: self.head.epoch,
            created_by: self.created_by,
            created_at: Timestamp(self.created_us),
        }
    }
}

/// What a name stands for: an id of this project, else a path; paths that documents had before count too.
///
/// # Errors
/// When the database fails.
pub async fn resolve(db: &Db, project: ProjectId, name: &str) -> Result<Resolved> {
    if let Some(id) = as_id(name) {
        let found = sql::by_id(db, project, id).await?;
        if found != Resolved::Unknown {
            return Ok(found);
        }
    }
    // What no path can be was never one; the database is not asked, and could not be (NUL).
    if DocumentPath::new(name).is_err() {
        return Ok(Resolved::Unknown);
    }
    sql::by_path(db, project, name).await
}

/// As [`resolve`], but a path that never was is created empty, as `creator`'s, for somebody who may edit. However many
/// come at once, one document is made.
///
/// # Errors
/// `bad_path` for what cannot be a path, `path_taken` where a file is in the way of a folder or the reverse,
/// [`Error::TooLarge`] when the project is full, or when the database fails.
pub async fn resolve_or_create(feed: &Feed, project: ProjectId, name: &str, creator: UserId) -> Result<Resolved> {
    let db = feed.db();
    let found = resolve(db, project, name).await?;
    if found != Resolved::Unknown {
        return Ok(found);
    }
    let path = DocumentPath::new(name)?;
    let mut tx = db.begin().await?;
    lock_project(&mut tx, project).await?;
    let found = sql::by_path_in(&mut tx, project, name).await?;
    if found != Resolved::Unknown {
        return Ok(found);
    }
    let document = insert(&mut tx, project, creator, path, "").await?;
    feed::append(&mut tx, project, Some(creator), &[document.created()]).await?;
    feed.commit(tx, project).await?;
    Ok(Resolved::Live(document))
}

/// Creates a document with a text. Takes over a path that only points to where a document went, or that a deleted one
/// had.
///
/// # Errors
/// `path_taken` when another document is there, `bad_path`, [`Error::TooLarge`] for too much text or a full project,
/// or when the database fails.
pub async fn create(
    feed: &Feed,
    quotas: &Quotas,
    project: ProjectId,
    creator: UserId,
    path: &str,
    content: &str,
) -> Result<Document> {
    let content = content_of(content)?;
    let path = DocumentPath::new(path)?;
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    let document = insert(&mut tx, project, creator, path, &content).await?;
    if !content.is_empty() {
        quotas.hold(&mut tx, project).await?;
    }
    feed::append(&mut tx, project, Some(creator), &[document.created()]).await?;
    feed.commit(tx, project).await?;
    quotas.look(project);
    Ok(document)
}

/// Creates a document in a transaction that holds the project's lock, and answers what there is to tell. Whoever began the
/// transaction is to hold it against the project's quota.
///
/// # Errors
/// As [`create`].
pub async fn create_in(
    tx: &mut Tx,
    project: ProjectId,
    creator: UserId,
    path: DocumentPath,
    content: &str,
) -> Result<(Document, Event)> {
    let document = insert(tx, project, creator, path, &content_of(content)?).await?;
    let event = document.created();
    Ok((document, event))
}

/// Refuses more new documents than a project has room for, before any is made.
///
/// # Errors
/// [`Error::TooLarge`], or when the database fails.
pub async fn refuse_too_many(tx: &mut Tx, project: ProjectId, more: usize) -> Result<()> {
    let most = sql::most(tx, project).await?.unwrap_or(limits::DOCUMENTS_PER_PROJECT);
    let there = taken(tx, project, most).await?;
    if there.saturating_add(i64::try_from(more).unwrap_or(i64::MAX)) > most {
        return Err(Error::TooLarge(format!(
            "{more} more documents are too many: a project has at most {most}, and this one has {there} already"
        )));
    }
    Ok(())
}

/// How many documents count towards a project's most: the living, and of the deleted those beyond what is kept of them.
async fn taken(tx: &mut Tx, project: ProjectId, most: i64) -> Result<i64> {
    let deleted = sql::count_deleted(tx, project, limits::DELETED_DOCUMENTS.saturating_add(most)).await?;
    Ok(sql::count(tx, project).await? + (deleted - limits::DELETED_DOCUMENTS).max(0))
}

/// A living document, as it is in a transaction.
///
/// # Errors
/// When the database fails.
pub(crate) async fn living_in(tx: &mut Tx, project: ProjectId, document: DocumentId) -> Result<Option<Document>> {
    match sql::by_id_in(tx, project, document).await? {
        Resolved::Live(document) => Ok(Some(document)),
        Resolved::Deleted | Resolved::Unknown => Ok(None),
    }
}

/// A living document by its id.
///
/// # Errors
/// When the database fails.
pub(crate) async fn living(db: &Db, project: ProjectId, document: DocumentId) -> Result<Option<Document>> {
    match sql::by_id(db, project, document).await? {
        Resolved::Live(document) => Ok(Some(document)),
        Resolved::Deleted | Resolved::Unknown => Ok(None),
    }
}

/// How many documents a project has, and may have.
///
/// # Errors
/// When the database fails.
pub async fn counted(db: &Db, project: ProjectId) -> Result<(i64, i64)> {
    let mut tx = db.begin_read().await?;
    let most = sql::most(&mut tx, project).await?.unwrap_or(limits::DOCUMENTS_PER_PROJECT);
    Ok((sql::count(&mut tx, project).await?, most))
}

/// All documents of a project.
///
/// # Errors
/// When the database fails.
pub async fn all(db: &Db, project: ProjectId) -> Result<Vec<Document>> {
    sql::list(db, project, Wanted::default(), i64::MAX).await
}

/// The paths of all documents of a project, in a transaction.
///
/// # Errors
/// When the database fails.
pub async fn paths(tx: &mut Tx, project: ProjectId) -> Result<Vec<String>> {
    sql::paths(tx, project).await
}

/// The documents below a folder, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn below(db: &Db, project: ProjectId, folder: &str, limit: i64) -> Result<Vec<Document>> {
    sql::list(db, project, Wanted { folder: Some(folder), ..Wanted::default() }, limit).await
}

/// A text as documents hold it: LF line ends, within the limit.
pub(crate) fn content_of(given: &str) -> Result<String> {
    let content = texts::to_lf(given);
    if content.len() > limits::CONTENT_BYTES {
        return Err(Error::TooLarge(format!("a document's text has at most {} bytes", limits::CONTENT_BYTES)));
    }
    Ok(content)
}

/// Moves a document to another path; the old one goes on pointing to it.
///
/// # Errors
/// `path_taken`, `bad_path`, [`Error::NotFound`] when it was deleted meanwhile, or when the database fails.
pub async fn rename(
    feed: &Feed,
    project: ProjectId,
    actor: UserId,
    document: DocumentId,
    path: &str,
) -> Result<Document> {
    let path = DocumentPath::new(path)?;
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    let (moved, event) = move_in(&mut tx, project, document, &path).await?;
    if let Some(event) = event {
        feed::append(&mut tx, project, Some(actor), &[event]).await?;
    }
    feed.commit(tx, project).await?;
    Ok(moved)
}

/// Moves a document, and answers what there is to tell if it was elsewhere.
pub(crate) async fn move_in(
    tx: &mut Tx,
    project: ProjectId,
    document: DocumentId,
    path: &DocumentPath,
) -> Result<(Document, Option<Event>)> {
    let Resolved::Live(mut found) = sql::by_id_in(tx, project, document).await? else {
        return Err(Error::NotFound);
    };
    if found.path == path.as_str() {
        return Ok((found, None));
    }
    refuse_taken(tx, project, Some(document), path).await?;
    sql::move_to(tx, document, path.as_str()).await?;
    sql::point(tx, project, path.as_str(), document).await?;
    let from = std::mem::replace(&mut found.path, path.as_str().to_owned());
    let event = Event::FileRenamed { document_id: document, from, path: found.path.clone() };
    Ok((found, Some(event)))
}

/// Deletes a document for everybody; who has it open is told. Its rows stay, and its paths are refused until somebody
/// creates them anew.
///
/// # Errors
/// [`Error::NotFound`] when it was deleted meanwhile, or when the database fails.
pub async fn delete(feed: &Feed, rooms: &Rooms, project: ProjectId, actor: UserId, document: DocumentId) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    let event = delete_in(&mut tx, project, document).await?;
    feed::append(&mut tx, project, Some(actor), &[event]).await?;
    feed.commit(tx, project).await?;
    rooms.deleted(document);
    rooms.quotas().look(project);
    Ok(())
}

/// Deletes a document, and answers what there is to tell.
pub(crate) async fn delete_in(tx: &mut Tx, project: ProjectId, document: DocumentId) -> Result<Event> {
    let path = sql::mark_deleted(tx, project, document, now_us()).await?.ok_or(Error::NotFound)?;
    journal::end(tx, document).await?;
    Ok(Event::FileDeleted { document_id: document, path })
}

/// Ends the logs of all documents in the transaction that deletes their project, which holds its lock.
///
/// # Errors
/// When the database fails.
pub async fn end_all(tx: &mut Tx, project: ProjectId) -> Result<Vec<DocumentId>> {
    let documents = sql::living(tx, project).await?;
    for document in &documents {
        journal::end(tx, *document).await?;
    }
    Ok(documents)
}

/// The id a name spells, in the one spelling that counts as an id.
fn as_id(name: &str) -> Option<DocumentId> {
    if name.len() == 36 { name.parse().ok() } else { None }
}

async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    creator: UserId,
    path: DocumentPath,
    content: &str,
) -> Result<Document> {
    refuse_taken(tx, project, None, &path).await?;
    let most = sql::most(tx, project).await?.unwrap_or(limits::DOCUMENTS_PER_PROJECT);
    if taken(tx, project, most).await? >= most {
        return Err(Error::TooLarge(format!("a project has at most {most} documents; delete some first")));
    }
    let (id, created_us) = (DocumentId::new(), now_us());
    sql::insert(tx, id, project, path.as_str(), creator, created_us).await?;
    sql::point(tx, project, path.as_str(), id).await?;
    let head = journal::create(tx, id, creator, content).await?;
    Ok(Document { id, project, path: path.as_str().to_owned(), head, created_by: creator, created_us })
}

async fn refuse_taken(tx: &mut Tx, project: ProjectId, moving: Option<DocumentId>, path: &DocumentPath) -> Result<()> {
    let Some(taken) = sql::in_the_way(tx, project, moving, path.as_str()).await? else { return Ok(()) };
    let said = if taken == path.as_str() {
        format!("there is a document at {taken} already")
    } else {
        format!("{path} cannot be beside {taken}: one name cannot be both a file and a folder")
    };
    Err(Error::conflict("path_taken", said))
}
