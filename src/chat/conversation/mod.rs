//! The conversations of a project: one that is always there, and more by title.

pub(super) mod sql;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::access::lock_project;
use crate::db::{Db, now_us};
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::ids::{ConversationId, ProjectId, UserId};
use crate::limits;
use crate::text;
use crate::timestamp::Timestamp;

/// When the assistant speaks in a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Answers {
    /// To one who is alone always, among several when it is meant.
    #[default]
    Auto,
    /// Always.
    Everything,
    /// When it is meant.
    Mentioned,
}

impl Answers {
    /// The word for it in the API and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Everything => "everything",
            Self::Mentioned => "mentioned",
        }
    }

    pub(in crate::chat) fn from_word(word: &str) -> Option<Self> {
        [Self::Auto, Self::Everything, Self::Mentioned].into_iter().find(|answers| answers.as_str() == word)
    }
}

/// What is to be another of a conversation.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ConversationChange)]
pub(in crate::chat) struct Change {
    /// Not of the first one.
    pub(in crate::chat) title: Option<String>,
    /// When the assistant speaks. For editors.
    pub(in crate::chat) answers: Option<Answers>,
    /// Whether what the assistant proposes here is applied at once, to be undone as a whole. For editors.
    pub(in crate::chat) applies: Option<bool>,
}

/// A conversation.
#[derive(Debug, Clone)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is about; none for the first one.
    pub title: Option<String>,
    /// The number of its last message.
    pub head: i64,
    /// When the assistant speaks in it.
    pub answers: Answers,
    /// Whether what the assistant proposes in it is applied at once.
    pub applies: bool,
    /// When it was begun, in microseconds since 1970.
    pub created_us: i64,
}

/// A conversation as somebody is told it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(in crate::chat) struct ConversationView {
    id: ConversationId,
    /// Null for the first one.
    #[schema(required)]
    title: Option<String>,
    /// The number of its last message.
    head: i64,
    /// When the assistant speaks.
    answers: Answers,
    /// Whether what it proposes here is applied at once.
    applies: bool,
    /// The last message that the caller has seen.
    read: i64,
    /// How many came after it.
    unread: i64,
    created_at: Timestamp,
}

impl Conversation {
    pub(in crate::chat) fn view(&self, read: i64) -> ConversationView {
        ConversationView {
            id: self.id,
            title: self.title.clone(),
            head: self.head,
            answers: self.answers,
            applies: self.applies,
            read,
            unread: (self.head - read).max(0),
            created_at: Timestamp(self.created_us),
        }
    }
}

/// The conversation that every project has.
#[must_use]
pub fn first(project: ProjectId) -> ConversationId {
    ConversationId(project.0)
}

/// A conversation of this project; the first one also before anybody wrote in it.
///
/// # Errors
/// [`Error::NotFound`] for another project's, or when the database fails.
pub async fn find(db: &Db, project: ProjectId, id: ConversationId) -> Result<Conversation> {
    match sql::find(db, project, id).await? {
        Some(found) => Ok(found),
        None if id == first(project) => {
            Ok(Conversation { id, title: None, head: 0, answers: Answers::Auto, applies: false, created_us: now_us() })
        }
        None => Err(Error::NotFound),
    }
}

/// All conversations with how far somebody has read, the first one first.
pub(in crate::chat) async fn list(db: &Db, project: ProjectId, user: UserId) -> Result<Vec<ConversationView>> {
    let mut all = sql::list(db, project, user, limits::CONVERSATIONS).await?;
    if all.iter().all(|(conversation, _)| conversation.id != first(project)) {
        all.insert(0, (find(db, project, first(project)).await?, 0));
    }
    all.sort_by_key(|(conversation, _)| (conversation.id != first(project), conversation.id));
    Ok(all.into_iter().map(|(conversation, read)| conversation.view(read)).collect())
}

pub(in crate::chat) async fn create(
    feed: &Feed,
    project: ProjectId,
    user: UserId,
    title: &str,
) -> Result<Conversation> {
    let title = text::name(title)?;
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    if sql::count(&mut tx, project).await? >= limits::CONVERSATIONS {
        return Err(Error::TooLarge(format!("a project has at most {} conversations", limits::CONVERSATIONS)));
    }
    let (id, created_us) = (ConversationId::new(), now_us());
    let answers = Answers::Auto;
    let conversation = Conversation { id, title: Some(title.clone()), head: 0, answers, applies: false, created_us };
    sql::insert(&mut tx, project, &conversation, Some(user)).await?;
    feed::append(&mut tx, project, Some(user), &[Event::ConversationCreated { id, title }]).await?;
    feed.commit(tx, project).await?;
    Ok(conversation)
}

pub(in crate::chat) async fn change(
    feed: &Feed,
    project: ProjectId,
    user: UserId,
    id: ConversationId,
    change: &Change,
) -> Result<ConversationView> {
    let title = change.title.as_deref().map(text::name).transpose()?;
    if title.is_some() && id == first(project) {
        return Err(Error::invalid("bad_title", "the first conversation of a project has no title"));
    }
    let mut tx = feed.db().begin().await?;
    lock_project(&mut tx, project).await?;
    if id == first(project) {
        sql::begin_first(&mut tx, project, now_us()).await?;
    }
    let (title, how) = (title.as_deref(), (change.answers, change.applies));
    let changed = sql::change(&mut tx, project, id, title, how).await?.ok_or(Error::NotFound)?;
    let read = sql::read_by(&mut tx, id, user).await?;
    let (title, answers) = (changed.title.clone(), changed.answers.as_str().to_owned());
    let applies = changed.applies;
    let event = Event::ConversationChanged { id, title, answers, applies };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok(changed.view(read))
}

/// Notes how far somebody has read; never back, never beyond the last message.
pub(in crate::chat) async fn mark_read(
    db: &Db,
    project: ProjectId,
    id: ConversationId,
    user: UserId,
    seq: i64,
) -> Result<i64> {
    let conversation = find(db, project, id).await?;
    let seq = seq.clamp(0, conversation.head);
    if conversation.head == 0 {
        return Ok(0);
    }
    let mut tx = db.begin().await?;
    let read = sql::mark_read(&mut tx, id, user, seq).await?;
    tx.commit().await?;
    Ok(read)
}
