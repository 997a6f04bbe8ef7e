//! What a document says: reading and writing its text, and searching a project. All of it is asked of workers.

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::change::{Edit, edit_there};
use super::{Document, Wanted, content_of, sql};
use crate::db::Db;
use crate::error::{Error, Result};
use crate::feed::Feed;
use crate::head::Head;
use crate::ids::{DocumentId, ProjectId};
use crate::journal::CONTENT;
use crate::limits;
use crate::replica::{Hit, Part, Replicas, Reply, Told, Turn, Verb};
use crate::room::{Participant, Rooms};
use crate::update::is_empty_update;

/// A text, and the head it was read at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// The text.
    pub text: String,
    /// The head.
    pub head: Head,
}

/// The lines of one document that hold what was looked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct Found {
    document_id: DocumentId,
    path: String,
    lines: Vec<Line>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
struct Line {
    /// Counted from 1.
    line: usize,
    /// Where it begins, in UTF-16 units from 0.
    column: usize,
    text: String,
}

/// What a search found, and whether it looked everywhere.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Search {
    items: Vec<Found>,
    /// False when time or the number of lines ran out, or a document's text could not be had.
    complete: bool,
}

/// The text of a document, or a part of it.
///
/// # Errors
/// 503 when its text cannot be had; the document goes on syncing.
pub async fn text(rooms: &Rooms, replicas: &Replicas, document: &Document, part: Part) -> Result<Content> {
    let told = ask(rooms, replicas, document, Verb::Text { root: CONTENT.to_owned(), part }).await?;
    content(told)
}

/// Any root of a document as JSON, whatever its type; `null` where there is none of that name.
///
/// # Errors
/// As [`text`].
pub async fn json(rooms: &Rooms, replicas: &Replicas, document: &Document, root: String) -> Result<Content> {
    let told = ask(rooms, replicas, document, Verb::Json { root }).await?;
    content(told)
}

/// The edit that makes a document's text another, and the head it was made at; `None` when it says that already.
///
/// # Errors
/// As [`text`]; [`Error::TooLarge`] for too much text.
pub(super) async fn edit(
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    text: &str,
) -> Result<(Head, Option<bytes::Bytes>)> {
    let verb = Verb::Edit { root: CONTENT.to_owned(), text: content_of(text)? };
    let told = ask(rooms, replicas, document, verb).await?;
    match told.reply {
        Reply::Update(update) if is_empty_update(&update) => Ok((told.head, None)),
        Reply::Update(update) => Ok((told.head, Some(update.into()))),
        other => Err(nonsense(&other)),
    }
}

/// Makes a document's text another by the smallest edit, under its author's name: what others type meanwhile stays.
/// Answers a head at which it is made, and tells it in the feed.
///
/// # Errors
/// As [`text`]; [`Error::TooLarge`], or what the gate refuses.
pub async fn write(
    feed: &Feed,
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    author: &Participant,
    text: &str,
) -> Result<i64> {
    let (read, update) = edit(rooms, replicas, document, text).await?;
    if update.is_none() {
        return Ok(read.seq);
    }
    let edit = Edit { document: document.id, read, only_there: false, update };
    edit_there(feed, rooms, document.project, author, edit).await
}

/// As [`write()`], but only if the document is at the head `expected`. At the head that is answered it says `text` and
/// nothing else.
///
/// # Errors
/// As [`write()`]; [`Error::PreconditionFailed`] for another head.
pub async fn write_at(
    feed: &Feed,
    rooms: &Rooms,
    replicas: &Replicas,
    document: &Document,
    author: &Participant,
    text: &str,
    expected: i64,
) -> Result<i64> {
    let (read, update) = edit(rooms, replicas, document, text).await?;
    if read.seq != expected {
        return Err(Error::PreconditionFailed(read.seq));
    }
    let edit = Edit { document: document.id, read, only_there: true, update };
    edit_there(feed, rooms, document.project, author, edit).await
}

