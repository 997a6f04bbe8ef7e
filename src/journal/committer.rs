//! Group commit: one task takes every append that waits, writes all of them in one transaction, and answers each.
//!
//! There is no timer: while one commit is in flight, what arrives forms the next. A batch that failed because the
//! database is away is tried again before anything else, for as long as it takes; one that the database refuses is
//! halved until the append at fault stands alone, and so is one that brings our own code to panic. An outcome that is
//! unknown (the connection broke during commit) is settled by looking the append up by its batch id, under the lock of the
//! head.

use std::any::Any;
use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use metrics::{Counter, Histogram};
use parking_lot::Mutex;
use tokio::runtime::{Builder, Handle};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{Head, Storage, sql};
use crate::db::Db;
use crate::gate::Owner;
use crate::ids::{BatchId, DocumentId, UserId};
use crate::limits;
use crate::meters::{Meters, float, seconds};
use crate::update::ClientId;

/// Rows to append to one document, decided against one head.
#[derive(Debug, Clone)]
pub struct Append {
    /// Which document.
    pub document: DocumentId,
    /// Names this attempt; the same in every retry.
    pub batch: BatchId,
    /// The head that the rows were decided against. On any other the append is a conflict.
    pub expected: Head,
    /// What to log, in order.
    pub rows: Vec<Row>,
    /// ClientIDs to record: whose, or brought by whom.
    pub claims: Vec<(ClientId, UserId, Owner)>,
}

impl Append {
    /// Where the log stands after it.
    #[must_use]
    pub fn head(&self) -> Head {
        let rows = i64::try_from(self.rows.len()).unwrap_or(i64::MAX);
        Head { seq: self.expected.seq.saturating_add(rows), epoch: self.expected.epoch }
    }

    /// How much longer the log is after it, in bytes.
    #[must_use]
    pub fn bytes(&self) -> i64 {
        self.rows.iter().map(|row| i64::try_from(row.update.len()).unwrap_or(i64::MAX)).sum()
    }
}

/// One row to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Who wrote it.
    pub author: UserId,
    /// Yjs update, v1.
    pub update: Bytes,
}

/// What became of an append.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Durable, right after the expected head.
    Committed,
    /// The log does not stand where the append expected: load it again.
    Conflict,
    /// These rows are never committed: the database refuses them, or they cannot even be written to it.
    Refused,
}

/// Why a group was not committed.
#[derive(Debug, thiserror::Error)]
enum Fault {
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    /// Ours, and would most likely end the same another time.
    #[error("writing it panicked: {0}")]
    Panicked(String),
}

impl Fault {
    fn panicked(panic: &(dyn Any + Send)) -> Self {
        let said = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Self::Panicked(said.unwrap_or("(no message)").to_owned())
    }
}

struct Waiting {
    append: Append,
    answer: oneshot::Sender<Outcome>,
    _place: Place,
}

/// Since when each append waits that is not answered yet.
#[derive(Debug, Default)]
struct Line {
    next: AtomicU64,
    since: Mutex<BTreeMap<u64, Instant>>,
}

/// An append's place in the line, until it is dropped.
#[derive(Debug)]
struct Place(Arc<Line>, u64);

impl Place {
    fn take(line: &Arc<Line>) -> Self {
        let number = line.next.fetch_add(1, Ordering::Relaxed);
        line.since.lock().insert(number, Instant::now());
        Self(line.clone(), number)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.since.lock().remove(&self.1);
    }
}

/// What is measured of commits.
struct Measured {
    took: Histogram,
    appends: Histogram,
    rows: Histogram,
    retries: Counter,
}

/// The way to append. Cheap to clone; the task ends with the last clone.
#[derive(Debug, Clone)]
pub struct Committer {
    queue: mpsc::Sender<Waiting>,
    storage: watch::Receiver<Storage>,
    line: Arc<Line>,
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.append.fmt(f)
    }
}

impl Committer {
    /// Starts the task.
    #[must_use]
    pub fn start(db: Db, meters: &Meters) -> Self {
        let (queue, waiting) = mpsc::channel(limits::COMMIT_QUEUE);
        let measured = Measured {
            took: meters.histogram("coterie_commit_seconds", &[]),
            appends: meters.histogram("coterie_commit_appends", &[]),
            rows: meters.histogram("coterie_commit_rows", &[]),
            retries: meters.counter("coterie_commit_retries_total", &[]),
        };
        let (told, storage) = watch::channel(Storage::Well);
        tokio::spawn(run(Database::new(db), waiting, told, measured));
        Self { queue, line: Arc::default(), storage }
    }

    /// How the database takes what is to be saved, now and whenever that changes.
    #[must_use]
    pub fn storage(&self) -> watch::Receiver<Storage> {
        self.storage.clone()
    }

