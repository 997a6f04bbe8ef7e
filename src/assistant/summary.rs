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
use crate::model::{Ask, Fault, Model, Piece, Speaker, Turn, Usage};
use crate::timestamp::Timestamp;

const TASK: &str = "You keep the minutes of a conversation between people and an AI teammate about a project. Write what was \
    said before in short: what was asked, decided and left open, with the names of files and people. Write only that, in at \
    most 200 words, in the language of the conversation.";

/// What was said in short.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(super) struct Summary {
    /// The last message in it.
    pub(super) seq: i64,
    pub(super) body: String,
    pub(super) model: String,
    pub(super) created_us: i64,
}

/// The same as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct SummaryView {
    /// The number of the last message in it: those up to here are told in short.
    seq: i64,
    body: String,
    model: String,
    created_at: Timestamp,
}

impl Summary {
    pub(super) fn view(self) -> SummaryView {
        SummaryView { seq: self.seq, body: self.body, model: self.model, created_at: Timestamp(self.created_us) }
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

/// Has a model tell messages in short, with what was told in short of those before: as many at once as it can read, each
/// time with what it wrote the time before.
///
/// # Errors
/// Why it does not.
pub(super) async fn write(
    model: &Model,
    fence: &Fence,
    before: Option<&Summary>,
    messages: &[Message],
) -> Result<(Option<Summary>, Usage), Fault> {
    let room = usize::try_from(model.context_tokens() / 2).unwrap_or(usize::MAX);
    let mut known = before.cloned();
    let mut usage = Usage::default();
    for part in parts(messages, room) {
        let mut text = known.as_ref().map(|summary| format!("{}\n\n", summary.body)).unwrap_or_default();
        for message in part {
            let (body, _) = tokens::cut(&message.body, room / 4);
            text.push_str(&format!("{}: {body}\n\n", message.author.name));
        }
        let (body, took) = tell(model, fence, &text).await?;
        usage.prompt_tokens += took.prompt_tokens;
        usage.completion_tokens += took.completion_tokens;
        usage.total_tokens += took.total_tokens;
        if let (Some(last), false) = (part.last(), body.is_empty()) {
            known = Some(Summary { seq: last.seq, body, model: model.name().to_owned(), created_us: now_us() });
        }
    }
    Ok((known, usage))
}

/// One request for it.
async fn tell(model: &Model, fence: &Fence, text: &str) -> Result<(String, Usage), Fault> {
    let turns = vec![
        Turn::new(Speaker::System, format!("{TASK}\n\n{}", fence.rule())),
        Turn::new(Speaker::User, fence.around("the conversation", text)),
    ];
    let ask = Ask { turns, max_tokens: Some(limits::ASSISTANT_SUMMARY_TOKENS), ..Ask::default() };
    let mut answer = model.ask(&ask).await?;
    let mut body = String::new();
    let mut usage = Usage::default();
    while let Some(piece) = answer.next().await {
        match piece? {
            Piece::Text(text) => {
                let text = text.replace('\0', "");
                // A model that goes on beyond what it was asked for is not listened to.
                let most = limits::ASSISTANT_SUMMARY_BYTES.saturating_sub(body.len());
                body.push_str(&text[..text.floor_char_boundary(most)]);
            }
            Piece::Call(_) => {}
            Piece::End(end) => usage = end.usage.unwrap_or_default(),
        }
    }
    Ok((body.trim().to_owned(), usage))
}

/// Messages in groups that are read at once; the latest of these, where there are too many.
fn parts(messages: &[Message], room: usize) -> Vec<&[Message]> {
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

/// Keeps a summary.
///
/// # Errors
/// When the database fails.
pub(super) async fn keep(db: &Db, job: &Job, summary: &Summary) -> Result<()> {
    sql::put_summary(db, job.conversation, summary).await
}
