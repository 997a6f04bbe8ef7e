//! What was said before in short, where it does not fit any more: written by the model, kept, shown, and written anew when
//! a message in it is changed or somebody takes it away.

use serde::Serialize;
use utoipa::ToSchema;

use super::context::Fence;
use super::prompt::History;
use super::{Job, sql, tokens};
use crate::chat::Message;
use crate::db::{Db, now_us};
use crate::error::Result;
use crate::ids::ConversationId;
use crate::limits;
use crate::model::{Ask, Speaker, Turn};
use crate::timestamp::Timestamp;

const TASK: &str = "You keep the minutes of a conversation between people and an AI teammate about a project. Write what was \
    said before in short: what was asked, decided and left open, with the names of files and people. Write only that, in at \
    most 200 words, in the language of the conversation.";

/// What was said in short.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Summary {
    /// The first message in it; what is before it is in none.
    pub(super) first_seq: i64,
    /// The last.
    pub(super) seq: i64,
    pub(super) body: String,
    pub(super) model: String,
    pub(super) created_us: i64,
}

/// The same as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SummaryView {
    /// The number of the first message in it; what was said before that is left out.
    first_seq: i64,
    /// The number of the last one: those up to here are told in short.
    seq: i64,
    body: String,
    model: String,
    created_at: Timestamp,
}

impl Summary {
    pub(super) fn view(self) -> SummaryView {
        let Self { first_seq, seq, body, model, created_us } = self;
        SummaryView { first_seq, seq, body, model, created_at: Timestamp(created_us) }
    }
}

/// The summary of a conversation, if there is one.
///
/// # Errors
/// When the database fails.
pub(super) async fn find(db: &Db, conversation: ConversationId) -> Result<Option<Summary>> {
    sql::summary(db, conversation).await
}

/// What is to be told in short: what does not fit, and of what fits all but the last.
pub(super) fn due(history: &mut History) -> Vec<Message> {
    let mut due = std::mem::take(&mut history.left_out);
    let folded = history.said.len().saturating_sub(limits::ASSISTANT_VERBATIM);
    due.extend(history.said.drain(..folded));
    due
}

/// What a model is asked to tell messages in short, with what was told in short of those before.
pub(super) fn ask(fence: &Fence, before: Option<&Summary>, messages: &[Message], room: usize) -> Ask {
    let mut text = before.map(|summary| format!("{}\n\n", summary.body)).unwrap_or_default();
    for message in messages {
        let (body, _) = tokens::cut(&message.body, room / 4);
        text.push_str(&format!("{}: {body}\n\n", message.author.name));
    }
    let turns = vec![
        Turn::new(Speaker::System, format!("{TASK}\n\n{}", fence.rule())),
        Turn::new(Speaker::User, fence.around("the conversation", &text)),
    ];
    Ask { turns, max_tokens: Some(limits::ASSISTANT_SUMMARY_TOKENS), ..Ask::default() }
}

/// The summary that a model wrote of messages; `None` where it said nothing.
pub(super) fn of(said: &str, before: Option<&Summary>, messages: &[Message], model: &str) -> Option<Summary> {
    let said = said.replace('\0', "");
    // A model that goes on beyond what it was asked for is not listened to.
    let body = said[..said.floor_char_boundary(limits::ASSISTANT_SUMMARY_BYTES)].trim().to_owned();
    let (first, last) = messages.first().zip(messages.last()).filter(|_| !body.is_empty())?;
    // Where messages between were left out, it says nothing of those before them for certain.
    let before = before.filter(|before| before.seq + 1 >= first.seq);
    let first_seq = before.map_or(first.seq, |before| before.first_seq);
    Some(Summary { first_seq, seq: last.seq, body, model: model.to_owned(), created_us: now_us() })
}

/// Messages in groups that are read at once; the latest of these, where there are too many.
pub(super) fn parts(messages: &[Message], room: usize) -> Vec<&[Message]> {
    let mut parts = Vec::new();
    let mut rest = messages;
    while !rest.is_empty() {
        let mut left = room;
        let count = rest.iter().take_while(|message| {
            let taken = tokens::count(&message.body).min(room / 4) + 8;
            let fits = taken <= left;
            left = left.saturating_sub(taken);
            fits
        });
        let (part, later) = rest.split_at(count.count().max(1));
        parts.push(part);
        rest = later;
    }
    let skipped = parts.len().saturating_sub(limits::ASSISTANT_SUMMARIES);
    parts.split_off(skipped)
}

/// Keeps a summary, unless what it was written from is not there any more: what somebody took back meanwhile must not stay
/// in it. Answers whether it is kept.
///
/// # Errors
/// When the database fails.
pub(super) async fn keep(
    db: &Db,
    job: &Job,
    before: Option<&Summary>,
    messages: &[Message],
    summary: &Summary,
) -> Result<bool> {
    let mut tx = db.begin().await?;
    let stored = sql::lock_summary(&mut tx, job.conversation).await?;
    let (first, last) = (messages.first().map_or(0, |first| first.seq), summary.seq);
    let standing = sql::standing(&mut tx, job.conversation, first, last).await?;
    let stands = |message: &Message| standing.contains(&(message.seq, message.edited_us));
    if stored.as_ref() != before || !messages.iter().all(stands) {
        return Ok(false);
    }
    sql::put_summary(&mut tx, job.conversation, summary).await?;
    tx.commit().await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::{Author, AuthorKind};
    use crate::ids::{MessageId, ProjectId, UserId};

    fn message(seq: i64) -> Message {
        let author = Author { id: UserId::new(), name: "Ann".to_owned(), kind: AuthorKind::Human };
        Message {
            id: MessageId::new(),
            seq,
            conversation: crate::chat::first(ProjectId::new()),
            author,
            role: None,
            issuer: None,
            via: None,
            persona: None,
            reply_to: None,
            to: None,
            model: None,
            body: "x".repeat(300),
            state: crate::chat::State::Done,
            attachments: Vec::new(),
            mentions: Vec::new(),
            details: crate::chat::Details::new(),
            created_us: 1,
            edited_us: None,
            deleted_us: None,
        }
    }

    #[test]
    fn a_summary_says_from_where_it_tells() {
        let messages: Vec<Message> = (11..=20).map(message).collect();
        let before = Summary { first_seq: 3, seq: 10, body: "b".to_owned(), model: "m".to_owned(), created_us: 1 };
        let range = |before: Option<&Summary>, messages: &[Message]| {
            let summary = of("short", before, messages, "m").unwrap();
            (summary.first_seq, summary.seq)
        };
        assert_eq!(range(None, &messages), (11, 20));
        assert_eq!(range(Some(&before), &messages), (3, 20));
        assert_eq!(range(Some(&before), &messages[1..]), (12, 20), "number 11 is in none");
        assert!(of(" ", None, &messages, "m").is_none());
    }

    #[test]
    fn of_too_many_messages_the_latest_are_read() {
        let messages: Vec<Message> = (1..=100).map(message).collect();
        let parts = parts(&messages, 400);
        assert_eq!(
            (parts.len(), parts.last().and_then(|part| part.last()).unwrap().seq),
            (limits::ASSISTANT_SUMMARIES, 100)
        );
        assert!(parts[0][0].seq > 1);
    }
}
