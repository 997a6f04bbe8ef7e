//! Messages: written, changed and deleted by their authors, read in pages.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::attachment::{self, Attachment};
use super::conversation::{self, sql as conversations};
use super::details::AnswerDetails;
use super::mention::{self, Mention};
use super::sql;
use crate::auth::Kind;
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed, Person};
use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::limits;
use crate::role::Role;
use crate::text::to_lf;
use crate::timestamp::Timestamp;

/// How far an answer has come. What people write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = MessageState)]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// It is being written.
    Streaming,
    /// It is all there.
    Done,
    /// Somebody stopped it; what it said until then is there.
    Stopped,
    /// It broke off.
    Failed,
}

impl State {
    const ALL: [Self; 5] = [Self::Queued, Self::Streaming, Self::Done, Self::Stopped, Self::Failed];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Streaming => "streaming",
            Self::Done => "done",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == word)
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Stopped | Self::Failed)
    }
}

/// Who wrote a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Author {
    /// The principal; who was a guest then is who they became.
    pub id: UserId,
    /// Shown to others.
    pub name: String,
    /// What kind of author they are.
    pub kind: AuthorKind,
}

/// What kind of author somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthorKind {
    /// A person who signed in, or an application's end user.
    Human,
    /// Came in with just a name.
    Guest,
    /// The AI teammate.
    Assistant,
}

impl Author {
    pub(super) fn new(id: UserId, name: String, kind: Kind) -> Self {
        let kind = match kind {
            Kind::Guest => AuthorKind::Guest,
            Kind::Person | Kind::External => AuthorKind::Human,
            Kind::Assistant => AuthorKind::Assistant,
        };
        Self { id, name, kind }
    }

    /// Whether the AI teammate wrote it.
    #[must_use]
    pub fn is_assistant(&self) -> bool {
        self.kind == AuthorKind::Assistant
    }
}

/// What an answer has besides its text, told as it is: see [`AnswerDetails`].
pub type Details = Map<String, Value>;

/// A message, as it is and as the API tells it.
#[derive(Debug, Clone, Serialize)]
#[serde(into = "MessageView")]
pub struct Message {
    /// Its id.
    pub id: MessageId,
    /// Its number in its conversation.
    pub seq: i64,
    /// Where it was written.
    pub conversation: ConversationId,
    /// Who wrote it.
    pub author: Author,
    /// What they could do then, by what they showed; the assistant has no role of its own, but an answer that is given again
    /// has that of who asked for it. Not told.
    pub role: Option<Role>,
    /// Whose right that was, where they borrowed it. Not told.
    pub issuer: Option<UserId>,
    /// For whom an answer was written.
    pub via: Option<Person>,
    /// As whom the assistant speaks.
    pub persona: Option<String>,
    /// What it answers.
    pub reply_to: Option<MessageId>,
    /// Whom it is meant for.
    pub to: Option<String>,
    /// The model that is to answer it.
    pub model: Option<String>,
    /// Markdown; empty once it was deleted.
    pub body: String,
    /// How far it has come.
    pub state: State,
    /// What is attached.
    pub attachments: Vec<Attachment>,
    /// Who and what is mentioned.
    pub mentions: Vec<Mention>,
    /// What an answer has besides.
    pub details: Details,
    /// When it was written, in microseconds since 1970.
    pub created_us: i64,
    /// When it was last changed by its author.
    pub edited_us: Option<i64>,
    /// When it was deleted.
    pub deleted_us: Option<i64>,
}

/// A message as the API tells it; what is not there is not told.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Message)]
pub struct MessageView {
    id: MessageId,
    seq: i64,
    conversation: ConversationId,
    author: Author,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// For whom the assistant answers.
    via: Option<Person>,
    #[serde(skip_serializing_if = "Option::is_none")]
    persona: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<MessageId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    /// The model that is to answer it.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    /// Markdown; empty once it was deleted.
    body: String,
    state: State,
    attachments: Vec<Attachment>,
    mentions: Vec<Mention>,
    created_at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    edited_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_at: Option<Timestamp>,
    #[serde(flatten)]
    #[schema(value_type = AnswerDetails)]
    details: Details,
}

