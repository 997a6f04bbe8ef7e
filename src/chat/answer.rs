//! Answers: messages that are written over some time, by whoever follows the feed and answers.
//!
//! Of their text the feed tells piece by piece what is not stored (`Feed::write`); here is what is: that one began, now
//! and then how far it has come, and how it ended.

use super::attachment::Attachment;
use super::message::{Details, Message, State};
use super::sql;
use crate::error::{Error, Result};
use crate::feed::{self, Event, Feed};
use crate::ids::{MessageId, ProjectId, UserId};
use crate::role::Role;

/// What became of an answer.
#[derive(Debug, Clone)]
pub struct Progress {
    /// The whole text so far.
    pub body: String,
    /// How far it has come.
    pub state: State,
    /// As whom the assistant speaks; as before where it is not said.
    pub persona: Option<String>,
    /// What is attached to it.
    pub attachments: Vec<Attachment>,
    /// What it has besides.
    pub details: Details,
}

impl Progress {
    /// In this state, and nothing else.
    #[must_use]
    pub fn new(state: State) -> Self {
        Self { body: String::new(), state, persona: None, attachments: Vec::new(), details: Details::new() }
    }
}

/// Who has an answer given again, and how.
#[derive(Debug, Clone)]
pub struct Again {
    /// Whoever asks now.
    pub by: UserId,
    /// What they can do, by what they show.
    pub role: Role,
    /// Whose right that is, where they borrow it.
    pub issuer: Option<UserId>,
    /// By another model than the question or the persona says.
    pub model: Option<String>,
    /// By another persona than the question calls for.
    pub persona: Option<String>,
}

/// Stores how far an answer has come, and tells it: as completed at its end. One that has ended stays as it is, but that
/// one which somebody stopped is completed by whoever was writing it. One that is given again begins anew.
///
/// # Errors
/// [`Error::NotFound`] when it is gone, `ended` when it has ended, or when the database fails.
pub async fn progress(feed: &Feed, project: ProjectId, id: MessageId, now: &Progress) -> Result<Message> {
    let mut tx = feed.db().begin().await?;
    let was = sql::lock(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    let follows = match now.state {
        State::Queued => false,
        State::Streaming => was.state == State::Queued,
        State::Done => was.state == State::Streaming,
        State::Failed => matches!(was.state, State::Queued | State::Streaming),
        State::Stopped => was.state == State::Stopped,
    };
    if !follows {
        return Err(Error::conflict("ended", "the answer has ended already, or is given again"));
    }
    sql::set_progress(&mut tx, id, now).await?;
    let message = sql::find_in(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    let (conversation, told) = (message.conversation, message.told()?);
    let event = if now.state.is_final() {
        Event::MessageCompleted { id, conversation, message: told }
    } else {
        Event::MessageUpdated { id, conversation, message: told }
    };
    feed::append(&mut tx, project, Some(message.author.id), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok(message)
}

/// Keeps what an answer says so far, without telling it: what is left of it if the server ends.
///
/// # Errors
/// When the database fails.
pub async fn keep(feed: &Feed, id: MessageId, body: &str) -> Result<()> {
    sql::keep(feed.db(), id, body).await
}

/// Stops an answer that waits or is being written. What it says so far stays.
///
/// # Errors
/// [`Error::NotFound`], `not_running` for what has ended or is no answer, or when the database fails.
pub async fn stop(feed: &Feed, project: ProjectId, user: UserId, id: MessageId) -> Result<Message> {
    change(feed, project, user, id, None, |was| {
        if was.state.is_final() {
            return Err(Error::conflict("not_running", "this message is not being written"));
        }
        let was = was.up_to_now(feed);
        let Message { body, attachments, details, .. } = was;
        Ok(Progress { body, attachments, details, ..Progress::new(State::Stopped) })
    })
    .await
}

/// Has an answer that failed or was stopped given again, in its place, for whoever asks now, by the right that they show.
///
/// # Errors
/// [`Error::NotFound`], `not_failed` for any other message, or when the database fails.
pub async fn again(feed: &Feed, project: ProjectId, id: MessageId, again: &Again) -> Result<Message> {
    change(feed, project, again.by, id, Some(again), |was| {
        if !matches!(was.state, State::Failed | State::Stopped) {
            return Err(Error::conflict("not_failed", "only an answer that failed or was stopped is given again"));
        }
        Ok(Progress::new(State::Queued))
    })
    .await
}

/// Changes the state of an answer in somebody's name; one that is given again is given to them.
async fn change(
    feed: &Feed,
    project: ProjectId,
    user: UserId,
    id: MessageId,
    again: Option<&Again>,
    to: impl FnOnce(Message) -> Result<Progress>,
) -> Result<Message> {
    let mut tx = feed.db().begin().await?;
    let was = sql::lock(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    let to = to(was)?;
    sql::set_progress(&mut tx, id, &to).await?;
    if let Some(again) = again {
        sql::set_again(&mut tx, id, again).await?;
    }
    let message = sql::find_in(&mut tx, project, id).await?.ok_or(Error::NotFound)?;
    let event = Event::MessageUpdated { id, conversation: message.conversation, message: message.told()? };
    feed::append(&mut tx, project, Some(user), &[event]).await?;
    feed.commit(tx, project).await?;
    Ok(message)
}
