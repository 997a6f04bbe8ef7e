//! The statements of folding: which documents are due, and which rows may go.

use crate::db::Db;
use crate::error::Result;
use crate::ids::DocumentId;
use crate::on_pool;

/// Some living documents with rows after their last snapshot, none of them younger than `before_us`. Not always the same
/// ones, since some of them may never be folded.
pub(super) async fn idle(db: &Db, before_us: i64, limit: i64) -> Result<Vec<DocumentId>> {
    const IDLE: &str = "
        select h.document_id
        from document_head h join document d on d.id = h.document_id
        where d.deleted_us is null
          and h.head > coalesce((select max(s.seq) from document_snapshot s where s.document_id = h.document_id), 0)
          and exists (
            select 1 from document_update u
            where u.document_id = h.document_id and u.seq = h.head and u.created_us < $1)
        order by random() limit $2";
    let rows: Vec<(DocumentId,)> =
        on_pool!(db, read, pool => sqlx::query_as(IDLE).bind(before_us).bind(limit).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(document,)| document).collect())
}

/// Documents with rows or snapshots that [`forget`] would delete.
pub(super) async fn forgettable(db: &Db, before_us: i64, limit: i64) -> Result<Vec<DocumentId>> {
    const TEXT: &str = "
        select distinct s.document_id
        from document_snapshot s
        where s.created_us < $1 and (
          exists (
            select 1 from document_update u
            where u.document_id = s.document_id and u.seq <= s.seq and u.created_us < $1)
          or exists (
            select 1 from document_snapshot older
            where older.document_id = s.document_id and older.seq < s.seq and older.created_us < $1))
        limit $2";
    let rows: Vec<(DocumentId,)> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(before_us).bind(limit).fetch_all(pool).await)?;
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