impl From<Message> for MessageView {
    fn from(message: Message) -> Self {
        Self {
            id: message.id,
            seq: message.seq,
            conversation: message.conversation,
            author: message.author,
            via: message.via,
            persona: message.persona,
            reply_to: message.reply_to,
            to: message.to,
            model: message.model,
            body: message.body,
            state: message.state,
            attachments: message.attachments,
            mentions: message.mentions,
            created_at: Timestamp(message.created_us),
            edited_at: message.edited_us.map(Timestamp),
            deleted_at: message.deleted_us.map(Timestamp),
            details: message.details,
        }
    }
}

impl Message {
    /// With what was said meanwhile, if it is being written.
    pub(super) fn up_to_now(mut self, feed: &Feed) -> Self {
        if self.state == State::Streaming
            && let Some(said) = feed.written(self.id).filter(|said| said.len() > self.body.len())
        {
            self.body = said;
        }
        self
    }

    /// As the feed tells it.
    pub(super) fn told(&self) -> Result<Value> {
        Ok(serde_json::to_value(self).map_err(anyhow::Error::from)?)
    }
}

/// A message that is to be written.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewMessage {
    /// Markdown.
    pub body: String,
    /// Where; the first conversation if left out.
    pub conversation: Option<ConversationId>,
    /// What it answers, in the same conversation.
    pub reply_to: Option<MessageId>,
    /// What is attached.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Whom it is meant for.
    pub to: Option<String>,
    /// The model that is to answer it, by its name in `GET /api/models`; that of the persona or the first one if left out.
    pub model: Option<String>,
    /// The author's own name for it: the same one again is the same message.
    pub key: Option<String>,
    /// As whom the assistant speaks. Not from outside.
    #[serde(skip)]
    pub persona: Option<String>,
    /// For whom the assistant answers. Not from outside.
    #[serde(skip)]
    pub via: Option<UserId>,
    /// How far it has come; done if left out. Not from outside.
    #[serde(skip)]
    pub state: Option<State>,
    /// What an answer has besides. Not from outside.
    #[serde(skip)]
    pub details: Details,
    /// What its author can do, by what they showed. Not from outside.
    #[serde(skip)]
    pub role: Option<Role>,
    /// Whose right that is, where they borrow it. Not from outside.
    #[serde(skip)]
    pub issuer: Option<UserId>,
    /// Its id, where somebody has to know it before. Not from outside.
    #[serde(skip)]
    pub id: Option<MessageId>,
}

