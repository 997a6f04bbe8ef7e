//! Messages in pages, forth and back, and those that hold a text.

use serde::Serialize;
use utoipa::ToSchema;

use super::message::{Message, MessageView};
use super::{conversation, sql};
use crate::error::Result;
use crate::feed::Feed;
use crate::ids::{ConversationId, MessageId, ProjectId};

/// Which messages of a conversation are wanted.
#[derive(Debug, Clone, Default)]
pub struct Cursor {
    /// Only those after this number, from the oldest on.
    pub after: Option<i64>,
    /// Only those before this number, up to the newest of them. Neither: the newest.
    pub before: Option<i64>,
    /// Only those with this text in them, whatever its case.
    pub containing: Option<String>,
}

/// A page of messages, always in the order in which they were written.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Messages {
    /// What is on it.
    #[schema(value_type = Vec<MessageView>)]
    pub items: Vec<Message>,
    /// What to hand back as `after` for later ones; null when there are none yet.
    #[schema(required)]
    pub next: Option<String>,
    /// What to hand back as `before` for earlier ones; null when there are none.
    #[schema(required)]
    pub previous: Option<String>,
}

/// Messages of a conversation, at most `limit`.
///
/// # Errors
/// [`crate::error::Error::NotFound`] for another project's conversation, or when the database fails.
pub async fn page(
    feed: &Feed,
    project: ProjectId,
    conversation: ConversationId,
    cursor: &Cursor,
    limit: i64,
) -> Result<Messages> {
    conversation::find(feed.db(), project, conversation).await?;
    let mut items = sql::page(feed.db(), conversation, cursor, limit + 1).await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > size;
    items.truncate(size);
    let forth = cursor.after.is_some();
    if !forth {
        items.reverse();
    }
    let number = |message: Option<&Message>| message.map(|message| message.seq.to_string());
    // On the side where the page was not cut it is known only whether one came from there.
    let (later, earlier) = if forth { (more, cursor.after > Some(0)) } else { (cursor.before.is_some(), more) };
    let (next, previous) = (number(items.last().filter(|_| later)), number(items.first().filter(|_| earlier)));
    let items = items.into_iter().map(|message| message.up_to_now(feed)).collect();
    Ok(Messages { items, next, previous })
}

/// Messages of all conversations that hold a text, whatever its case, the newest first, at most `limit`.
///
/// # Errors
/// When the database fails.
pub(super) async fn search(
    feed: &Feed,
    project: ProjectId,
    text: &str,
    before: Option<MessageId>,
    limit: i64,
) -> Result<Vec<Message>> {
    sql::search(feed.db(), project, text, before, limit).await
}
