//! The statements over `document_fault`.

use super::Fault;
use crate::db::Db;
use crate::error::Result;
use crate::ids::DocumentId;
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

/// Counts one more crash; from `most` on the document is set aside.
pub(super) async fn note(db: &Db, document: DocumentId, reason: &str, most: i64, now_us: i64) -> Result<()> {
    const NOTE: &str = "insert into document_fault (document_id, crashes, reason, set_aside, noted_us)
        values ($1, 1, $2, case when 1 >= $3 then 1 else 0 end, $4)
        on conflict (document_id) do update set
            crashes = document_fault.crashes + 1,
            reason = excluded.reason,
            set_aside = case when document_fault.crashes + 1 >= $3 then 1 else document_fault.set_aside end,
            noted_us = excluded.noted_us";
    on_pool!(db, write, pool => {
        sqlx::query(NOTE).bind(document).bind(reason).bind(most).bind(now_us).execute(pool).await.map(|_| ())
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