/// Writes a message, and answers whether it is new: one with the same key is there already.
///
/// # Errors
/// `bad_message`, `bad_attachment`, [`Error::NotFound`] for another project's conversation, or when the database fails.
pub async fn post(feed: &Feed, project: ProjectId, author: UserId, wanted: NewMessage) -> Result<(Message, bool)> {
    let db = feed.db();
    let state = wanted.state.unwrap_or(State::Done);
    let body = body_of(&wanted.body, state == State::Done && wanted.attachments.is_empty())?;
    let names = [
        ("key", &wanted.key, limits::MESSAGE_KEY_BYTES),
        ("to", &wanted.to, limits::MESSAGE_TO_BYTES),
        ("model", &wanted.model, limits::MESSAGE_TO_BYTES),
    ];
    for (name, given, most) in names {
        if given.as_ref().is_some_and(|text| text.is_empty() || text.len() > most || text.contains('\0')) {
            return Err(bad(format!("{name} has 1 to {most} bytes, without NUL")));
        }
    }
    let conversation = wanted.conversation.unwrap_or_else(|| conversation::first(project));
    conversation::find(db, project, conversation).await?;
    attachment::check(db, project, &wanted.attachments).await?;
    let mentions = mention::find(db, project, &body).await?;
    let mut tx = db.begin().await?;
    conversations::begin_first(&mut tx, project, now_us()).await?;
    let seq = conversations::advance(&mut tx, conversation).await?.ok_or(Error::NotFound)?;
    // Under the conversation's lock, so that of two at once the second finds the first.
    if let Some(key) = &wanted.key
        && let Some(there) = sql::by_key(&mut tx, conversation, author, key).await?
    {
        return Ok((there, false));
    }
    if let Some(reply_to) = wanted.reply_to {
        let answered = sql::find_in(&mut tx, project, reply_to).await?;
        if answered.is_none_or(|answered| answered.conversation != conversation) {
            return Err(bad("reply_to is no message of this conversation".to_owned()));
        }
    }
    let row = sql::NewRow {
        id: wanted.id.unwrap_or_else(MessageId::new),
        conversation,
        seq,
        author,
        body,
        state,
        mentions,
        wanted: &wanted,
    };
    sql::insert(&mut tx, &row, now_us()).await?;
    conversations::mark_read(&mut tx, conversation, author, seq).await?;
    let message = sql::find_in(&mut tx, project, row.id).await?.ok_or(Error::NotFound)?;
    let event = Event::MessageCreated { id: message.id, conversation, message: message.told()? };
    feed::append(&mut tx, project, Some(author), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok((message, true))
}

/// Changes the text of one's own message.
///
/// # Errors
/// [`Error::Forbidden`] for another's, [`Error::NotFound`], `bad_message`, or when the database fails.
pub async fn edit(feed: &Feed, project: ProjectId, user: UserId, id: MessageId, body: &str) -> Result<Message> {
    let body = body_of(body, true)?;
    let mentions = mention::find(feed.db(), project, &body).await?;
    let mut tx = feed.db().begin().await?;
    let message = sql::lock(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    own(&message, user)?;
    sql::set_body(&mut tx, id, &body, &mentions, now_us()).await?;
    let message = sql::find_in(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    let event = Event::MessageUpdated { id, conversation: message.conversation, message: message.told()? };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok(message)
}

/// Deletes a message: one's own, or anybody's for those who manage the project. That there was one stays; what it said
/// goes, from the feed too.
///
/// # Errors
/// [`Error::Forbidden`] for another's, [`Error::NotFound`], or when the database fails.
pub async fn delete(feed: &Feed, project: ProjectId, user: UserId, manages: bool, id: MessageId) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    let message = sql::lock(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    if !manages {
        own(&message, user)?;
    }
    sql::mark_deleted(&mut tx, id, now_us()).await?;
    // The feed's own lock comes before its rows are changed, as for everybody.
    feed::lock(&mut tx, project).await?;
    let gone = json!({ "id": id, "conversation": message.conversation, "redacted": true });
    feed::redact(&mut tx, project, id.0, &gone).await?;
    let event = Event::MessageDeleted { id, conversation: message.conversation };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await
}

/// One message.
///
/// # Errors
/// [`Error::NotFound`] for another project's, or when the database fails.
pub async fn find(feed: &Feed, project: ProjectId, id: MessageId) -> Result<Message> {
    let message = sql::find(feed.db(), project, id).await?.ok_or(Error::NotFound)?;
    Ok(message.up_to_now(feed))
}

fn own(message: &Message, user: UserId) -> Result<()> {
    if message.author.id == user { Ok(()) } else { Err(Error::Forbidden("only its author can change a message")) }
}

fn body_of(given: &str, must_say: bool) -> Result<String> {
    let body = to_lf(given);
    if must_say && body.trim().is_empty() {
        return Err(bad("a message says or attaches something".to_owned()));
    }
    if body.len() > limits::MESSAGE_BYTES {
        let most = limits::MESSAGE_BYTES;
        return Err(Error::TooLarge(format!("a message has at most {most} bytes; attach a file instead")));
    }
    if body.contains('\0') {
        return Err(bad("a message must not hold NUL".to_owned()));
    }
    Ok(body)
}

fn bad(said: String) -> Error {
    Error::invalid("bad_message", said)
}
