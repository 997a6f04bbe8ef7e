//! How an answer ends: by itself, by what the feed says of it, or by a fault.

use serde_json::{Value, json};

use super::Job;
use super::asked::error_of;
use crate::error::Error;
use crate::feed::{Event, Follower, News};
use crate::model::Fault;

/// How an answer ends.
#[derive(Debug)]
pub(super) enum End {
    Done,
    /// Somebody stopped it.
    Stopped,
    /// It was deleted.
    Gone,
    /// It broke off; why, as it is told.
    Failed(Value),
}

impl End {
    pub(super) fn failed(code: &str, said: &str) -> Self {
        Self::Failed(json!({ "code": code, "message": said }))
    }
}

impl From<Fault> for End {
    fn from(fault: Fault) -> Self {
        Self::Failed(error_of(&fault))
    }
}

impl From<Error> for End {
    fn from(error: Error) -> Self {
        if error.status().is_server_error() {
            tracing::warn!(%error, "an answer failed");
        }
        Self::failed(error.code(), &error.public_message())
    }
}

pub(super) fn too_long() -> End {
    End::failed("too_long", "it took too long and was ended; ask for less at once")
}

/// Whether a model's server refused because of the tools.
pub(super) fn refuses_tools(error: &Value) -> bool {
    let said = error["message"].as_str().unwrap_or_default().to_lowercase();
    error["code"] == "model_refused" && (said.contains("tool") || said.contains("function"))
}

/// What the feed says of an answer.
pub(super) enum Word {
    Streaming,
    End(End),
}

/// Waits for what ends an answer from outside.
pub(super) async fn ended(follower: &mut Follower, job: &Job) -> End {
    loop {
        if let Word::End(end) = next_of(follower, job).await {
            return end;
        }
    }
}

/// Waits for what the feed says of an answer. May be broken off at any time.
pub(super) async fn next_of(follower: &mut Follower, job: &Job) -> Word {
    loop {
        let Some(news) = follower.next().await else {
            return Word::End(End::failed(
                "interrupted",
                "the server was restarted while this was being answered; try again",
            ));
        };
        let News::Event(entry) = news else { continue };
        if entry.kind() == "project.deleted" {
            return Word::End(End::Gone);
        }
        if !entry.kind().starts_with("message.") {
            continue;
        }
        match entry.event() {
            Some(Event::MessageUpdated { id, message, .. }) if id == job.answer => match message["state"].as_str() {
                Some("streaming") => return Word::Streaming,
                Some("stopped") => return Word::End(End::Stopped),
                _ => {}
            },
            Some(Event::MessageDeleted { id, .. }) if id == job.answer => return Word::End(End::Gone),
            _ => {}
        }
    }
}
