//! Who may join which document, and what they may do there.

use super::slot::Standing;
use crate::access;
use crate::auth::{self, Caller};
use crate::document::{self, Resolved};
use crate::error::{Error, Result};
use crate::ids::ProjectId;
use crate::protocol::close::Close;
use crate::room::{Participant, Subject};
use crate::state::Shared;

/// What somebody was let in to.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pub(super) project: ProjectId,
    pub(super) subject: Subject,
    pub(super) participant: Participant,
    pub(super) may_write: bool,
}

impl Admission {
    pub(super) fn standing(&self) -> Standing {
        let Self { project, subject, may_write, .. } = *self;
        Standing { project, subject, user: self.participant.user, may_write }
    }
}

/// Lets a caller in to `{project}/{document}`: an id, or a path, which is created when it never was and the caller may
/// edit. `{project}` alone is its room of people.
///
/// # Errors
/// Why not, as the close code that tells it.
pub(super) async fn admit(state: &Shared, caller: &Caller, name: &str) -> Result<Admission, Close> {
    let (project, name) = name.split_once('/').map_or((name, None), |(project, name)| (project, Some(name)));
    let project: ProjectId = project.parse().map_err(|_| Close::NotFound)?;
    let db = &state.db;
    // The caller as of now: on a socket with many documents, the login may have ended since it was opened.
    let (caller, role) = access::recheck(db, caller, project).await.map_err(away)?;
    let participant = auth::participant(db, &caller.user).await.map_err(away)?;
    let Some(name) = name else {
        return Ok(Admission { project, subject: Subject::Project(project), participant, may_write: false });
    };
    let resolved = if role.can_write() {
        document::resolve_or_create(&state.feed, project, name, caller.user.id).await
    } else {
        document::resolve(db, project, name).await
    };
    match resolved.map_err(away)? {
        Resolved::Live(document) => {
            Ok(Admission { project, subject: document.id.into(), participant, may_write: role.can_write() })
        }
        Resolved::Deleted => Err(Close::Deleted),
        Resolved::Unknown => Err(Close::NotFound),
    }
}

/// What an error means to somebody at the door.
pub(super) fn away(error: Error) -> Close {
    match error {
        Error::Unauthorized => Close::Unauthorized,
        Error::NotFound => Close::NotFound,
        Error::Invalid { .. } | Error::Conflict { .. } => Close::BadPath,
        Error::TooLarge(_) => Close::Full,
        Error::Unavailable { .. } => Close::TryAgain,
        Error::Database(error) => {
            tracing::warn!(%error, "cannot admit anyone: the database is away");
            Close::TryAgain
        }
        error => {
            tracing::error!(error = %format!("{error:#}"), "cannot admit somebody");
            Close::Failed
        }
    }
}
