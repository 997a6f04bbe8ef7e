//! Permission as a parameter: a handler under `/api/projects/{p}` names the role it needs, and forgetting it does not
//! compile, since only these know the project.

use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Role, role};
use crate::auth::{Caller, CurrentUser};
use crate::error::{Error, Result};
use crate::extract::path_param;
use crate::ids::ProjectId;
use crate::state::AppState;
use crate::turnstile::{Standing, Whose};

/// Somebody in a project that exists for them.
#[derive(Debug, Clone)]
pub struct Access {
    /// The project of the path.
    pub project: ProjectId,
    /// Who is asking.
    pub caller: Caller,
    /// What they may do in it.
    pub role: Role,
}

impl Access {
    /// 401 for nobody, then 404 for what is unknown or hidden, which look alike.
    async fn of(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let CurrentUser(caller) = CurrentUser::from_request_parts(parts, state).await?;
        let project = path_param(parts, "p").await?;
        let role = role(&state.db, &caller, project).await?.ok_or(Error::NotFound)?;
        // Only what is let in counts: nobody can use up the limit of a project that is not theirs to see.
        let standing = parts.extensions.get::<Standing>().cloned().unwrap_or_default();
        state.rates.count(Whose::Project(project), &standing)?;
        Ok(Self { project, caller, role })
    }
}

macro_rules! permission {
    ($($(#[$doc:meta])* $name:ident: $question:ident, $refusal:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone)]
        pub struct $name(pub Access);

        impl Deref for $name {
            type Target = Access;

            fn deref(&self) -> &Access {
                &self.0
            }
        }

        impl FromRequestParts<AppState> for $name {
            type Rejection = Error;

            async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
                let access = Access::of(parts, state).await?;
                if access.role.$question() { Ok(Self(access)) } else { Err(Error::Forbidden($refusal)) }
            }
        }
    )*};
}

permission! {
    /// Somebody who may read.
    Viewer: can_read, "you may not read this project";
    /// Somebody who may chat.
    Commenter: can_comment, "viewers cannot write messages; ask an owner for another role";
    /// Somebody who may edit.
    Editor: can_write, "you may read this project, but not change it; ask an owner for another role";
    /// Somebody who may manage.
    Owner: can_manage, "only an owner of the project can do this";
}
