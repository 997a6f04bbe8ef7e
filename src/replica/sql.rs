//! The statements over `document_fault`.

use super::Fault;
use crate::db::{Db, micros};
use crate::error::Result;
use crate::ids::DocumentId;
use crate::limits;
use crate::on_pool;

type Row = (DocumentId, i64, String, i64);

fn view((document, crashes, reason, set_aside): Row) -> Fault {
    Fault { document, crashes, reason, set_aside: set_aside != 0 }
}

pub(super) async fn fault(db: &Db, document: DocumentId) -> Result<Option<Fault>> {
    const ONE: &str = "select document_id, crashes, reason, set_aside from document_fault where document_id = $1";
    let row: Option<Row> = on_pool!(db, read, pool => sqlx::query_as(ONE).bind(document).fetch_optional(pool).await)?;
    Ok(row.map(view))
}

pub(super) async fn faults(db: &Db) -> Result<Vec<Fault>> {
    const ALL: &str = "select document_id, crashes, reason, set_aside from document_fault order by noted_us desc";
    let rows: Vec<Row> = on_pool!(db, read, pool => sqlx::query_as(ALL).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(view).collect())
}

/// Counts more crashes, after those of the last day; from `most` on the document is set aside.
pub(super) async fn note(
    db: &Db,
    document: DocumentId,
    reason: &str,
    crashes: i64,
    most: i64,
    now_us: i64,
) -> Result<()> {
    const NOTE: &str = "insert into document_fault (document_id, crashes, reason, set_aside, noted_us)
        values ($1, $2, $3, case when $2 >= $4 then 1 else 0 end, $5)
        on conflict (document_id) do update set
            crashes = case when document_fault.noted_us < $6 then 0 else document_fault.crashes end + $2,
            reason = excluded.reason,
            set_aside = case
                when case when document_fault.noted_us < $6 then 0 else document_fault.crashes end + $2 >= $4 then 1
                else document_fault.set_aside end,
            noted_us = excluded.noted_us";
    let forgotten_us = now_us - micros(limits::WORKER_CRASHES_FORGOTTEN);
    on_pool!(db, write, pool => {
        sqlx::query(NOTE)
            .bind(document)
            .bind(crashes)
            .bind(reason)
            .bind(most)
            .bind(now_us)
            .bind(forgotten_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn forget(db: &Db, document: DocumentId) -> Result<bool> {
    const FORGET: &str = "delete from document_fault where document_id = $1";
    let done = on_pool!(db, write, pool => {
        sqlx::query(FORGET).bind(document).execute(pool).await.map(|done| done.rows_affected())
    })?;
    Ok(done > 0)
}
