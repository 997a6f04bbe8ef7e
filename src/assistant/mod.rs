//! The AI teammate: it follows the feed, answers where it is meant to, and is a participant like others.
//!
//! The chat does not know it. A message that it should answer becomes an answer that waits, in a queue of one at a time for
//! each conversation; while it is given, its text is told piece by piece, and whoever may edit can stop it. It reads with
//! the rights of who asked, and what it reads is no instruction. *Absent: an edit of its own; what it would change, it
//! proposes.*

mod account;
mod context;
mod ends;
mod heard;
mod listen;
mod persona;
mod presence;
mod prompt;
mod propose;
mod queue;
mod rounds;
mod routes;
mod run;
mod sql;
mod summary;
mod tokens;
mod tools;
mod usage;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

pub use self::listen::run;
pub use self::routes::routes;

use crate::ids::{ConversationId, MessageId, ProjectId, UserId};
use crate::limits;
use crate::state::AppState;

/// The assistant of one server; cheap to clone.
#[derive(Clone)]
struct Assistant(Arc<Shared>);

struct Shared {
    state: AppState,
    /// This run of the server.
    server_run: Uuid,
    /// What waits in each conversation that is answered in; empty while the last one is being given.
    queues: Mutex<HashMap<ConversationId, VecDeque<Job>>>,
    /// Places for answers that are given at once.
    places: Semaphore,
    /// Answers that are being given, so that a shutdown can wait for them.
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

impl Assistant {
    fn new(state: AppState) -> Self {
        Self(Arc::new(Shared {
            state,
            server_run: Uuid::now_v7(),
            queues: Mutex::default(),
            places: Semaphore::new(limits::ASSISTANT_RUNS),
            running: TaskTracker::new(),
        }))
    }

    fn state(&self) -> &AppState {
        &self.0.state
    }
}
