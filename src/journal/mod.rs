//! The log of every document: rows of updates in one contiguous order, the head that numbers them, folded snapshots,
//! and whose each clientID is.
//!
//! Reading and creating are functions here; appending is the [`Committer`]'s alone. Nothing here knows what an update
//! says, but for its seed and the check that what is loaded can be read.

mod committer;
mod sql;
mod storage;

use bytes::Bytes;

pub use committer::{Append, Committer, Outcome, Row};
pub use storage::Storage;

pub use crate::head::Head;

use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::gate::Owner;
use crate::ids::{BatchId, DocumentId, UserId};
use crate::update::{ClientId, is_empty_update, seed};

/// The root text that makes a document a file.
pub const CONTENT: &str = "content";

/// A document as the log holds it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Where its log stands.
    pub head: Head,
    /// The last snapshot and the number of the last row in it.
    pub snapshot: Option<(i64, Bytes)>,
    /// The rows after the snapshot, in order and without a gap.
    pub rows: Vec<Bytes>,
    /// Whose each clientID is.
    pub owners: Vec<(ClientId, Owner)>,
}

/// Begins the log of a new document in the transaction that creates it, seeded from plain text (LF line ends).
///
/// The seed is written under a fresh clientID that nobody owns, and only here: a history is never begun twice.
///
/// # Errors
/// When the database refuses; a log that exists already is such a case.
pub async fn create(tx: &mut Tx, document: DocumentId, author: UserId, text: &str) -> Result<Head> {
    let client = ClientId(rand::random::<u32>().into());
    let update = seed(client, CONTENT, text);
    let head = Head { seq: i64::from(!is_empty_update(&update)), epoch: 1 };
    let bytes = if head.seq > 0 { i64::try_from(update.len()).unwrap_or(i64::MAX) } else { 0 };
    sql::insert_head(tx, document, head, bytes).await?;
    if head.seq > 0 {
        sql::insert_row(tx, document, head.seq, BatchId::new(), author, &update).await?;
        sql::insert_owner(tx, document, client, author, Owner::Closed).await?;
    }
    Ok(head)
}

/// Ends the log of a document in the transaction that deletes it: nothing decided before is appended any more.
///
/// # Errors
/// When the database refuses.
pub async fn end(tx: &mut Tx, document: DocumentId) -> Result<()> {
    sql::raise_epoch(tx, document).await
}

/// Locks the logs of documents for the rest of a transaction, in the order in which everybody locks them.
///
/// # Errors
/// When the database fails, or others hold them too long.
pub async fn lock(tx: &mut Tx, documents: &[DocumentId]) -> Result<()> {
    let mut documents = documents.to_vec();
    documents.sort_unstable();
    documents.dedup();
    Ok(sql::lock_heads(tx, &documents).await.map(drop)?)
}

/// Appends in the transaction of a change that is more than one edit. What is appended must have been decided against
/// what [`load_in`] read in it, after [`lock`]; open rooms are to be told once it is committed.
///
/// # Errors
/// When the database refuses.
pub async fn append_in(tx: &mut Tx, append: &Append) -> Result<()> {
    Ok(sql::append(tx, &[append]).await?)
}

/// Begins a new epoch of every document, for use after a backup was restored: clients that remember more than the
/// backup did are then told so, instead of merging what they remember. Every clientID is closed. Returns the number
/// of documents.
///
/// # Errors
/// When the database refuses.
pub async fn new_epoch(db: &Db) -> Result<u64> {
    let mut tx = db.begin().await?;
    sql::close_owners(&mut tx).await?;
    let documents = sql::raise_epochs(&mut tx).await?;
    tx.commit().await?;
    Ok(documents)
}

/// Every living document.
///
/// # Errors
/// When the database cannot be read.
pub async fn documents(db: &Db) -> Result<Vec<DocumentId>> {
    sql::documents(db).await
}

/// Where the logs of these documents stand; unknown ones are left out.
///
/// # Errors
/// When the database cannot be read.
pub async fn heads(db: &Db, documents: &[DocumentId]) -> Result<Vec<(DocumentId, Head)>> {
    let mut heads = Vec::with_capacity(documents.len());
    for &document in documents {
        if let Some(head) = sql::head(db, document).await? {
            heads.push((document, head));
        }
    }
    Ok(heads)
}

/// Reads a document as it stands, all of it verified: checksums, and rows without a gap up to the head.
///
/// # Errors
/// [`Error::NotFound`] for a document without a log; a database that is away; bytes that are not what was stored.
/// A failed load is never an empty document.
pub async fn load(db: &Db, document: DocumentId) -> Result<Loaded> {
    load_in(&mut db.begin_read().await?, document).await
}

