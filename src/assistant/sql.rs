//! The statements over `assistant_run`, `assistant_usage` and `conversation_summary`.

use uuid::Uuid;

use super::summary::Summary;
use super::usage::{Spent, UsageRow};
use crate::db::Db;
use crate::error::Result;
use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::on_pool;

/// A run that is to be noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewRun {
    pub(super) id: Uuid,
    pub(super) project: ProjectId,
    pub(super) conversation: ConversationId,
    pub(super) message: MessageId,
    pub(super) user: UserId,
    pub(super) server_run: Uuid,
}

pub(super) async fn insert_run(db: &Db, run: &NewRun, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into assistant_run (id, project_id, conversation_id, message_id, user_id, server_run, beat_us, created_us)
        values ($1, $2, $3, $4, $5, $6, $7, $7)";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(run.id)
            .bind(run.project)
            .bind(run.conversation)
            .bind(run.message)
            .bind(run.user)
            .bind(run.server_run)
            .bind(now_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn delete_run(db: &Db, id: Uuid) -> Result<()> {
    on_pool!(db, write, pool => {
        sqlx::query("delete from assistant_run where id = $1").bind(id).execute(pool).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn end_run(db: &Db, id: Uuid, now_us: i64) -> Result<()> {
    on_pool!(db, write, pool => {
        sqlx::query("update assistant_run set ended_us = $2 where id = $1").bind(id).bind(now_us).execute(pool).await.map(drop)
    })?;
    Ok(())
}

/// Says that a server still gives its answers.
pub(super) async fn beat(db: &Db, server_run: Uuid, now_us: i64) -> Result<()> {
    const TEXT: &str = "update assistant_run set beat_us = $2 where server_run = $1 and ended_us is null";
    on_pool!(db, write, pool => sqlx::query(TEXT).bind(server_run).bind(now_us).execute(pool).await.map(drop))?;
    Ok(())
}

/// Runs that no server has vouched for since a moment.
pub(super) async fn lost(db: &Db, before_us: i64) -> Result<Vec<(Uuid, ProjectId, MessageId)>> {
    const TEXT: &str = "
        select id, project_id, message_id from assistant_run where ended_us is null and beat_us < $1
        order by beat_us limit 1000";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(before_us).fetch_all(pool).await)?)
}

/// When somebody's latest runs began, the latest first.
pub(super) async fn begun(db: &Db, user: UserId, since_us: i64, limit: i64) -> Result<Vec<i64>> {
    const TEXT: &str = "
        select created_us from assistant_run where user_id = $1 and created_us > $2 order by created_us desc limit $3";
    let rows: Vec<(i64,)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(user).bind(since_us).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(at,)| at).collect())
}

/// Adds what a run took to its day.
pub(super) async fn add_usage(
    db: &Db,
    project: ProjectId,
    day: i64,
    user: UserId,
    model: &str,
    spent: &Spent,
) -> Result<()> {
    const TEXT: &str = "
        insert into assistant_usage
            (project_id, day, user_id, model, runs, prompt_tokens, completion_tokens, cost_micros, unpriced_tokens)
        values ($1, $2, $3, $4, 1, $5, $6, $7, $8)
        on conflict (project_id, day, user_id, model) do update set
            runs = assistant_usage.runs + 1,
            prompt_tokens = assistant_usage.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = assistant_usage.completion_tokens + excluded.completion_tokens,
            cost_micros = assistant_usage.cost_micros + excluded.cost_micros,
            unpriced_tokens = assistant_usage.unpriced_tokens + excluded.unpriced_tokens";
    let total = spent.prompt_tokens + spent.completion_tokens;
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(day)
            .bind(user)
            .bind(model)
            .bind(spent.prompt_tokens)
            .bind(spent.completion_tokens)
            .bind(spent.cost_micros.unwrap_or(0))
            .bind(if spent.cost_micros.is_none() { total } else { 0 })
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// What a project took since a day, the latest first.
pub(super) async fn usage(db: &Db, project: ProjectId, since_day: i64, limit: i64) -> Result<Vec<UsageRow>> {
    const TEXT: &str = "
        select g.day, coalesce(m.id, u.id) as user_id, coalesce(m.name, u.name) as user_name, g.model, g.runs,
            g.prompt_tokens, g.completion_tokens, g.cost_micros, g.unpriced_tokens
        from assistant_usage g
        join users u on u.id = g.user_id
        left join users m on m.id = u.merged_into
        where g.project_id = $1 and g.day >= $2
        order by g.day desc, g.model, user_id limit $3";
    Ok(on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(since_day).bind(limit).fetch_all(pool).await
    })?)
}

/// What was taken on a day by a project, or for a person in all projects: tokens and millionths of a dollar, row by row.
pub(super) async fn taken(
    db: &Db,
    day: i64,
    project: Option<ProjectId>,
    user: Option<UserId>,
) -> Result<Vec<(i64, i64, i64)>> {
    const OF_PROJECT: &str = "
        select prompt_tokens, completion_tokens, cost_micros from assistant_usage where project_id = $1 and day = $2";
    const OF_USER: &str = "
        select prompt_tokens, completion_tokens, cost_micros from assistant_usage where user_id = $1 and day = $2";
    let (text, id) = match (project, user) {
        (Some(project), _) => (OF_PROJECT, project.0),
        (None, Some(user)) => (OF_USER, user.0),
        (None, None) => return Ok(Vec::new()),
    };
    Ok(on_pool!(db, read, pool => sqlx::query_as(text).bind(id).bind(day).fetch_all(pool).await)?)
}

pub(super) async fn summary(db: &Db, conversation: ConversationId) -> Result<Option<Summary>> {
    const TEXT: &str = "select seq, body, model, created_us from conversation_summary where conversation_id = $1";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(conversation).fetch_optional(pool).await)?)
}

pub(super) async fn put_summary(db: &Db, conversation: ConversationId, summary: &Summary) -> Result<()> {
    const TEXT: &str = "
        insert into conversation_summary (conversation_id, seq, body, model, created_us) values ($1, $2, $3, $4, $5)
        on conflict (conversation_id) do update set
            seq = excluded.seq, body = excluded.body, model = excluded.model, created_us = excluded.created_us";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(conversation)
            .bind(summary.seq)
            .bind(&summary.body)
            .bind(&summary.model)
            .bind(summary.created_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Forgets what was said in short of a conversation from this message on; answers whether there was any.
pub(super) async fn drop_summary(db: &Db, conversation: ConversationId, from_seq: i64) -> Result<bool> {
    const TEXT: &str = "delete from conversation_summary where conversation_id = $1 and seq >= $2";
    let gone = on_pool!(db, write, pool => {
        sqlx::query(TEXT).bind(conversation).bind(from_seq).execute(pool).await.map(|done| done.rows_affected())
    })?;
    Ok(gone > 0)
}
