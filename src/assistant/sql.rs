//! The statements over `assistant_run`, `assistant_account`, `assistant_usage`, `assistant_heard`,
//! `conversation_summary` and `document_analysis`.

use uuid::Uuid;

use super::account::{Held, Payer};
use super::analysis::Analysis;
use super::summary::Summary;
use super::usage::{Spent, UsageRow};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ConversationId, DocumentId, MessageId, ProjectId, UserId};
use crate::{on_pool, on_tx};

/// A run that is to be noted.
#[derive(Debug, Clone, Copy)]
pub(super) struct NewRun {
    pub(super) id: Uuid,
    pub(super) project: ProjectId,
    /// Where, and which answer; nothing for what is asked outside of conversations.
    pub(super) answer: Option<(ConversationId, MessageId)>,
    pub(super) user: UserId,
    pub(super) server_run: Uuid,
}

pub(super) async fn insert_run(tx: &mut Tx, run: &NewRun, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into assistant_run (id, project_id, conversation_id, message_id, user_id, server_run, beat_us, created_us)
        values ($1, $2, $3, $4, $5, $6, $7, $7)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(run.id)
            .bind(run.project)
            .bind(run.answer.map(|(conversation, _)| conversation))
            .bind(run.answer.map(|(_, message)| message))
            .bind(run.user)
            .bind(run.server_run)
            .bind(now_us)
            .execute(conn)
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

/// Runs that no server has vouched for since a moment, and their answers; also those that ended while what they took could not
/// be written down.
pub(super) async fn lost(db: &Db, before_us: i64) -> Result<Vec<(Uuid, ProjectId, Option<MessageId>)>> {
    const TEXT: &str = "
        select id, project_id, message_id from assistant_run
        where (ended_us is null or held_day is not null) and beat_us < $1
        order by beat_us limit 1000";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(before_us).fetch_all(pool).await)?)
}

/// Whether an answer is being given, or waits to be.
pub(super) async fn is_given(db: &Db, message: MessageId) -> Result<bool> {
    const TEXT: &str = "select count(*) from assistant_run where message_id = $1 and ended_us is null";
    let (count,): (i64,) = on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(message).fetch_one(pool).await)?;
    Ok(count > 0)
}

/// Forgets runs that ended long ago, and what counted against the budgets of days that are over.
pub(super) async fn sweep(db: &Db, before_us: i64, before_day: i64) -> Result<()> {
    const RUNS: &str = "delete from assistant_run where ended_us < $1";
    const ACCOUNTS: &str = "delete from assistant_account where day < $1";
    on_pool!(db, write, pool => sqlx::query(RUNS).bind(before_us).execute(pool).await.map(drop))?;
    on_pool!(db, write, pool => sqlx::query(ACCOUNTS).bind(before_day).execute(pool).await.map(drop))?;
    Ok(())
}

/// Locks an account by counting more tokens and millionths of a dollar in it; answers what it has then.
pub(super) async fn count(tx: &mut Tx, owner: Uuid, day: i64, tokens: i64, micros: i64) -> Result<(i64, i64)> {
    const TEXT: &str = "
        insert into assistant_account (owner_id, day, tokens, micros) values ($1, $2, $3, $4)
        on conflict (owner_id, day) do update set
            tokens = assistant_account.tokens + excluded.tokens, micros = assistant_account.micros + excluded.micros
        returning tokens, micros";
    Ok(on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(owner).bind(day).bind(tokens).bind(micros).fetch_one(conn).await
    })?)
}

/// What an account has.
pub(super) async fn counted(db: &Db, owner: Uuid, day: i64) -> Result<(i64, i64)> {
    const TEXT: &str = "select tokens, micros from assistant_account where owner_id = $1 and day = $2";
    let row = on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(owner).bind(day).fetch_optional(pool).await)?;
    Ok(row.unwrap_or_default())
}

