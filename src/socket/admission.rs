//! Who may join which document, and what they may do there.

use std::sync::Arc;

use super::slot::Standing;
use crate::access;
use crate::auth::{self, Caller, Credential, Digest};
use crate::document::{self, Resolved};
use crate::error::{Error, Result};
use crate::ids::ProjectId;
use crate::protocol::close::Close;
use crate::room::{Participant, Subject};
use crate::state::Shared;
use crate::together::Together;

/// The answers that those who come at once share: a crowd that comes back asks the database a few times. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Admissions {
    callers: Together<Digest, Result<Option<Arc<Caller>>, Arc<Error>>>,
    admitted: Together<(Credential, String), Result<Admission, Close>>,
}

/// What somebody was let in to.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    pub(super) project: ProjectId,
    pub(super) subject: Subject,
    pub(super) participant: Arc<Participant>,
    pub(super) may_write: bool,
    /// Who, as of now.
    pub(super) caller: Arc<Caller>,
}

impl Admission {
    pub(super) fn standing(&self) -> Standing {
        let Self { project, subject, may_write, .. } = *self;
        Standing { project, subject, user: self.participant.user, may_write }
    }
}

impl Admissions {
    /// Whose key or token this is.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn by_token(&self, state: &Shared, token: &str) -> Result<Option<Arc<Caller>>> {
        let look_up = || {
            Box::pin(async {
                auth::by_token(&state.db, token).await.map(|caller| caller.map(Arc::new)).map_err(Arc::new)
            })
        };
        self.callers.ask(auth::digest(token), look_up).await.map_err(|error| match &*error {
            Error::Database(error) => {
                tracing::warn!(%error, "a token cannot be looked up");
                Error::unavailable("the database is away, try again")
            }
            error => Error::Internal(anyhow::anyhow!("a token cannot be looked up: {error:#}")),
        })
    }

    /// Lets a caller in to `{project}/{document}`: an id, or a path, which is created when it never was and the caller
    /// may edit. `{project}` alone is its room of people.
    ///
    /// # Errors
    /// Why not, as the close code that tells it.
    pub(super) async fn admit(&self, state: &Shared, caller: &Caller, name: &str) -> Result<Admission, Close> {
        // In a box, so that what only one of them needs is no part of what each waits with.
        let look_up = || Box::pin(admit(state, caller, name));
        self.admitted.ask((caller.credential.clone(), name.to_owned()), look_up).await
    }
}

async fn admit(state: &Shared, caller: &Caller, name: &str) -> Result<Admission, Close> {
    let (project, name) = name.split_once('/').map_or((name, None), |(project, name)| (project, Some(name)));
    let project: ProjectId = project.parse().map_err(|_| Close::NotFound)?;
    let db = &state.db;
    // The caller as of now: on a socket with many documents, the login may have ended since it was opened.
    let (caller, role) = access::recheck(db, caller, project).await.map_err(away)?;
    let participant = Arc::new(auth::participant(db, &caller.user).await.map_err(away)?);
    let caller = Arc::new(caller);
    let Some(name) = name else {
        let subject = Subject::Project(project);
        return Ok(Admission { project, subject, participant, may_write: false, caller });
    };
    let resolved = if role.can_write() {
        document::resolve_or_create(&state.feed, project, name, caller.user.id).await
    } else {
        document::resolve(db, project, name).await
    };
    match resolved.map_err(away)? {
        Resolved::Live(document) => {
            let (subject, may_write) = (document.id.into(), role.can_write());
            Ok(Admission { project, subject, participant, may_write, caller })
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
