//! The statements over `feed_head` and `feed_event`.

use uuid::Uuid;

use super::{Actor, Entry, Wanted};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct EventRow {
    seq: i64,
    kind: String,
    data: String,
    created_us: i64,
    actor_id: Option<UserId>,
    name: Option<String>,
    actor_kind: Option<String>,
}

impl EventRow {
    fn entry(self) -> Result<Entry> {
        let actor = match (self.actor_id, self.name, self.actor_kind) {
            (Some(id), Some(name), Some(kind)) => Some(Actor { id, name, kind }),
            _ => None,
        };
        Ok(Entry::new(self.seq, self.created_us, self.kind, actor, &self.data)?)
    }
}

/// Locks the head by moving it on, and answers the new one.
pub(super) async fn advance(tx: &mut Tx, project: ProjectId, count: i64) -> Result<i64> {
    const TEXT: &str = "
        insert into feed_head (project_id, head) values ($1, $2)
        on conflict (project_id) do update set head = feed_head.head + excluded.head
        returning head";
    let (head,): (i64,) = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(count).fetch_one(conn).await
    })?;
    Ok(head)
}

#[allow(clippy::too_many_arguments, reason = "the columns of a row")]
pub(super) async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    seq: i64,
    kind: &str,
    actor: Option<UserId>,
    subject: Option<Uuid>,
    data: &str,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into feed_event (project_id, seq, kind, actor_id, subject_id, data, created_us)
        values ($1, $2, $3, $4, $5, $6, $7)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(seq)
            .bind(kind)
            .bind(actor)
            .bind(subject)
            .bind(data)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn redact(tx: &mut Tx, project: ProjectId, subject: Uuid, data: &str) -> Result<()> {
    const TEXT: &str = "update feed_event set data = $3 where project_id = $1 and subject_id = $2";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(project).bind(subject).bind(data).execute(conn).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn read(db: &Db, project: ProjectId, wanted: &Wanted<'_>, limit: i64) -> Result<Vec<Entry>> {
    const FORTH: &str = "
        select e.seq, e.kind, e.data, e.created_us,
            coalesce(m.id, u.id) as actor_id, coalesce(m.name, u.name) as name, coalesce(m.kind, u.kind) as actor_kind
        from feed_event e
        left join users u on u.id = e.actor_id
        left join users m on m.id = u.merged_into
        where e.project_id = $1 and e.seq > $2
          and ($3 is null or e.subject_id = $3)
          and ($4 is null or u.id = $4 or m.id = $4)
          and ($5 is null or exists (
            select 1 from document_path p
            where p.project_id = e.project_id and p.document_id = e.subject_id
              and (p.path = $5 or substr(p.path, 1, length($5) + 1) = $5 || '/')))
        order by e.seq limit $6";
    const BACK: &str = "
        select e.seq, e.kind, e.data, e.created_us,
            coalesce(m.id, u.id) as actor_id, coalesce(m.name, u.name) as name, coalesce(m.kind, u.kind) as actor_kind
        from feed_event e
        left join users u on u.id = e.actor_id
        left join users m on m.id = u.merged_into
        where e.project_id = $1 and e.seq < $2
          and ($3 is null or e.subject_id = $3)
          and ($4 is null or u.id = $4 or m.id = $4)
          and ($5 is null or exists (
            select 1 from document_path p
            where p.project_id = e.project_id and p.document_id = e.subject_id
              and (p.path = $5 or substr(p.path, 1, length($5) + 1) = $5 || '/')))
        order by e.seq desc limit $6";
    let (text, bound) = wanted.before.map_or((FORTH, wanted.after), |before| (BACK, before));
    let rows: Vec<EventRow> = on_pool!(db, read, pool => {
        sqlx::query_as(text)
            .bind(project)
            .bind(bound)
            .bind(wanted.subject)
            .bind(wanted.actor)
            .bind(wanted.folder)
            .bind(limit)
            .fetch_all(pool)
            .await
    })?;
    rows.into_iter().map(EventRow::entry).collect()
}

/// The heads of those of these projects in which anything has happened.
pub(super) async fn heads(db: &Db, projects: &[ProjectId]) -> Result<Vec<(ProjectId, i64)>> {
    const TEXT: &str = "select project_id, head from feed_head where project_id in (";
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    Ok(on_pool!(db, read, pool => {
        let mut query = sqlx::QueryBuilder::new(TEXT);
        let mut ids = query.separated(", ");
        for project in projects {
            ids.push_bind(*project);
        }
        query.push(")");
        query.build_query_as::<(ProjectId, i64)>().fetch_all(pool).await
    })?)
}
