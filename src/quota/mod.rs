//! How many bytes the documents of a project take, and may take.
//!
//! What a document takes is written beside its head, in the append itself. Changes that are one transaction are held
//! against the sum, exactly. Rooms are not, since that would be a query for each edit: those of one project share an
//! [`Allowance`] in memory, which counts what they admit and is set right from the database every few seconds. So a
//! project may exceed its quota by what other server processes committed since then, and by one edit of each of its
//! rooms that decide in the same instant. Deleted documents may take as much again until they are removed for good; what
//! goes beyond it counts like living ones, so that nobody keeps more by deleting. *Absent: rows kept for a while after they
//! were folded; they do not count.*

mod allowance;
mod sql;

use std::collections::HashSet;
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

pub use self::allowance::{Allowance, Share};

use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::ids::{DocumentId, ProjectId};
use crate::limits;

use self::sql::UsageRow;
pub(crate) use self::sql::bytes_where;

/// What the documents of one project take and may take, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// What the living ones take, and deleted ones beyond what these may.
    pub used: i64,
    /// What they may take.
    pub most: i64,
}

/// The quotas of all projects; cheap to clone.
#[derive(Debug, Clone)]
pub struct Quotas(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    /// What a project may take where no operator said otherwise.
    most: i64,
    /// Of projects with open rooms.
    open: DashMap<ProjectId, Weak<Allowance>>,
    /// Of these, those to be set right now.
    due: Mutex<HashSet<ProjectId>>,
    bell: Notify,
}

impl Quotas {
    /// No room is open yet. A project's documents may take this many bytes, unless an operator allowed it another number.
    #[must_use]
    pub fn new(db: Db, most: i64) -> Self {
        Self(Arc::new(Shared { db, most, open: DashMap::new(), due: Mutex::default(), bell: Notify::new() }))
    }

    /// The share of a document's room in what its project may take.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a document that is not there, or when the database fails.
    pub async fn share(&self, document: DocumentId) -> Result<Share> {
        let shared = &self.0;
        let project = sql::project_of(&shared.db, document).await?.ok_or(Error::NotFound)?;
        let open = || shared.open.get(&project).and_then(|kept| kept.upgrade());
        if let Some(allowance) = open() {
            return Ok(Share::new(allowance));
        }
        let usage = self.of(project).await?;
        let mut kept = shared.open.entry(project).or_default();
        // Another room of the project may have been first.
        let allowance = kept.upgrade().unwrap_or_else(|| Arc::new(Allowance::new(usage)));
        *kept = Arc::downgrade(&allowance);
        Ok(Share::new(allowance))
    }

    /// What a project's documents take and may take now.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn of(&self, project: ProjectId) -> Result<Usage> {
        let found = sql::usage(&self.0.db, &[project]).await?;
        let of_none = Usage { used: 0, most: self.0.most };
        Ok(found.first().map_or(of_none, |row| self.usage(row)))
    }

    /// Refuses what a transaction wrote if the project's documents take too much now. What made them smaller need not be
    /// asked about.
    ///
    /// # Errors
    /// [`Error::TooLarge`], or when the database fails.
    pub async fn hold(&self, tx: &mut Tx, project: ProjectId) -> Result<()> {
        let Some(row) = sql::usage_in(tx, project).await? else { return Ok(()) };
        let Usage { used, most } = self.usage(&row);
        if used <= most {
            return Ok(());
        }
        let what_to_do = if used > row.living {
            "what was deleted lately is being removed, so try again in a minute"
        } else {
            "delete some first"
        };
        Err(Error::TooLarge(format!(
            "the documents of a project may take {most} bytes, and with this they would take {used}; {what_to_do}"
        )))
    }

    /// Has what a project's open rooms go by set right now instead of soon; after a commit beside them.
    pub fn look(&self, project: ProjectId) {
        if self.0.open.contains_key(&project) {
            self.0.due.lock().insert(project);
            self.0.bell.notify_one();
        }
    }

    /// What a project may take where no operator said otherwise.
    #[must_use]
    pub fn usual(&self) -> i64 {
        self.0.most
    }

    fn usage(&self, row: &UsageRow) -> Usage {
        let most = row.document_bytes_max.unwrap_or(self.0.most);
        Usage { used: row.living.saturating_add((row.deleted - most).max(0)), most }
    }

    /// Sets right what open rooms go by: all of them, or those of these projects.
    async fn refresh(&self, only: Option<HashSet<ProjectId>>) -> Result<()> {
        let shared = &self.0;
        shared.open.retain(|_, allowance| allowance.strong_count() > 0);
        let is_wanted = |project: &ProjectId| only.as_ref().is_none_or(|only| only.contains(project));
        let open = shared.open.iter().filter(|kept| is_wanted(kept.key()));
        let open: Vec<(ProjectId, Arc<Allowance>)> =
            open.filter_map(|kept| Some((*kept.key(), kept.value().upgrade()?))).collect();
        for some in open.chunks(limits::QUOTA_PROJECTS) {
            let counted: Vec<i64> = some.iter().map(|(_, allowance)| allowance.committed()).collect();
            let ids: Vec<ProjectId> = some.iter().map(|(project, _)| *project).collect();
            let found = sql::usage(&shared.db, &ids).await?;
            for ((project, allowance), counted) in some.iter().zip(counted) {
                // One that is gone for good: its rooms end by themselves.
                let Some(row) = found.iter().find(|row| row.id == *project) else { continue };
                allowance.learn(self.usage(row), counted);
            }
        }
        Ok(())
    }
}

/// Sets right what open rooms go by, every few seconds and when asked, until the server stops.
pub async fn run(quotas: Quotas, shutdown: CancellationToken) {
    let mut all = Instant::now() + limits::QUOTA_LOOK;
    loop {
        let only = tokio::select! {
            () = quotas.0.bell.notified() => Some(std::mem::take(&mut *quotas.0.due.lock())),
            () = sleep_until(all) => None,
            () = shutdown.cancelled() => return,
        };
        if only.is_none() {
            all = Instant::now() + limits::QUOTA_LOOK;
        }
        if let Err(error) = quotas.refresh(only).await {
            tracing::debug!(%error, "what projects take cannot be read now");
        }
    }
}