    /// How many appends wait for their commit, and for how long the first of them has.
    #[must_use]
    pub fn waiting(&self) -> (usize, Duration) {
        let since = self.line.since.lock();
        (since.len(), since.first_key_value().map(|(_, since)| since.elapsed()).unwrap_or_default())
    }

    /// Appends, and answers when the database did. `None` when the server is going down.
    pub async fn append(&self, append: Append) -> Option<Outcome> {
        let (answer, outcome) = oneshot::channel();
        let place = Place::take(&self.line);
        self.queue.send(Waiting { append, answer, _place: place }).await.ok()?;
        outcome.await.ok()
    }
}

/// Where appends are written.
struct Database {
    db: Db,
    /// A thread for SQLite's transactions. Each of their statements is waited for; among the tasks of all sockets, every
    /// wait would last a turn of them all.
    aside: Option<(Handle, oneshot::Sender<()>)>,
}

impl Database {
    fn new(db: Db) -> Self {
        let aside = match &db {
            Db::Sqlite { .. } => aside().inspect_err(|error| tracing::warn!(%error, "no thread for commits")).ok(),
            Db::Postgres(_) => None,
        };
        Self { db, aside }
    }

    async fn try_once(&self, appends: &Arc<[Append]>) -> Result<Vec<Outcome>, Fault> {
        let Some((thread, _)) = &self.aside else { return caught(&self.db, appends).await };
        let (db, appends) = (self.db.clone(), appends.clone());
        let trying = AbortOnDropHandle::new(thread.spawn(async move { caught(&db, &appends).await }));
        trying.await.unwrap_or(Err(Fault::Database(sqlx::Error::WorkerCrashed)))
    }
}

/// As [`try_once`]; a panic in it fails this group and ends nothing else. Nothing outlives it that it could have left half
/// done: the transaction is rolled back as it is dropped.
async fn caught(db: &Db, appends: &[Append]) -> Result<Vec<Outcome>, Fault> {
    let trying = AssertUnwindSafe(try_once(db, appends)).catch_unwind();
    trying.await.unwrap_or_else(|panic| Err(Fault::panicked(&*panic)))
}

/// Starts a thread that runs what it is given, until the sender is dropped.
fn aside() -> std::io::Result<(Handle, oneshot::Sender<()>)> {
    let runtime = Builder::new_current_thread().enable_time().build()?;
    let handle = runtime.handle().clone();
    let (stays, gone) = oneshot::channel();
    std::thread::Builder::new().name("committer".into()).spawn(move || {
        // Ends with the sender; nothing is ever sent.
        let _ = runtime.block_on(gone);
    })?;
    Ok((handle, stays))
}

async fn run(db: Database, mut queue: mpsc::Receiver<Waiting>, storage: watch::Sender<Storage>, measured: Measured) {
    let mut arrived = Vec::new();
    while queue.recv_many(&mut arrived, limits::COMMIT_QUEUE).await > 0 {
        // Rooms that were answered together go on together: all who are ready come along, not only the first of them.
        tokio::task::yield_now().await;
        while let Some(another) = (arrived.len() < limits::COMMIT_QUEUE).then(|| queue.try_recv().ok()).flatten() {
            arrived.push(another);
        }
        arrived.sort_by_key(|waiting| waiting.append.document);
        while !arrived.is_empty() {
            let group = next_group(&mut arrived);
            commit(&db, group, &storage, &measured).await;
        }
    }
}

/// Takes what one transaction may hold: each document once, and not too many bytes.
fn next_group(arrived: &mut Vec<Waiting>) -> Vec<Waiting> {
    let mut group: Vec<Waiting> = Vec::with_capacity(arrived.len());
    let mut later = Vec::new();
    let mut bytes = 0;
    for waiting in arrived.drain(..) {
        let size: usize = waiting.append.rows.iter().map(|row| row.update.len()).sum();
        let twice = group.last().is_some_and(|last| last.append.document == waiting.append.document);
        if twice || (bytes > 0 && bytes + size > limits::COMMIT_BYTES) {
            later.push(waiting);
        } else {
            bytes += size;
            group.push(waiting);
        }
    }
    *arrived = later;
    group
}