/// Notes that more is set aside for what a run asks now.
pub(super) async fn hold(tx: &mut Tx, run: Uuid, model: &str, held: &Held) -> Result<()> {
    const TEXT: &str = "
        update assistant_run set model = $2, held_day = $3, asked_tokens = asked_tokens + $4,
            held_tokens = held_tokens + $5, held_micros = held_micros + $6
        where id = $1";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(run)
            .bind(model)
            .bind(held.day)
            .bind(held.asked)
            .bind(held.tokens)
            .bind(held.micros)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

#[derive(sqlx::FromRow)]
struct LeftRow {
    project_id: ProjectId,
    user_id: UserId,
    model: String,
    held_day: i64,
    asked_tokens: i64,
    held_tokens: i64,
    held_micros: i64,
    counted: i64,
}

/// What is set aside for a run.
pub(super) struct Left {
    /// Who pays.
    pub(super) payer: Payer,
    /// The model that is asked.
    pub(super) model: String,
    pub(super) held: Held,
    /// Whether the run is counted as an answer already.
    pub(super) is_counted: bool,
}

/// Locks a run for which something is set aside, and reads what.
pub(super) async fn lock_left(tx: &mut Tx, run: Uuid) -> Result<Option<Left>> {
    const TEXT: &str = "
        update assistant_run set held_day = held_day where id = $1 and held_day is not null
        returning project_id, user_id, model, held_day, asked_tokens, held_tokens, held_micros, counted";
    let row: Option<LeftRow> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(run).fetch_optional(conn).await)?;
    Ok(row.map(|row| Left {
        payer: Payer { run, project: row.project_id, user: row.user_id },
        held: Held { day: row.held_day, asked: row.asked_tokens, tokens: row.held_tokens, micros: row.held_micros },
        model: row.model,
        is_counted: row.counted != 0,
    }))
}

/// Notes that nothing is set aside for a run any more, and whether it is counted as an answer.
pub(super) async fn release(tx: &mut Tx, run: Uuid, is_counted: bool) -> Result<()> {
    const TEXT: &str = "
        update assistant_run set model = null, held_day = null, asked_tokens = 0, held_tokens = 0, held_micros = 0,
            counted = $2
        where id = $1";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(run).bind(i64::from(is_counted)).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// How far the feed of a project was heard.
pub(super) async fn heard(db: &Db, project: ProjectId) -> Result<i64> {
    const TEXT: &str = "select seq from assistant_heard where project_id = $1";
    let row: Option<(i64,)> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).fetch_optional(pool).await)?;
    Ok(row.map_or(0, |(seq,)| seq))
}

/// Notes how far feeds of projects were heard; never back. Of projects that are gone nothing is noted.
pub(super) async fn hear(db: &Db, heard: &[(ProjectId, i64)]) -> Result<()> {
    const TEXT: &str = "
        insert into assistant_heard (project_id, seq) select id, $2 from project where id = $1
        on conflict (project_id) do update
        set seq = case when excluded.seq > assistant_heard.seq then excluded.seq else assistant_heard.seq end";
    let mut tx = db.begin().await?;
    for (project, seq) in heard {
        on_tx!(&mut tx, conn => sqlx::query(TEXT).bind(*project).bind(*seq).execute(conn).await.map(drop))?;
    }
    tx.commit().await?;
    Ok(())
}

/// Projects whose feeds have more than was heard.
pub(super) async fn missed(db: &Db, limit: i64) -> Result<Vec<ProjectId>> {
    const TEXT: &str = "
        select f.project_id from feed_head f left join assistant_heard h on h.project_id = f.project_id
        where f.head > coalesce(h.seq, 0) limit $1";
    let rows: Vec<(ProjectId,)> = on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(limit).fetch_all(pool).await)?;
    Ok(rows.into_iter().map(|(project,)| project).collect())
}

/// When somebody's latest runs began, the latest first.
pub(super) async fn begun(tx: &mut Tx, user: UserId, since_us: i64, limit: i64) -> Result<Vec<i64>> {
    const TEXT: &str = "
        select created_us from assistant_run where user_id = $1 and created_us > $2 order by created_us desc limit $3";
    let rows: Vec<(i64,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(user).bind(since_us).bind(limit).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(at,)| at).collect())
}

