//! Documents that cost workers: noted, and set aside after the second.

use crate::db::{Db, now_us};
use crate::error::{Error, Result};
use crate::ids::DocumentId;
use crate::limits;

use super::sql;

/// What is known of a document whose text cannot be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Which.
    pub document: DocumentId,
    /// How many workers it cost lately.
    pub crashes: i64,
    /// What happened last, or why an operator set it aside.
    pub reason: String,
    /// Whether its text functions are off.
    pub set_aside: bool,
}

/// Why a document is set aside, if it is.
pub(super) async fn set_aside(db: &Db, document: DocumentId) -> Result<Option<Fault>> {
    Ok(sql::fault(db, document).await?.filter(|fault| fault.set_aside))
}

/// Notes that a document cost workers, and sets it aside from [`limits::WORKER_CRASHES`] on.
pub(super) async fn note(db: &Db, document: DocumentId, crashes: i64, reason: &str) -> Result<()> {
    sql::note(db, document, reason, crashes, limits::WORKER_CRASHES, now_us()).await
}

/// Every document that cost a worker.
///
/// # Errors
/// When the database fails.
pub async fn faults(db: &Db) -> Result<Vec<Fault>> {
    sql::faults(db).await
}

/// Sets a document's text functions aside.
///
/// # Errors
/// When the database fails, or there is no such document.
pub async fn quarantine(db: &Db, document: DocumentId, reason: &str) -> Result<()> {
    match sql::note(db, document, reason, 0, 0, now_us()).await {
        Err(Error::Database(sqlx::Error::Database(error))) if error.is_foreign_key_violation() => Err(Error::NotFound),
        noted => noted,
    }
}

/// Forgets what a document did; answers whether there was anything to forget.
///
/// # Errors
/// When the database fails.
pub async fn release(db: &Db, document: DocumentId) -> Result<bool> {
    sql::forget(db, document).await
}
