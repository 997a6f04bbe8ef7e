//! The statements over `session` and `session_stay`.

use uuid::Uuid;

use super::{ParticipantView, SessionView, Stay};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::feed::{Actor, Person};
use crate::ids::{ProjectId, SessionId, UserId};
use crate::timestamp::Timestamp;
use crate::{on_pool, on_tx};

pub(super) async fn open_session(tx: &mut Tx, project: ProjectId) -> Result<Option<SessionId>> {
    const TEXT: &str = "select id from session where project_id = $1 and ended_us is null order by id desc limit 1";
    let row: Option<(SessionId,)> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_optional(conn).await)?;
    Ok(row.map(|(id,)| id))
}

pub(super) async fn begin(tx: &mut Tx, project: ProjectId, started_us: i64) -> Result<SessionId> {
    const TEXT: &str = "insert into session (id, project_id, started_us) values ($1, $2, $3)";
    let id = SessionId::new();
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(id).bind(project).bind(started_us).execute(conn).await.map(drop)
    })?;
    Ok(id)
}

/// Whether somebody is in a session, here or at another server.
pub(super) async fn is_there(tx: &mut Tx, session: SessionId, user: UserId) -> Result<bool> {
    const TEXT: &str = "
        select count(*) from session_stay where session_id = $1 and user_id = $2 and left_us is null";
    let (count,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(session).bind(user).fetch_one(conn).await)?;
    Ok(count > 0)
}

/// Writes a stay; one whose first attempt had an unknown outcome is written once.
pub(super) async fn insert_stay(tx: &mut Tx, session: SessionId, run: Uuid, stay: &Stay, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into session_stay (id, session_id, user_id, run_id, joined_us, seen_us) values ($1, $2, $3, $4, $5, $6)
        on conflict (id) do nothing";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(stay.id)
            .bind(session)
            .bind(stay.user.id)
            .bind(run)
            .bind(stay.joined_us)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Ends a stay that lasts, and answers its session.
pub(super) async fn end_stay(tx: &mut Tx, stay: Uuid, left_us: i64) -> Result<Option<SessionId>> {
    const TEXT: &str = "
        update session_stay set left_us = $2 where id = $1 and left_us is null returning session_id";
    let row: Option<(SessionId,)> =
        on_tx!(tx, conn => sqlx::query_as(TEXT).bind(stay).bind(left_us).fetch_optional(conn).await)?;
    Ok(row.map(|(id,)| id))
}

/// Ends a session that nobody is in any more, at the moment the last one left.
pub(super) async fn end_if_empty(tx: &mut Tx, session: SessionId) -> Result<()> {
    const TEXT: &str = "
        update session
        set ended_us = (select max(s.left_us) from session_stay s where s.session_id = session.id)
        where id = $1 and ended_us is null
          and not exists (select 1 from session_stay s where s.session_id = session.id and s.left_us is null)";
    on_tx!(tx, conn => sqlx::query(TEXT).bind(session).execute(conn).await.map(drop))?;
    Ok(())
}

pub(super) async fn beat(db: &Db, run: Uuid, now_us: i64) -> Result<()> {
    const TEXT: &str = "update session_stay set seen_us = $2 where run_id = $1 and left_us is null";
    on_pool!(db, write, pool => sqlx::query(TEXT).bind(run).bind(now_us).execute(pool).await.map(drop))?;
    Ok(())
}

/// Open stays that nobody has vouched for since a moment: project, row, who, from when to when they were seen.
pub(super) async fn unseen(db: &Db, before_us: i64) -> Result<Vec<(ProjectId, Uuid, Person, i64, i64)>> {
    const TEXT: &str = "
        select s.project_id, t.id, u.id, u.name, t.joined_us, t.seen_us
        from session_stay t
        join session s on s.id = t.session_id
        join users u on u.id = t.user_id
        where t.left_us is null and t.seen_us < $1
        order by t.seen_us limit 1000";
    let rows: Vec<(ProjectId, Uuid, UserId, String, i64, i64)> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(before_us).fetch_all(pool).await)?;
    Ok(rows
        .into_iter()
        .map(|(project, stay, id, name, joined, seen)| (project, stay, Person { id, name }, joined, seen))
        .collect())
}

pub(super) async fn people(db: &Db, project: ProjectId) -> Result<Vec<UserId>> {
    const TEXT: &str = "
        select distinct coalesce(u.merged_into, u.id)
        from session s
        join session_stay t on t.session_id = s.id
        join users u on u.id = t.user_id
        where s.project_id = $1 and s.ended_us is null and t.left_us is null";
    let rows: Vec<(UserId,)> = on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn sessions(
    db: &Db,
    project: ProjectId,
    before: Option<SessionId>,
    author: Option<UserId>,
    limit: i64,
) -> Result<Vec<SessionView>> {
    const TEXT: &str = "
        select id, started_us, ended_us from session
        where project_id = $1 and ($2 is null or id < $2) and ($3 is null or exists (
            select 1 from session_stay t join users u on u.id = t.user_id
            where t.session_id = session.id and (u.id = $3 or u.merged_into = $3)))
        order by id desc limit $4";
    let rows: Vec<(SessionId, i64, Option<i64>)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(before).bind(author).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows
        .into_iter()
        .map(|(id, started_us, ended_us)| SessionView {
            id,
            started_at: Timestamp(started_us),
            ended_at: ended_us.map(Timestamp),
            participants: Vec::new(),
        })
        .collect())
}

/// Fills in who took part, in the order in which they came.
pub(super) async fn participants(db: &Db, sessions: &mut [SessionView]) -> Result<()> {
    const TEXT: &str = "
        select coalesce(m.id, u.id), coalesce(m.name, u.name), coalesce(m.kind, u.kind),
            min(t.joined_us), max(t.left_us), count(*) - count(t.left_us)
        from session_stay t
        join users u on u.id = t.user_id
        left join users m on m.id = u.merged_into
        where t.session_id = $1
        group by coalesce(m.id, u.id), coalesce(m.name, u.name), coalesce(m.kind, u.kind)
        order by min(t.joined_us)";
    for session in sessions {
        let rows: Vec<(UserId, String, String, i64, Option<i64>, i64)> =
            on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(session.id).fetch_all(pool).await)?;
        session.participants = rows
            .into_iter()
            .map(|(id, name, kind, joined, left, open)| ParticipantView {
                user: Actor { id, name, kind },
                joined_at: Timestamp(joined),
                left_at: left.filter(|_| open == 0).map(Timestamp),
            })
            .collect();
    }
    Ok(())
}
