//! Operators: people who look after the server. Named by the settings, else whoever signed in with GitHub first.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use super::{Caller, Credential, CurrentUser, Scope, sql};
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::state::{AppState, Shared};

/// An operator, by login or by a key of scope admin. For everybody else the address does not exist.
#[derive(Debug, Clone)]
pub struct Operator(pub Caller);

impl FromRequestParts<AppState> for Operator {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let CurrentUser(caller) = CurrentUser::from_request_parts(parts, state).await?;
        let may = match &caller.credential {
            Credential::Login { .. } => true,
            Credential::Key(grant) => grant.scopes.has(Scope::Admin),
            Credential::Token(_) => false,
        };
        if may && is_operator(state, caller.user.id).await? { Ok(Self(caller)) } else { Err(Error::NotFound) }
    }
}

/// Whether a user looks after the server.
///
/// # Errors
/// When the database fails.
pub(super) async fn is_operator(state: &Shared, user: UserId) -> Result<bool> {
    let Some(known) = sql::at_github(&state.db, user).await? else { return Ok(false) };
    let admins = &state.config.admins;
    if admins.is_empty() {
        return Ok(known.first);
    }
    let id = known.id.to_string();
    let named = |admin: &String| *admin == id || known.login.as_ref().is_some_and(|l| l.eq_ignore_ascii_case(admin));
    Ok(admins.iter().any(named))
}

/// Somebody as GitHub knows them.
#[derive(Debug, Clone)]
pub(super) struct AtGithub {
    /// The account.
    pub(super) id: i64,
    /// Its name when they last signed in.
    pub(super) login: Option<String>,
    /// Whether they were the first to sign in here.
    pub(super) first: bool,
}