/// Looks for a text in every document of a project, in the order of their paths.
///
/// # Errors
/// `bad_query` for an empty or too long needle; when the database fails.
pub async fn search(
    db: &Db,
    rooms: &Rooms,
    replicas: &Replicas,
    project: ProjectId,
    needle: &str,
    case: bool,
) -> Result<Search> {
    if needle.is_empty() || needle.chars().count() > limits::SEARCH_CHARS || needle.contains('\n') {
        let most = limits::SEARCH_CHARS;
        return Err(Error::invalid("bad_query", format!("q must be one line of 1 to {most} characters")));
    }
    let mut documents = sql::list(db, project, Wanted::default(), limits::DOCUMENTS_PER_PROJECT).await?;
    documents.sort_by(|a, b| a.path.cmp(&b.path));
    let deadline = Instant::now() + limits::SEARCH_TIME;
    let looked = stream::iter(documents).map(|document| look(rooms, replicas, document, needle, case, deadline));
    let mut looked = looked.buffered(limits::WORKERS);
    let mut search = Search { items: Vec::new(), complete: true };
    let mut lines = 0;
    while let Some((mut found, complete)) = looked.try_next().await? {
        search.complete &= complete;
        let left = limits::SEARCH_LINES - lines;
        let whole = found.lines.len() <= left;
        found.lines.truncate(left);
        lines += found.lines.len();
        if !found.lines.is_empty() {
            search.items.push(found);
        }
        if !whole {
            search.complete = false;
            break;
        }
    }
    Ok(search)
}

async fn look(
    rooms: &Rooms,
    replicas: &Replicas,
    document: Document,
    needle: &str,
    case: bool,
    deadline: Instant,
) -> Result<(Found, bool)> {
    let mut found = Found { document_id: document.id, path: document.path.clone(), lines: Vec::new() };
    if Instant::now() >= deadline {
        return Ok((found, false));
    }
    let limit = limits::SEARCH_LINES_PER_DOCUMENT;
    // One more, to know whether there are more.
    let verb = Verb::Search { root: CONTENT.to_owned(), needle: needle.to_owned(), case, limit: limit + 1 };
    match ask(rooms, replicas, &document, verb).await {
        Ok(Told { reply: Reply::Found(hits), .. }) => {
            let complete = hits.len() <= limit;
            found.lines =
                hits.into_iter().take(limit).map(|Hit { line, column, text }| Line { line, column, text }).collect();
            Ok((found, complete))
        }
        Ok(Told { reply, .. }) => Err(nonsense(&reply)),
        // Deleted meanwhile, or its text cannot be had: the others can.
        Err(Error::NotFound | Error::Unavailable { .. } | Error::TooLarge(_)) => Ok((found, false)),
        // A damaged one is told of where it is opened; the search goes on without it.
        Err(error @ (Error::Damaged(_) | Error::Internal(_))) => {
            tracing::warn!(document = %found.document_id, error = %format!("{error:#}"), "cannot be searched");
            Ok((found, false))
        }
        Err(error) => Err(error),
    }
}

/// Asks a worker, from where it has the document or, if it let it go meanwhile, from nothing.
pub(super) async fn ask(rooms: &Rooms, replicas: &Replicas, document: &Document, verb: Verb) -> Result<Told> {
    let (turn, document) = (Turn::Project(document.project), document.id);
    let source = rooms.source(document, replicas.warm(document)).await?;
    if let Some(told) = replicas.ask(turn, document, &source, verb.clone()).await? {
        return Ok(told);
    }
    let whole = rooms.source(document, None).await?;
    let told = replicas.ask(turn, document, &whole, verb).await?;
    told.ok_or_else(|| Error::Internal(anyhow::anyhow!("a worker wants more than a whole document")))
}

/// A text that a worker answered.
fn content(told: Told) -> Result<Content> {
    match told.reply {
        Reply::Text(text) => Ok(Content { text, head: told.head }),
        other => Err(nonsense(&other)),
    }
}

pub(super) fn nonsense(reply: &Reply) -> Error {
    Error::Internal(anyhow::anyhow!("a worker answered what was not asked: {reply:?}"))
}