/// What is wrong with a stored document, and from which row on it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The row, or the snapshot at this row.
    pub row: i64,
    /// What is wrong, in words for people.
    pub what: String,
}

/// Reads what is intact of a document, from its last snapshot before row `below`: all of it, or what stands before the
/// first damage, which is never to be appended to. Where that snapshot is damaged, what it was folded from is read as far
/// as it is still there.
///
/// # Errors
/// As [`load`]; also when nothing is intact.
pub async fn load_intact(db: &Db, document: DocumentId, below: i64) -> Result<(Loaded, Option<Damage>)> {
    let mut tx = db.begin_read().await?;
    let (mut intact, damage) = read(&mut tx, document, below).await?;
    let Some(damage) = damage else { return Ok((intact, None)) };
    let mut below = damage.row;
    while intact.snapshot.is_none() && intact.rows.is_empty() && below > 1 {
        // Its snapshot is damaged; what was folded into it stays for a while.
        let (older, also) = read(&mut tx, document, below).await?;
        intact = older;
        match also {
            Some(also) if also.row < below => below = also.row,
            Some(_) | None => break,
        }
    }
    if intact.snapshot.is_none() && intact.rows.is_empty() {
        return Err(damaged(document, &damage));
    }
    intact.head.seq =
        intact.snapshot.as_ref().map_or(0, |(seq, _)| *seq) + i64::try_from(intact.rows.len()).unwrap_or(i64::MAX);
    Ok((intact, Some(damage)))
}

fn damaged(document: DocumentId, damage: &Damage) -> Error {
    Error::Damaged(format!("what is stored of document {document} is damaged: {}", damage.what))
}

/// As [`load`], in a transaction that does more.
///
/// # Errors
/// As [`load`].
pub async fn load_in(tx: &mut Tx, document: DocumentId) -> Result<Loaded> {
    match read(tx, document, i64::MAX).await? {
        (loaded, None) => Ok(loaded),
        (_, Some(damage)) => Err(damaged(document, &damage)),
    }
}

/// Reads a document from its last snapshot before row `below`, as far as it is intact.
async fn read(tx: &mut Tx, document: DocumentId, below: i64) -> Result<(Loaded, Option<Damage>)> {
    let stored = sql::load(tx, document, below).await?.ok_or(Error::NotFound)?;
    let mut loaded = Loaded { head: stored.head, owners: stored.owners, ..Loaded::default() };
    if let Some(snapshot) = stored.snapshot {
        let row = snapshot.seq;
        match snapshot.verified() {
            Ok(bytes) => loaded.snapshot = Some((row, bytes)),
            Err(what) => return Ok((loaded, Some(Damage { row, what: format!("the snapshot at row {row} {what}") }))),
        }
    }
    let mut seq = loaded.snapshot.as_ref().map_or(0, |&(seq, _)| seq);
    for stored in stored.rows {
        let row = seq + 1;
        let found = stored.seq;
        if found != row {
            return Ok((loaded, Some(Damage { row, what: format!("row {row} is missing, found row {found}") })));
        }
        match stored.verified() {
            Ok(bytes) => loaded.rows.push(bytes),
            Err(what) => return Ok((loaded, Some(Damage { row, what: format!("row {row} {what}") }))),
        }
        seq = row;
    }
    let head = loaded.head.seq;
    let damage =
        (seq != head).then(|| Damage { row: seq + 1, what: format!("it ends at row {seq}, but its head says {head}") });
    Ok((loaded, damage))
}

/// Keeps a folded state: everything up to and including row `seq`. The rows stay.
///
/// # Errors
/// When the database refuses.
pub async fn save_snapshot(db: &Db, document: DocumentId, seq: i64, state: &[u8]) -> Result<()> {
    let mut tx = db.begin().await?;
    // Before anything is measured, so that no append comes between.
    sql::lock_heads(&mut tx, &[document]).await?;
    sql::insert_snapshot(&mut tx, document, seq, state).await?;
    sql::measure(&mut tx, document).await?;
    tx.commit().await?;
    Ok(())
}

/// One stored row or snapshot.
struct Stored {
    seq: i64,
    bytes: Vec<u8>,
    checksum: i64,
}

impl Stored {
    /// The bytes, or what is wrong with them.
    fn verified(self) -> Result<Bytes, String> {
        let found = checksum(&self.bytes);
        if found == self.checksum {
            Ok(self.bytes.into())
        } else {
            Err(format!("has checksum {found:x} instead of {:x}", self.checksum))
        }
    }
}

/// CRC-32 as the tables hold it.
fn checksum(bytes: &[u8]) -> i64 {
    crc32fast::hash(bytes).into()
}
