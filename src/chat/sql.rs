//! The statements over `message`, and who can be mentioned in one.

use anyhow::Context;

use super::answer::{Again, Progress};
use super::mention::Mention;
use super::message::{Author, Message, NewMessage, State};
use super::reading::Cursor;
use crate::auth::Kind;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::feed::Person;
use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::role::Role;
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: MessageId,
    conversation_id: ConversationId,
    seq: i64,
    author_id: UserId,
    author_name: String,
    author_kind: String,
    author_role: Option<String>,
    author_issuer_id: Option<UserId>,
    via_id: Option<UserId>,
    via_name: Option<String>,
    persona: Option<String>,
    reply_to: Option<MessageId>,
    addressed: Option<String>,
    model: Option<String>,
    body: String,
    state: String,
    attachments: String,
    mentions: String,
    details: String,
    created_us: i64,
    edited_us: Option<i64>,
    deleted_us: Option<i64>,
}

impl MessageRow {
    fn message(self) -> Result<Message> {
        let kind = Kind::from_word(&self.author_kind).context("a user of an unknown kind is stored")?;
        let stored = || format!("message {} cannot be read", self.id);
        Ok(Message {
            state: State::from_word(&self.state).context("a message of an unknown state is stored")?,
            attachments: serde_json::from_str(&self.attachments).with_context(stored)?,
            mentions: serde_json::from_str(&self.mentions).with_context(stored)?,
            details: serde_json::from_str(&self.details).with_context(stored)?,
            id: self.id,
            seq: self.seq,
            conversation: self.conversation_id,
            author: Author::new(self.author_id, self.author_name, kind),
            role: self.author_role.as_deref().and_then(Role::from_word),
            issuer: self.author_issuer_id,
            via: self.via_id.zip(self.via_name).map(|(id, name)| Person { id, name }),
            persona: self.persona,
            reply_to: self.reply_to,
            to: self.addressed,
            model: self.model,
            body: self.body,
            created_us: self.created_us,
            edited_us: self.edited_us,
            deleted_us: self.deleted_us,
        })
    }
}

/// A message that is to be inserted.
pub(super) struct NewRow<'a> {
    pub(super) id: MessageId,
    pub(super) conversation: ConversationId,
    pub(super) seq: i64,
    pub(super) author: UserId,
    pub(super) body: String,
    pub(super) state: State,
    pub(super) mentions: Vec<Mention>,
    pub(super) wanted: &'a NewMessage,
}

/// Every column of a message, with its author as they are called now.
macro_rules! messages {
    ($rest:literal) => {
        concat!(
            "select x.id, x.conversation_id, x.seq,
                coalesce(m.id, u.id) as author_id, coalesce(m.name, u.name) as author_name,
                coalesce(m.kind, u.kind) as author_kind, x.author_role,
                x.author_issuer_id,
                coalesce(vm.id, v.id) as via_id, coalesce(vm.name, v.name) as via_name, x.persona, x.reply_to, x.addressed, x.model, x.body, x.state,
                x.attachments, x.mentions, x.details, x.created_us, x.edited_us, x.deleted_us
            from message x
            join conversation c on c.id = x.conversation_id
            join users u on u.id = x.author_id
            left join users m on m.id = u.merged_into
            left join users v on v.id = x.via_id
            left join users vm on vm.id = v.merged_into ",
            $rest
        )
    };
}

const BY_ID: &str = messages!("where x.id = $1 and c.project_id = $2");

