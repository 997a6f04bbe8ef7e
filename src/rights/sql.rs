//! The statements over `rights_head` and `rights_change`.

use super::Change;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::{limits, on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct ChangeRow {
    seq: i64,
    project_id: Option<ProjectId>,
    user_id: Option<UserId>,
}

/// The next number, and the lock that keeps others from taking one before the commit.
pub(super) async fn next(tx: &mut Tx) -> Result<i64> {
    const TEXT: &str = "update rights_head set head = head + 1 where id = 1 returning head";
    let (seq,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).fetch_one(conn).await)?;
    Ok(seq)
}

pub(super) async fn insert(tx: &mut Tx, seq: i64, change: Change, now_us: i64) -> Result<()> {
    const TEXT: &str = "insert into rights_change (seq, project_id, user_id, created_us) values ($1, $2, $3, $4)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(seq)
            .bind(change.project)
            .bind(change.user)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn head(db: &Db) -> Result<i64> {
    let (head,): (i64,) = on_pool!(db, read, pool => {
        sqlx::query_as("select head from rights_head where id = 1").fetch_one(pool).await
    })?;
    Ok(head)
}

pub(super) async fn since(db: &Db, seen: i64) -> Result<Vec<(i64, Change)>> {
    const TEXT: &str = "
        select seq, project_id, user_id from rights_change where seq > $1 order by seq limit $2";
    let rows: Vec<ChangeRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(seen).bind(limits::RIGHTS_READ).fetch_all(pool).await
    })?;
    let change = |row: ChangeRow| (row.seq, Change { project: row.project_id, user: row.user_id });
    Ok(rows.into_iter().map(change).collect())
}

pub(super) async fn sweep(db: &Db, before_us: i64) -> Result<u64> {
    Ok(on_pool!(db, write, pool => {
        sqlx::query("delete from rights_change where created_us < $1")
            .bind(before_us)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
    })?)
}
