//! The statements of folding: which documents are due, and which rows may go.

use super::Window;
use crate::db::Db;
use crate::error::Result;
use crate::ids::DocumentId;
use crate::on_pool;

/// So many documents after one, or all that are left.
pub(super) async fn window(db: &Db, after: DocumentId, count: i64) -> Result<Window> {
    const LAST: &str = "
        select document_id from document_head where document_id > $1 order by document_id limit 1 offset $2";
    let last: Option<(DocumentId,)> =
        on_pool!(db, read, pool => sqlx::query_as(LAST).bind(after).bind(count - 1).fetch_optional(pool).await)?;
    Ok(Window { after, through: last.map_or(Window::ALL.through, |(last,)| last) })
}

/// The first living documents in a window with rows after their last snapshot, none of them younger than `before_us`.
pub(super) async fn idle(db: &Db, window: Window, before_us: i64, limit: i64) -> Result<Vec<DocumentId>> {
    // A cross join, so that SQLite begins with the window and not with all that lives.
    const IDLE: &str = "
        select h.document_id
        from document_head h cross join document d
        where h.document_id > $1 and h.document_id <= $2 and d.id = h.document_id and d.deleted_us is null
          and h.head > coalesce((select max(s.seq) from document_snapshot s where s.document_id = h.document_id), 0)
          and exists (
            select 1 from document_update u
            where u.document_id = h.document_id and u.seq = h.head and u.created_us < $3)
        order by h.document_id limit $4";
    let rows: Vec<(DocumentId,)> = on_pool!(db, read, pool => {
        let query = sqlx::query_as(IDLE).bind(window.after).bind(window.through);
        query.bind(before_us).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(document,)| document).collect())
}

/// Documents in a window with rows or snapshots that [`forget`] would delete.
pub(super) async fn forgettable(db: &Db, window: Window, before_us: i64, limit: i64) -> Result<Vec<DocumentId>> {
    const TEXT: &str = "
        select distinct s.document_id
        from document_snapshot s
        where s.document_id > $1 and s.document_id <= $2 and s.created_us < $3 and (
          exists (
            select 1 from document_update u
            where u.document_id = s.document_id and u.seq <= s.seq and u.created_us < $3)
          or exists (
            select 1 from document_snapshot older
            where older.document_id = s.document_id and older.seq < s.seq and older.created_us < $3))
        limit $4";
    let rows: Vec<(DocumentId,)> = on_pool!(db, read, pool => {
        let query = sqlx::query_as(TEXT).bind(window.after).bind(window.through);
        query.bind(before_us).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(document,)| document).collect())
}

/// Deletes rows and snapshots of a document that are older than `before_us` and in a later snapshot that is so too.
pub(super) async fn forget(db: &Db, document: DocumentId, before_us: i64) -> Result<()> {
    const ROWS: &str = "
        delete from document_update
        where document_id = $1 and created_us < $2
          and seq <= (select max(s.seq) from document_snapshot s where s.document_id = $1 and s.created_us < $2)";
    const SNAPSHOTS: &str = "
        delete from document_snapshot
        where document_id = $1 and created_us < $2
          and seq < (select max(s.seq) from document_snapshot s where s.document_id = $1 and s.created_us < $2)";
    for text in [ROWS, SNAPSHOTS] {
        on_pool!(db, write, pool => {
            sqlx::query(text).bind(document).bind(before_us).execute(pool).await.map(drop)
        })?;
    }
    Ok(())
}
