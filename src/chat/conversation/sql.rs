//! The statements over `conversation` and `conversation_read`.

use anyhow::Context;

use super::{Answers, Conversation};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ConversationId, ProjectId, UserId};
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct ConversationRow {
    id: ConversationId,
    title: Option<String>,
    head: i64,
    answers: String,
    applies: i64,
    created_us: i64,
}

impl ConversationRow {
    fn conversation(self) -> Result<Conversation> {
        let answers = Answers::from_word(&self.answers).context("a conversation of an unknown kind is stored")?;
        let Self { id, title, head, created_us, .. } = self;
        Ok(Conversation { id, title, head, answers, applies: self.applies != 0, created_us })
    }
}

#[derive(sqlx::FromRow)]
struct ReadRow {
    #[sqlx(flatten)]
    conversation: ConversationRow,
    read_to: i64,
}

pub(in crate::chat) async fn find(db: &Db, project: ProjectId, id: ConversationId) -> Result<Option<Conversation>> {
    const TEXT: &str =
        "select id, title, head, answers, applies, created_us from conversation where project_id = $1 and id = $2";
    let row: Option<ConversationRow> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).bind(id).fetch_optional(pool).await)?;
    row.map(ConversationRow::conversation).transpose()
}

/// The conversations of a project, each with how far a user has read.
pub(in crate::chat) async fn list(
    db: &Db,
    project: ProjectId,
    user: UserId,
    limit: i64,
) -> Result<Vec<(Conversation, i64)>> {
    const TEXT: &str = "
        select c.id, c.title, c.head, c.answers, c.applies, c.created_us, coalesce(r.seq, 0) as read_to
        from conversation c
        left join conversation_read r on r.conversation_id = c.id and r.user_id = $2
        where c.project_id = $1 order by c.id limit $3";
    let rows: Vec<ReadRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(user).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(|row| Ok((row.conversation.conversation()?, row.read_to))).collect()
}

pub(in crate::chat) async fn count(tx: &mut Tx, project: ProjectId) -> Result<i64> {
    const TEXT: &str = "select count(*) from conversation where project_id = $1";
    let (count,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_one(conn).await)?;
    Ok(count)
}

pub(in crate::chat) async fn insert(
    tx: &mut Tx,
    project: ProjectId,
    conversation: &Conversation,
    creator: Option<UserId>,
) -> Result<()> {
    const TEXT: &str = "
        insert into conversation (id, project_id, title, head, answers, created_by, created_us)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (id) do nothing";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(conversation.id)
            .bind(project)
            .bind(&conversation.title)
            .bind(conversation.head)
            .bind(conversation.answers.as_str())
            .bind(creator)
            .bind(conversation.created_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Makes the first conversation's row, if it is not there.
pub(in crate::chat) async fn begin_first(tx: &mut Tx, project: ProjectId, now_us: i64) -> Result<()> {
    let id = super::first(project);
    let first = Conversation { id, title: None, head: 0, answers: Answers::Auto, applies: false, created_us: now_us };
    insert(tx, project, &first, None).await
}

pub(in crate::chat) async fn change(
    tx: &mut Tx,
    project: ProjectId,
    id: ConversationId,
    title: Option<&str>,
    (answers, applies): (Option<Answers>, Option<bool>),
) -> Result<Option<Conversation>> {
    const TEXT: &str = "
        update conversation set title = coalesce($3, title), answers = coalesce($4, answers), applies = coalesce($5, applies)
        where id = $1 and project_id = $2
        returning id, title, head, answers, applies, created_us";
    let (answers, applies) = (answers.map(Answers::as_str), applies.map(i64::from));
    let row: Option<ConversationRow> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(id).bind(project).bind(title).bind(answers).bind(applies).fetch_optional(conn).await
    })?;
    row.map(ConversationRow::conversation).transpose()
}

/// Locks a conversation by numbering its next message.
pub(in crate::chat) async fn advance(tx: &mut Tx, id: ConversationId) -> Result<Option<i64>> {
    const TEXT: &str = "update conversation set head = head + 1 where id = $1 returning head";
    let row: Option<(i64,)> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(id).fetch_optional(conn).await)?;
    Ok(row.map(|(head,)| head))
}

/// Notes how far somebody has read, never back; answers it.
pub(in crate::chat) async fn mark_read(tx: &mut Tx, id: ConversationId, user: UserId, seq: i64) -> Result<i64> {
    const TEXT: &str = "
        insert into conversation_read (conversation_id, user_id, seq) values ($1, $2, $3)
        on conflict (conversation_id, user_id) do update
        set seq = case when excluded.seq > conversation_read.seq then excluded.seq else conversation_read.seq end
        returning seq";
    let (seq,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(id).bind(user).bind(seq).fetch_one(conn).await)?;
    Ok(seq)
}

pub(in crate::chat) async fn read_by(tx: &mut Tx, id: ConversationId, user: UserId) -> Result<i64> {
    const TEXT: &str = "select seq from conversation_read where conversation_id = $1 and user_id = $2";
    let row: Option<(i64,)> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(id).bind(user).fetch_optional(conn).await)?;
    Ok(row.map_or(0, |(seq,)| seq))
}
