//! The log of changed rights, and the bell that has open sockets look again at what their holders may do.
//!
//! A change is recorded in the transaction that makes it, and has the next number under the lock of the head row. So
//! every server process on the database reads each change once, by number, without clocks and without a bus: its own at
//! once, those of others at the next look. *Absent: what the right is now; whoever hears the bell asks for that.*

mod sql;

use std::sync::Arc;

use tokio::sync::{Notify, broadcast};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::db::{Db, Tx, micros, now_us};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::limits;

/// Whose rights changed where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// Where; `None` stands for everywhere.
    pub project: Option<ProjectId>,
    /// Whose; `None` stands for everybody's.
    pub user: Option<UserId>,
}

impl Change {
    /// Of everybody in a project.
    #[must_use]
    pub fn project(project: ProjectId) -> Self {
        Self { project: Some(project), user: None }
    }

    /// Of one user in a project.
    #[must_use]
    pub fn member(project: ProjectId, user: UserId) -> Self {
        Self { project: Some(project), user: Some(user) }
    }

    /// Of one user, or of what acts in their name: logins, keys, tokens.
    #[must_use]
    pub fn user(user: UserId) -> Self {
        Self { project: None, user: Some(user) }
    }
}

/// The bell; cheap to clone.
#[derive(Debug, Clone)]
pub struct Rights {
    changes: broadcast::Sender<Option<Change>>,
    look: Arc<Notify>,
}

impl Default for Rights {
    fn default() -> Self {
        Self { changes: broadcast::Sender::new(limits::RIGHTS_CHANGES), look: Arc::new(Notify::new()) }
    }
}

impl Rights {
    /// Has the log read now instead of soon; after the commit that recorded a change.
    pub fn look(&self) {
        self.look.notify_one();
    }

    /// Hears of changes from now on; `None` stands for any change at all.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Option<Change>> {
        self.changes.subscribe()
    }
}

/// Records a change as the last statement of the transaction that makes it: until the commit nobody else can.
///
/// # Errors
/// When the database fails.
pub async fn record(tx: &mut Tx, change: Change) -> Result<()> {
    let seq = sql::next(tx).await?;
    sql::insert(tx, seq, change, now_us()).await
}

/// The number of the last change; what is opened from here on knows it.
///
/// # Errors
/// When the database fails.
pub async fn head(db: &Db) -> Result<i64> {
    sql::head(db).await
}

/// Reads the log after `seen` and rings the bell, until the server stops.
pub async fn run(db: Db, rights: Rights, mut seen: i64, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = rights.look.notified() => {}
            () = sleep(limits::RIGHTS_LOOK) => {}
            () = shutdown.cancelled() => return,
        }
        match sql::since(&db, seen).await {
            Ok(changes) => {
                for (seq, change) in changes {
                    // Rows that were removed before they were read: anything may have changed.
                    let change = (seq == seen + 1).then_some(change);
                    seen = seq;
                    // Nobody may be listening.
                    let _ = rights.changes.send(change);
                }
            }
            Err(error) => tracing::debug!(%error, "changes of rights cannot be read now"),
        }
    }
}

/// Removes changes that every server process has long read.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    sql::sweep(db, now_us().saturating_sub(micros(limits::RIGHTS_KEPT))).await
}