/// Adds what a run took to its day; `is_first` counts it as an answer.
pub(super) async fn add_usage(
    tx: &mut Tx,
    payer: Payer,
    day: i64,
    model: &str,
    spent: &Spent,
    is_first: bool,
) -> Result<()> {
    const TEXT: &str = "
        insert into assistant_usage
            (project_id, day, user_id, model, runs, prompt_tokens, completion_tokens, cost_micros, unpriced_tokens)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        on conflict (project_id, day, user_id, model) do update set
            runs = assistant_usage.runs + excluded.runs,
            prompt_tokens = assistant_usage.prompt_tokens + excluded.prompt_tokens,
            completion_tokens = assistant_usage.completion_tokens + excluded.completion_tokens,
            cost_micros = assistant_usage.cost_micros + excluded.cost_micros,
            unpriced_tokens = assistant_usage.unpriced_tokens + excluded.unpriced_tokens";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(payer.project)
            .bind(day)
            .bind(payer.user)
            .bind(model)
            .bind(i64::from(is_first))
            .bind(spent.prompt_tokens)
            .bind(spent.completion_tokens)
            .bind(spent.cost_micros.unwrap_or(0))
            .bind(if spent.cost_micros.is_none() { spent.tokens() } else { 0 })
            .execute(conn)
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

const SUMMARY: &str =
    "select first_seq, seq, body, model, created_us from conversation_summary where conversation_id = $1";

pub(super) async fn summary(db: &Db, conversation: ConversationId) -> Result<Option<Summary>> {
    Ok(on_pool!(db, read, pool => sqlx::query_as(SUMMARY).bind(conversation).fetch_optional(pool).await)?)
}

/// Locks what was said in short of a conversation, and reads it.
pub(super) async fn lock_summary(tx: &mut Tx, conversation: ConversationId) -> Result<Option<Summary>> {
    const LOCK: &str = "update conversation set head = head where id = $1";
    on_tx!(&mut *tx, conn => sqlx::query(LOCK).bind(conversation).execute(conn).await.map(drop))?;
    Ok(on_tx!(tx, conn => sqlx::query_as(SUMMARY).bind(conversation).fetch_optional(conn).await)?)
}

/// The messages of a conversation from one number to another that are there now, and when each was last changed.
pub(super) async fn standing(
    tx: &mut Tx,
    conversation: ConversationId,
    first: i64,
    last: i64,
) -> Result<Vec<(i64, Option<i64>)>> {
    const TEXT: &str = "
        select seq, edited_us from message
        where conversation_id = $1 and seq >= $2 and seq <= $3 and deleted_us is null order by seq";
    Ok(on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(conversation).bind(first).bind(last).fetch_all(conn).await
    })?)
}

pub(super) async fn put_summary(tx: &mut Tx, conversation: ConversationId, summary: &Summary) -> Result<()> {
    const TEXT: &str = "
        insert into conversation_summary (conversation_id, first_seq, seq, body, model, created_us)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (conversation_id) do update set
            first_seq = excluded.first_seq, seq = excluded.seq, body = excluded.body, model = excluded.model,
            created_us = excluded.created_us";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(conversation)
            .bind(summary.first_seq)
            .bind(summary.seq)
            .bind(&summary.body)
            .bind(&summary.model)
            .bind(summary.created_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Forgets what was said in short of a conversation from this message on; answers whether there was any.
pub(super) async fn drop_summary(db: &Db, conversation: ConversationId, from_seq: i64) -> Result<bool> {
    const TEXT: &str = "delete from conversation_summary where conversation_id = $1 and seq >= $2";
    let mut tx = db.begin().await?;
    // One that is being written down is seen, or sees what has changed.
    lock_summary(&mut tx, conversation).await?;
    let gone = on_tx!(&mut tx, conn => {
        sqlx::query(TEXT).bind(conversation).bind(from_seq).execute(conn).await.map(|done| done.rows_affected())
    })?;
    tx.commit().await?;
    Ok(gone > 0)
}

/// Keeps what was found in a document, in the place of what was found before.
pub(super) async fn put_analysis(
    db: &Db,
    document: DocumentId,
    head: i64,
    model: &str,
    user: UserId,
    findings: &str,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into document_analysis (document_id, head, model, user_id, findings, created_us)
        values ($1, $2, $3, $4, $5, $6)
        on conflict (document_id) do update set
            head = excluded.head, model = excluded.model, user_id = excluded.user_id, findings = excluded.findings,
            created_us = excluded.created_us";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(document)
            .bind(head)
            .bind(model)
            .bind(user)
            .bind(findings)
            .bind(now_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn analysis(db: &Db, document: DocumentId) -> Result<Option<Analysis>> {
    const TEXT: &str = "
        select a.head, a.model, coalesce(m.id, u.id) as user_id, coalesce(m.name, u.name) as user_name, a.findings, a.created_us
        from document_analysis a
        join users u on u.id = a.user_id
        left join users m on m.id = u.merged_into
        where a.document_id = $1";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(document).fetch_optional(pool).await)?)
}
