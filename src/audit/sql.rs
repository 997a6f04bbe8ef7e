//! The statements over `audit`.

use anyhow::Context;
use uuid::Uuid;

use super::{Actor, Entry, EntryView};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::timestamp::Timestamp;
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct EntryRow {
    id: Uuid,
    actor_id: Option<UserId>,
    actor_name: Option<String>,
    project_id: Option<ProjectId>,
    action: String,
    about: String,
    detail: String,
    created_us: i64,
}

impl EntryRow {
    fn entry(self) -> Result<EntryView> {
        Ok(EntryView {
            id: self.id,
            actor: self.actor_id.zip(self.actor_name).map(|(id, name)| Actor { id, name }),
            project_id: self.project_id,
            action: self.action,
            about: self.about,
            detail: serde_json::from_str(&self.detail).context("an audit entry's detail is not JSON")?,
            created_at: Timestamp(self.created_us),
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, id: Uuid, entry: &Entry, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into audit (id, actor_id, project_id, action, about, detail, created_us)
        values ($1, $2, $3, $4, $5, $6, $7)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(id)
            .bind(entry.actor)
            .bind(entry.project)
            .bind(entry.action)
            .bind(&entry.about)
            .bind(entry.detail.to_string())
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// The newest first; an actor who was a guest has the name of who they became.
pub(super) async fn list(
    db: &Db,
    project: Option<ProjectId>,
    before: Option<Uuid>,
    words: Option<&str>,
    author: Option<UserId>,
    limit: i64,
) -> Result<Vec<EntryView>> {
    const TEXT: &str = "
        select a.id, u.id as actor_id, u.name as actor_name, a.project_id, a.action, a.about, a.detail, a.created_us
        from audit a
        left join users shown on shown.id = a.actor_id
        left join users u on u.id = coalesce(shown.merged_into, shown.id)
        where ($1 is null or a.project_id = $1) and ($2 is null or a.id < $2)
          and ($3 is null or lower(a.action) like lower($3) escape '!') and ($4 is null or u.id = $4 or shown.id = $4)
        order by a.id desc limit $5";
    let rows: Vec<EntryRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(before).bind(words).bind(author).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(EntryRow::entry).collect()
}

/// Removes entries whose ids are before one.
pub(super) async fn sweep(db: &Db, before: Uuid) -> Result<u64> {
    Ok(on_pool!(db, write, pool => {
        sqlx::query("delete from audit where id < $1")
            .bind(before)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
    })?)
}