async fn commit(db: &Database, group: Vec<Waiting>, storage: &watch::Sender<Storage>, measured: &Measured) {
    let mut groups = vec![group];
    while let Some(mut group) = groups.pop() {
        let began = Instant::now();
        let answered = try_until_answered(db, &group, storage, measured).await;
        measured.took.record(seconds(began.elapsed()));
        measured.appends.record(float(group.len()));
        measured.rows.record(float(group.iter().map(|waiting| waiting.append.rows.len()).sum()));
        match answered {
            Ok(outcomes) => {
                for (waiting, outcome) in group.into_iter().zip(outcomes) {
                    // A room that is gone does not wait for its answer.
                    let _ = waiting.answer.send(outcome);
                }
            }
            Err(error) if group.len() > 1 => {
                tracing::warn!(%error, appends = group.len(), "a batch was refused; halving it");
                let rest = group.split_off(group.len() / 2);
                groups.extend([rest, group]);
            }
            Err(error) => {
                for waiting in group {
                    tracing::error!(%error, document = %waiting.append.document, "an append cannot be committed");
                    let _ = waiting.answer.send(Outcome::Refused);
                }
            }
        }
    }
}

/// Tries a group until the database gave an answer that a further try would not change.
async fn try_until_answered(
    db: &Database,
    group: &[Waiting],
    storage: &watch::Sender<Storage>,
    measured: &Measured,
) -> Result<Vec<Outcome>, Fault> {
    let tell = |now: Storage| {
        storage.send_if_modified(|was| std::mem::replace(was, now) != now);
    };
    let slow = Instant::now() + limits::COMMIT_SLOW;
    let appends: Arc<[Append]> = group.iter().map(|waiting| waiting.append.clone()).collect();
    let mut pause = limits::COMMIT_RETRY_FIRST;
    let mut panicked = false;
    loop {
        let trying = timeout(limits::COMMIT_TIME, db.try_once(&appends));
        tokio::pin!(trying);
        let tried = tokio::select! {
            tried = &mut trying => tried,
            () = tokio::time::sleep_until(slow), if *storage.borrow() == Storage::Well => {
                tell(Storage::Slow);
                trying.await
            }
        };
        match tried.unwrap_or(Err(Fault::Database(sqlx::Error::PoolTimedOut))) {
            Ok(outcomes) => {
                tell(Storage::Well);
                return Ok(outcomes);
            }
            Err(Fault::Database(error)) if !is_refusal(&error) => {
                if slow <= Instant::now() {
                    tell(Storage::of(&error));
                }
                tracing::warn!(%error, appends = appends.len(), "cannot commit; edits wait and are tried again");
                measured.retries.increment(1);
                tokio::time::sleep(pause).await;
                pause = Duration::min(pause * 2, limits::COMMIT_RETRY_LONGEST);
            }
            // An earlier try, or this one, may be committed although its answer was lost: the next finds out.
            Err(Fault::Panicked(said)) if appends.len() == 1 && !std::mem::replace(&mut panicked, true) => {
                tracing::warn!(%said, "writing an append panicked; it is tried once more");
            }
            Err(fault) => {
                tell(Storage::Well);
                return Err(fault);
            }
        }
    }
}

async fn try_once(db: &Db, appends: &[Append]) -> Result<Vec<Outcome>, Fault> {
    if matches!(db, Db::Sqlite { .. }) && commit_expected(db, appends).await? {
        return Ok(vec![Outcome::Committed; appends.len()]);
    }
    let mut tx = db.begin().await?;
    let documents: Vec<DocumentId> = appends.iter().map(|append| append.document).collect();
    let heads = sql::lock_heads(&mut tx, &documents).await?;
    let mut outcomes = Vec::with_capacity(appends.len());
    let mut to_write = Vec::with_capacity(appends.len());
    for (append, head) in appends.iter().zip(heads) {
        outcomes.push(if head == Some(append.expected) {
            to_write.push(append);
            Outcome::Committed
        } else if sql::last_of_batch(&mut tx, append).await? == Some(append.head().seq) {
            // An earlier try was committed although its answer was lost.
            Outcome::Committed
        } else {
            Outcome::Conflict
        });
    }
    if !to_write.is_empty() {
        sql::append(&mut tx, &to_write).await?;
    }
    tx.commit().await?;
    Ok(outcomes)
}

/// Commits a group on SQLite if every log stands where it should, without reading where they do; nothing of it otherwise.
async fn commit_expected(db: &Db, appends: &[Append]) -> Result<bool, sqlx::Error> {
    let mut tx = db.begin().await?;
    let appends: Vec<&Append> = appends.iter().collect();
    if !sql::append_expected(&mut tx, &appends).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// Whether the database answered that it does not want these rows, as opposed to not being able to take any now.
///
/// Postgres: data exceptions (22), constraint violations (23), syntax or access (42), limits of the program (54), a
/// trigger's own (P0).
/// SQLite: too big (18), constraint (19), mismatch (20).
fn is_refusal(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Database(error) => match error.code().as_deref() {
            Some(code) if code.len() == 5 => ["22", "23", "42", "54", "P0"].contains(&&code[..2]),
            Some(code) => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18..=20)),
            None => false,
        },
        sqlx::Error::Encode(_) => true,
        _ => false,
    }
}