pub(super) async fn insert(tx: &mut Tx, row: &NewRow<'_>, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into message (id, conversation_id, seq, author_id, via_id, persona, reply_to, addressed, body, folded,
            state, attachments, mentions, details, client_key, created_us, author_role,
            author_issuer_id, model)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)";
    let attachments = serde_json::to_string(&row.wanted.attachments).map_err(anyhow::Error::from)?;
    let mentions = serde_json::to_string(&row.mentions).map_err(anyhow::Error::from)?;
    let details = serde_json::to_string(&row.wanted.details).map_err(anyhow::Error::from)?;
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(row.id)
            .bind(row.conversation)
            .bind(row.seq)
            .bind(row.author)
            .bind(row.wanted.via)
            .bind(&row.wanted.persona)
            .bind(row.wanted.reply_to)
            .bind(&row.wanted.to)
            .bind(&row.body)
            .bind(row.body.to_lowercase())
            .bind(row.state.as_str())
            .bind(&attachments)
            .bind(&mentions)
            .bind(&details)
            .bind(&row.wanted.key)
            .bind(now_us)
            .bind(row.wanted.role.map(Role::as_str))
            .bind(row.wanted.issuer)
            .bind(&row.wanted.model)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Writes messages that were said elsewhere, by their numbers.
pub(super) async fn insert_imported(
    tx: &mut Tx,
    conversation: ConversationId,
    said: &[(i64, &String)],
    author: UserId,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into message (id, conversation_id, seq, author_id, body, folded, created_us, state, attachments, mentions,
            details) ";
    on_tx!(tx, conn => {
        let mut rows = sqlx::QueryBuilder::new(TEXT);
        rows.push_values(said, |mut row, (seq, body)| {
            row.push_bind(MessageId::new())
                .push_bind(conversation)
                .push_bind(*seq)
                .push_bind(author)
                .push_bind(*body)
                .push_bind(body.to_lowercase())
                .push_bind(now_us)
                .push("'done'")
                .push("'[]'")
                .push("'[]'")
                .push("'{}'");
        });
        rows.build().execute(conn).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn find(db: &Db, project: ProjectId, id: MessageId) -> Result<Option<Message>> {
    let row: Option<MessageRow> =
        on_pool!(db, read, pool => sqlx::query_as(BY_ID).bind(id).bind(project).fetch_optional(pool).await)?;
    row.map(MessageRow::message).transpose()
}

pub(super) async fn find_in(tx: &mut Tx, project: ProjectId, id: MessageId) -> Result<Option<Message>> {
    let row: Option<MessageRow> =
        on_tx!(tx, conn => sqlx::query_as(BY_ID).bind(id).bind(project).fetch_optional(conn).await)?;
    row.map(MessageRow::message).transpose()
}

/// Locks a message that was not deleted, and reads it.
pub(super) async fn lock(tx: &mut Tx, project: ProjectId, id: MessageId) -> Result<Option<Message>> {
    const TEXT: &str = "update message set state = state where id = $1 and deleted_us is null";
    let found = on_tx!(&mut *tx, conn => {
        sqlx::query(TEXT).bind(id).execute(conn).await.map(|done| done.rows_affected())
    })?;
    if found == 1 { find_in(tx, project, id).await } else { Ok(None) }
}

/// An author's message in a conversation by their own name for it.
pub(super) async fn by_key(
    tx: &mut Tx,
    conversation: ConversationId,
    author: UserId,
    key: &str,
) -> Result<Option<Message>> {
    const TEXT: &str = messages!("where x.conversation_id = $1 and x.author_id = $2 and x.client_key = $3");
    let row: Option<MessageRow> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(conversation).bind(author).bind(key).fetch_optional(conn).await
    })?;
    row.map(MessageRow::message).transpose()
}

pub(super) async fn set_body(tx: &mut Tx, id: MessageId, body: &str, mentions: &[Mention], now_us: i64) -> Result<()> {
    const TEXT: &str = "update message set body = $2, folded = $3, mentions = $4, edited_us = $5 where id = $1";
    let mentions = serde_json::to_string(mentions).map_err(anyhow::Error::from)?;
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(id)
            .bind(body)
            .bind(body.to_lowercase())
            .bind(&mentions)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn set_progress(tx: &mut Tx, id: MessageId, now: &Progress) -> Result<()> {
    const TEXT: &str = "
        update message set body = $2, folded = $3, state = $4, details = $5, persona = coalesce($6, persona),
            attachments = $7
        where id = $1";
    let details = serde_json::to_string(&now.details).map_err(anyhow::Error::from)?;
    let attachments = serde_json::to_string(&now.attachments).map_err(anyhow::Error::from)?;
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(id)
            .bind(&now.body)
            .bind(now.body.to_lowercase())
            .bind(now.state.as_str())
            .bind(&details)
            .bind(&now.persona)
            .bind(&attachments)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Notes for whom an answer is given again, by what right, and how: the right takes the place of its author's, who has none.
pub(super) async fn set_again(tx: &mut Tx, id: MessageId, again: &Again) -> Result<()> {
    const TEXT: &str = "
        update message set via_id = $2, author_role = $3, author_issuer_id = $4, model = $5, addressed = $6
        where id = $1";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(id)
            .bind(again.by)
            .bind(again.role.as_str())
            .bind(again.issuer)
            .bind(&again.model)
            .bind(&again.persona)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Keeps the text so far of an answer that is being written.
pub(super) async fn keep(db: &Db, id: MessageId, body: &str) -> Result<()> {
    const TEXT: &str = "
        update message set body = $2, folded = $3 where id = $1 and state = 'streaming' and deleted_us is null";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT).bind(id).bind(body).bind(body.to_lowercase()).execute(pool).await.map(drop)
    })?;
    Ok(())
}

/// Takes out what a message said.
pub(super) async fn mark_deleted(tx: &mut Tx, id: MessageId, now_us: i64) -> Result<()> {
    const TEXT: &str = "
        update message set body = '', folded = '', attachments = '[]', mentions = '[]', details = '{}', deleted_us = $2,
            state = case when state in ('queued', 'streaming') then 'stopped' else state end
        where id = $1";
    on_tx!(tx, conn => sqlx::query(TEXT).bind(id).bind(now_us).execute(conn).await.map(drop))?;
    Ok(())
}

/// Messages in the order they were written after a number; before one, and else, the newest first.
pub(super) async fn page(db: &Db, conversation: ConversationId, cursor: &Cursor, limit: i64) -> Result<Vec<Message>> {
    const FORTH: &str = messages!(
        "where x.conversation_id = $1 and x.seq > $2 and ($3 is null or x.folded like $3 escape '!')
        order by x.seq limit $4"
    );
    const BACK: &str = messages!(
        "where x.conversation_id = $1 and x.seq < $2 and ($3 is null or x.folded like $3 escape '!')
        order by x.seq desc limit $4"
    );
    let (text, bound) = match (cursor.after, cursor.before) {
        (Some(after), _) => (FORTH, after),
        (None, before) => (BACK, before.unwrap_or(i64::MAX)),
    };
    let pattern = cursor.containing.as_ref().map(|text| like(text));
    let rows: Vec<MessageRow> = on_pool!(db, read, pool => {
        sqlx::query_as(text).bind(conversation).bind(bound).bind(&pattern).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(MessageRow::message).collect()
}

/// The messages of all conversations of a project that contain a text, the newest first.
pub(super) async fn search(
    db: &Db,
    project: ProjectId,
    text: &str,
    before: Option<MessageId>,
    limit: i64,
) -> Result<Vec<Message>> {
    const TEXT: &str = messages!(
        "where c.project_id = $1 and x.folded like $2 escape '!' and ($3 is null or x.id < $3)
        order by x.id desc limit $4"
    );
    let rows: Vec<MessageRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(like(text)).bind(before).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(MessageRow::message).collect()
}

/// The pattern of what contains a text.
fn like(text: &str) -> String {
    let text = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
    format!("%{text}%")
}

/// Who can be mentioned: the members, by their names.
pub(super) async fn mentionable(db: &Db, project: ProjectId, limit: i64) -> Result<Vec<(UserId, String)>> {
    const TEXT: &str = "
        select u.id, u.name from member x join users u on u.id = x.user_id where x.project_id = $1
        order by x.created_us limit $2";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).bind(limit).fetch_all(pool).await)?)
}
