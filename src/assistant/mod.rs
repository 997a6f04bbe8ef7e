//! The AI teammate: it follows the feed, answers where it is meant to, and is a participant like others.
//!
//! The chat does not know it. A message that it should answer becomes an answer that waits, in a queue of one at a time for
//! each conversation; while it is given, its text is told piece by piece, and whoever may edit can stop it. It reads with
//! the rights of who asked, and what it reads is no instruction. *Absent: an edit of its own; what it would change, it
//! proposes, also where people want proposals of a conversation accepted at once.*

mod account;
mod alone;
mod analysis;
mod asked;
mod context;
mod ends;
mod heard;
mod listen;
mod persona;
mod picture;
mod presence;
mod prompt;
mod propose;
mod queue;
mod retry;
mod rounds;
mod routes;
mod run;
mod sql;
mod summary;
mod tokens;
mod tools;
mod usage;
mod window;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::listen::run;
pub use self::routes::routes;

use crate::chat::Message;
use crate::db::{Db, micros, now_us};
use crate::error::Result;
use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::role::Role;
use crate::state::{self, AppState};
use crate::{access, limits};

/// The assistant of one server; cheap to clone.
#[derive(Clone)]
struct Assistant(Arc<Shared>);

struct Shared {
    state: AppState,
    /// This run of the server.
    server_run: Uuid,
    /// Projects that are listened to now, and whether more was said in one meanwhile.
    looks: Mutex<HashMap<ProjectId, bool>>,
    /// Places for those.
    looking: Semaphore,
    /// How far each project's feed was heard, and whether that is to be written down.
    heard: Mutex<HashMap<ProjectId, (i64, bool)>>,
    /// What waits in each conversation that is answered in; empty while the last one is being given.
    queues: Mutex<HashMap<ConversationId, VecDeque<Job>>>,
    /// Projects that are listened to and answers that are being given, so that a shutdown can wait for them.
    running: TaskTracker,
}

/// An answer that is to be given.
#[derive(Debug, Clone)]
struct Job {
    run: Uuid,
    project: ProjectId,
    conversation: ConversationId,
    /// The answer itself.
    answer: MessageId,
    /// For whom, and by whose rights.
    asker: UserId,
}

/// By what right an answer is given: what who asked could do when they did, and whose right that was.
#[derive(Debug, Clone, Copy)]
struct Right {
    whose: UserId,
    then: Option<Role>,
}

impl Right {
    /// That of who asked the question, or of who has the answer given again.
    fn of(answer: &Message, question: &Message) -> Self {
        match &answer.via {
            Some(via) if answer.role.is_some() => Self { whose: answer.issuer.unwrap_or(via.id), then: answer.role },
            _ => Self::to_ask(question),
        }
    }

    /// That of a message's author.
    fn to_ask(question: &Message) -> Self {
        Self { whose: question.issuer.unwrap_or(question.author.id), then: question.role }
    }

    /// Whether it is still an editor's.
    async fn holds(&self, state: &state::Shared, project: ProjectId) -> Result<bool> {
        let now = access::role_of_user(&state.db, self.whose, project).await?;
        Ok(self.then.zip(now).is_some_and(|(then, now)| then.lesser(now).can_write()))
    }
}

/// Forgets what is not looked at any more: runs that ended long ago, and accounts of days that are over.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<()> {
    let now_us = now_us();
    let before_day = usage::day_of(now_us) - limits::ASSISTANT_ACCOUNT_DAYS;
    sql::sweep(db, now_us - micros(limits::ASSISTANT_RUNS_KEPT), before_day).await
}

impl Assistant {
    fn new(state: AppState) -> Self {
        Self(Arc::new(Shared {
            state,
            server_run: Uuid::now_v7(),
            looks: Mutex::default(),
            looking: Semaphore::new(limits::ASSISTANT_LOOKS),
            heard: Mutex::default(),
            queues: Mutex::default(),
            running: TaskTracker::new(),
        }))
    }

    fn state(&self) -> &AppState {
        &self.0.state
    }
}
