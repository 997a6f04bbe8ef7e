//! Deleted documents, removed for good: a month after their deletion, and before that where a project has so many that
//! deleting would be a way around its quotas. The latest deletions stay longest.
//!
//! A removed document leaves nothing behind: its paths are as if they had never been.

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::sql;
use crate::db::{Db, micros, now_us};
use crate::error::Result;
use crate::ids::{DocumentId, ProjectId};
use crate::limits;
use crate::quota::Quotas;

/// Removes them, again and again, until the server stops.
pub async fn run(db: Db, quotas: Quotas, shutdown: CancellationToken) {
    let mut since_us = 0;
    loop {
        let began_us = now_us();
        match sweep(&db, quotas.usual(), since_us).await {
            // Once more than since the last look: other servers' clocks may be behind.
            Ok(()) => since_us = began_us.saturating_sub(micros(limits::DELETED_SWEEP)),
            Err(error) => tracing::warn!(%error, "deleted documents could not be removed"),
        }
        tokio::select! {
            () = sleep(limits::DELETED_SWEEP) => {}
            () = shutdown.cancelled() => return,
        }
    }
}

/// Removes what was deleted a month ago, and what is too much in projects where something was deleted since a moment.
/// `usual` is what a project's documents may take where no operator said otherwise.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db, usual: i64, since_us: i64) -> Result<()> {
    let before_us = now_us().saturating_sub(micros(limits::DELETED_KEPT));
    loop {
        let old = sql::deleted_before(db, before_us, limits::DOCUMENTS_SWEPT).await?;
        if old.is_empty() {
            break;
        }
        remove(db, &old).await?;
    }
    for (project, most) in sql::deleted_in(db, since_us).await? {
        remove(db, &too_much(db, project, most.unwrap_or(usual)).await?).await?;
    }
    Ok(())
}

/// Of a project's deleted documents those beyond the latest that it may keep.
async fn too_much(db: &Db, project: ProjectId, most: i64) -> Result<Vec<(DocumentId, i64)>> {
    let (mut kept, mut taken) = (0, 0_i64);
    let mut deleted = sql::deleted_of(db, project).await?;
    deleted.retain(|(_, bytes)| {
        let fits = kept < limits::DELETED_DOCUMENTS && taken.saturating_add(*bytes) <= most;
        // What is older than one that goes, goes.
        (kept, taken) = if fits { (kept + 1, taken + bytes) } else { (limits::DELETED_DOCUMENTS, taken) };
        !fits
    });
    Ok(deleted)
}

/// Removes a few at a time, so that others can write in between.
async fn remove(db: &Db, documents: &[(DocumentId, i64)]) -> Result<()> {
    let most = i64::try_from(limits::DOCUMENT_BYTES).unwrap_or(i64::MAX);
    let mut rest = documents;
    while !rest.is_empty() {
        let mut bytes = 0;
        let some = rest.iter().take_while(|(_, taken)| {
            bytes += taken;
            bytes <= most
        });
        let number = some.count().clamp(1, usize::try_from(limits::DOCUMENTS_SWEPT).unwrap_or(1).min(rest.len()));
        let (now, later) = rest.split_at(number);
        sql::remove(db, now).await?;
        rest = later;
    }
    Ok(())
}
