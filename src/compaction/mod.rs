//! Folding: a document's snapshot and rows become one new snapshot, so that logs stay short to load.
//!
//! Any process may fold any document at any time; nobody leads, and two that fold the same do no harm. What is folded is
//! read back from the database, never taken from a room. A worker folds, which drops the content of what is deleted; the
//! result is verified before it is kept, and where it does not hold, or no worker can read the document, the bytes are
//! merged instead. Rows stay for a while after they are folded.

mod sql;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::db::{Db, micros, now_us};
use crate::error::{Error, Result};
use crate::head::Head;
use crate::ids::DocumentId;
use crate::journal;
use crate::limits;
use crate::replica::{Replicas, Reply, Source, Turn, Verb};
use crate::update::{merge, says_the_same, summary};

/// How a document was folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Folded {
    /// By a worker, and verified.
    Replica,
    /// By merging bytes.
    Bytes,
    /// Not at all: there was nothing to fold.
    Nothing,
}

/// Some of all documents, by their ids: those after one, through another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    after: DocumentId,
    through: DocumentId,
}

impl Window {
    /// All documents.
    pub const ALL: Self = Self { after: DocumentId(Uuid::nil()), through: DocumentId(Uuid::max()) };
}

/// Folds what rooms report and, now and then, what has been idle, until the server stops. What a worker folded is shown
/// to `tell`, with the head it amounts to.
pub async fn run(
    db: Db,
    replicas: Replicas,
    mut full: mpsc::Receiver<DocumentId>,
    tell: impl Fn(DocumentId, Head, Bytes),
    stop: CancellationToken,
) {
    let mut sweep = interval(limits::FOLD_SWEEP);
    sweep.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut after = Window::ALL.after;
    loop {
        let documents = tokio::select! {
            () = stop.cancelled() => return,
            reported = full.recv() => match reported {
                Some(document) => vec![document],
                None => return,
            },
            _ = sweep.tick() => {
                let due;
                (due, after) = look(&db, after, limits::FOLD_LOOK).await;
                due
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = fold_each(&db, &replicas, documents, &tell) => {}
        }
    }
}

async fn fold_each(db: &Db, replicas: &Replicas, documents: Vec<DocumentId>, tell: &impl Fn(DocumentId, Head, Bytes)) {
    for document in documents {
        let began = Instant::now();
        match fold_to(db, replicas, document).await {
            Ok((how, kept)) => {
                tracing::debug!(%document, ?how, took = ?began.elapsed(), "folded");
                if let (Folded::Replica, Some((head, state))) = (how, kept) {
                    tell(document, head, state);
                }
            }
            Err(error) => tracing::warn!(%document, error = %format!("{error:#}"), "a document cannot be folded"),
        }
        sleep(began.elapsed() * limits::FOLD_REST).await;
    }
}

/// Looks at so many documents after one: deletes what was folded long ago, and answers which have been idle and are to be
/// folded, of which there may be more; and after which to look next.
pub async fn look(db: &Db, after: DocumentId, count: i64) -> (Vec<DocumentId>, DocumentId) {
    let window = match sql::window(db, after, count).await {
        Ok(window) => window,
        Err(error) => {
            tracing::warn!(%error, "cannot look for documents to fold");
            return (Vec::new(), after);
        }
    };
    if let Err(error) = forget(db, window, now_us() - micros(limits::FOLDED_KEPT)).await {
        tracing::warn!(%error, "rows that were folded long ago cannot be deleted");
    }
    let before_us = now_us() - micros(limits::FOLD_IDLE);
    let due = sql::idle(db, window, before_us, limits::FOLDS_AT_ONCE).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "cannot look for documents to fold");
        Vec::new()
    });
    let is_full = i64::try_from(due.len()).is_ok_and(|count| count == limits::FOLDS_AT_ONCE);
    let next = match due.last() {
        // The next look goes on behind them: some may never be folded.
        Some(last) if is_full => *last,
        _ if window.through == Window::ALL.through => Window::ALL.after,
        _ => window.through,
    };
    (due, next)
}

/// Folds one document. It may be broken off anywhere: the new snapshot is there, or it is not.
///
/// # Errors
/// A document that cannot be loaded, or a database that refuses.
pub async fn fold(db: &Db, replicas: &Replicas, document: DocumentId) -> Result<Folded> {
    fold_to(db, replicas, document).await.map(|(how, _)| how)
}

/// As [`fold`]; answers the new snapshot as well.
async fn fold_to(db: &Db, replicas: &Replicas, document: DocumentId) -> Result<(Folded, Option<(Head, Bytes)>)> {
    let loaded = journal::load(db, document).await?;
    if loaded.rows.is_empty() {
        return Ok((Folded::Nothing, None));
    }
    let parts: Vec<&Bytes> = loaded.snapshot.iter().map(|(_, bytes)| bytes).chain(&loaded.rows).collect();
    let merged: Bytes = merge(&parts).map_err(anyhow::Error::from)?.into();
    let (state, how) = match folded(replicas, document, loaded.head, &merged).await? {
        Some(state) => (state, Folded::Replica),
        None => (merged, Folded::Bytes),
    };
    journal::save_snapshot(db, document, loaded.head.seq, &state).await?;
    Ok((how, Some((loaded.head, state))))
}

/// Deletes rows and older snapshots that a snapshot from before `before_us` holds, of documents in a window that
/// have any; of a bounded number of documents. Answers of how many.
///
/// # Errors
/// A database that refuses.
pub async fn forget(db: &Db, window: Window, before_us: i64) -> Result<usize> {
    let documents = sql::forgettable(db, window, before_us, limits::FORGOTTEN_AT_ONCE).await?;
    for document in &documents {
        sql::forget(db, *document, before_us).await?;
    }
    Ok(documents.len())
}

/// The state as a worker folds it; `None` where it cannot, or where the result is not the same document.
async fn folded(replicas: &Replicas, document: DocumentId, head: Head, merged: &Bytes) -> Result<Option<Bytes>> {
    let Some(Reply::Update(state)) = ask(replicas, document, head, merged, Verb::Fold).await? else { return Ok(None) };
    let state = Bytes::from(state);
    if !is_same(merged, &state) {
        tracing::info!(%document, "a worker writes this document otherwise, so its bytes are merged");
        return Ok(None);
    }
    let said = ask(replicas, document, head, merged, Verb::Digest).await?;
    let says = ask(replicas, document, head, &state, Verb::Digest).await?;
    if said.is_none() || said != says {
        tracing::warn!(%document, "a fold does not say the same and is not kept");
        return Ok(None);
    }
    Ok(Some(state))
}

/// Whether a folded state has the clocks, the deletions and, byte for byte, the living content of what was folded. What
/// yrs reads wrongly it would also find equal, so this is decided by our own reading.
fn is_same(merged: &[u8], state: &[u8]) -> bool {
    let (Ok(before), Ok(after)) = (summary(merged), summary(state)) else { return false };
    after.whole
        && before.state_vector == after.state_vector
        && before.deleted == after.deleted
        && says_the_same(merged, state, &after.deleted).is_ok_and(|same| same)
}

/// Asks a worker; a document that no worker can read is no reason to stop.
async fn ask(
    replicas: &Replicas,
    document: DocumentId,
    head: Head,
    update: &Bytes,
    verb: Verb,
) -> Result<Option<Reply>> {
    let source = Source { head, from: None, update: update.clone() };
    match replicas.ask(Turn::Server, document, &source, verb).await {
        Ok(told) => Ok(told.map(|told| told.reply)),
        Err(Error::Unavailable { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
