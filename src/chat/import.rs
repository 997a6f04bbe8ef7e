//! A conversation that is brought along: all its messages at once, in the name of whoever brings them, who they say wrote
//! them beside each.

use serde::Deserialize;
use utoipa::ToSchema;

use super::conversation::{self, Answers, Conversation};
use super::sql;
use crate::access::lock_project;
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::ids::{ConversationId, ProjectId, UserId};
use crate::limits;
use crate::text;

/// A conversation that is to be taken in, such as an export in JSON with a title.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ConversationImport)]
pub(super) struct Import {
    title: String,
    /// In order.
    #[schema(min_items = 1, max_items = 10000)]
    messages: Vec<Said>,
}

/// One message of it. Whatever else an export says is left out.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ImportedMessage)]
struct Said {
    author: Named,
    body: String,
    #[serde(default)]
    created_at: Option<String>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ImportedAuthor)]
struct Named {
    name: String,
}

/// Takes a conversation in, wholly or not at all.
///
/// # Errors
/// `bad_name`, `bad_import`, [`Error::TooLarge`] for too many conversations, or when the database fails.
pub(super) async fn import(feed: &Feed, project: ProjectId, user: UserId, wanted: &Import) -> Result<Conversation> {
    let title = text::name(&wanted.title)?;
    if wanted.messages.is_empty() || wanted.messages.len() > limits::IMPORTED_MESSAGES {
        return Err(bad(format!("an import has 1 to {} messages", limits::IMPORTED_MESSAGES)));
    }
    let bodies = wanted.messages.iter().map(body).collect::<Result<Vec<String>>>()?;
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    if conversation::sql::count(&mut tx, project).await? >= limits::CONVERSATIONS {
        return Err(Error::TooLarge(format!("a project has at most {} conversations", limits::CONVERSATIONS)));
    }
    let (id, created_us) = (ConversationId::new(), now_us());
    let head = i64::try_from(bodies.len()).unwrap_or(i64::MAX);
    let brought =
        Conversation { id, title: Some(title.clone()), head, answers: Answers::Auto, applies: false, created_us };
    conversation::sql::insert(&mut tx, project, &brought, Some(user)).await?;
    let numbered: Vec<(i64, &String)> = (1..).zip(&bodies).collect();
    for rows in numbered.chunks(limits::IMPORT_ROWS) {
        sql::insert_imported(&mut tx, id, rows, user, created_us).await?;
    }
    conversation::sql::mark_read(&mut tx, id, user, head).await?;
    feed::append(&mut tx, project, Some(user), &[Event::ConversationCreated { id, title }]).await?;
    feed.commit(tx, project).await?;
    Ok(brought)
}

/// What was said, and by whom and when as it is told. Nobody here said it, so no author is named by it.
fn body(said: &Said) -> Result<String> {
    let line = |text: &str| text.chars().filter(|c| !c.is_control()).take(limits::NAME_CHARS).collect::<String>();
    let when = said.created_at.as_deref().map(|at| format!(" · {}", line(at))).unwrap_or_default();
    let body = format!("> {}{when}\n\n{}", line(&said.author.name), text::to_lf(&said.body));
    if body.contains('\0') || body.len() > limits::ASSISTANT_ANSWER_BYTES + 1024 {
        return Err(bad(format!("a message has at most {} bytes, without NUL", limits::ASSISTANT_ANSWER_BYTES)));
    }
    Ok(body)
}

fn bad(said: String) -> Error {
    Error::invalid("bad_import", said)
}
