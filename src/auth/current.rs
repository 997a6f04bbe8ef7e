//! Being known as a parameter: handlers that need a caller say so in their signature.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use tower_sessions::Session;

use super::{Caller, Credential, Digest, Scope, bearer, by_token, login, sql};
use crate::db::now_us;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::state::AppState;
use crate::turnstile::{Standing, Whose};

/// Whoever is asking, by login, key or token; 401 for nobody.
#[derive(Debug, Clone)]
pub struct CurrentUser(pub Caller);

impl FromRequestParts<AppState> for CurrentUser {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        if let Some(token) = bearer(&parts.headers) {
            let caller = by_token(&state.db, token).await?.ok_or(Error::Unauthorized)?;
            count(parts, state, caller.user.id)?;
            return Ok(Self(caller));
        }
        let hash = login::cookie_digest(state, &parts.headers).ok_or(Error::Unauthorized)?;
        let found = sql::caller_by_login(&state.db, hash, now_us()).await?;
        let caller = found.ok_or(Error::Unauthorized)?;
        count(parts, state, caller.user.id)?;
        if let (Some(session), Some(expires_us)) = (parts.extensions.get::<Session>(), caller.expires_us()) {
            login::touch(session, expires_us);
        }
        Ok(Self(caller))
    }
}

/// Counts the request among the user's.
fn count(parts: &Parts, state: &AppState, user: UserId) -> Result<()> {
    let standing = parts.extensions.get::<Standing>().cloned().unwrap_or_default();
    state.rates.count(Whose::User(user), &standing)
}

/// A person or guest in their own browser, or by a key that may write. A token, which acts in one project only, is
/// refused with 403.
#[derive(Debug, Clone)]
pub struct SignedIn(pub Caller);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let CurrentUser(caller) = CurrentUser::from_request_parts(parts, state).await?;
        caller.refuse_token()?;
        match caller.credential {
            Credential::Key(grant) if !grant.scopes.has(Scope::Write) && !grant.scopes.has(Scope::Manage) => {
                Err(Error::Forbidden("this needs an API key with the scope write"))
            }
            _ => Ok(Self(caller)),
        }
    }
}

/// A person or guest in their own browser: for what no key or token may do, such as making more of them.
#[derive(Debug, Clone)]
pub struct ByLogin(
    /// Who is asking.
    pub Caller,
    /// The login that asks.
    pub Digest,
);

impl FromRequestParts<AppState> for ByLogin {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self> {
        let CurrentUser(caller) = CurrentUser::from_request_parts(parts, state).await?;
        match caller.credential {
            Credential::Login { hash, .. } => Ok(Self(caller, hash)),
            Credential::Token(_) | Credential::Key(_) => {
                Err(Error::Forbidden("neither a key nor a token can do this; sign in instead"))
            }
        }
    }
}
