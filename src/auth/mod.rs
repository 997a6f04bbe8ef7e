//! Who is asking: people, their logins, guests, and the keys and tokens that speak for them.
//!
//! What somebody may do is not decided here but in `access`. A request is answered for a [`Caller`], who is known by a
//! login's cookie, a key or a token; every later question goes to the caller's [`Credential`], which may meanwhile have
//! ended.

mod credential;
mod current;
mod external;
mod key;
mod login;
mod operator;
pub mod origin;
mod routes;
mod secret;
mod sign_in;
mod sql;
mod user;

use std::time::Duration;

use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use utoipa_axum::router::OpenApiRouter;

pub use self::credential::{Caller, Credential, Grant, KeyGrant, Scope, Scopes};
pub use self::current::{ByLogin, CurrentUser, SignedIn};
pub use self::external::{EndUser, external};
#[cfg(test)]
pub(crate) use self::login::some_login;
pub use self::login::{Logins, cookie_name, layer};
pub use self::operator::Operator;
pub use self::secret::{Digest, Secret, digest};
pub(crate) use self::sql::UserRow;
pub use self::user::{ASSISTANT, Kind, User, UserView};

use crate::audit::Entry;
use crate::db::{Db, Tx, micros, now_us};
use crate::error::{Error, Result};
use crate::ids::{KeyId, ProjectId, UserId};
use crate::rights::{self, Change};
use crate::role::Role;
use crate::room::Participant;
use crate::state::{AppState, Shared};
use crate::text;
use crate::turnstile::FailedSignIn;

/// `/auth/…`, `/api/me`, `/api/logins` and `/api/keys`.
pub fn routes() -> OpenApiRouter<AppState> {
    routes::routes().merge(sign_in::routes()).merge(login::routes()).merge(key::routes())
}

/// Who sent these request headers: by `Authorization: Bearer <key or token>`, else by the login's cookie.
///
/// The cookie counts whatever the origin; routes are behind [`origin::check`], which refuses foreign ones.
///
/// # Errors
/// When the database fails. Unknown, ended and malformed credentials are nobody (`None`).
pub async fn authenticate(state: &Shared, headers: &HeaderMap) -> Result<Option<Caller>> {
    match bearer(headers) {
        Some(token) => by_token(&state.db, token).await,
        None => by_cookie(state, headers).await,
    }
}

/// Who opens a socket with these headers: as [`authenticate`], but a cookie from a foreign origin counts for nothing.
///
/// It does not refuse: a page of another origin that brings a token is welcome, and its browser may send the cookie
/// along unasked (ports and subdomains share a site).
///
/// # Errors
/// When the database fails.
pub async fn authenticate_socket(state: &Shared, headers: &HeaderMap) -> Result<Option<Caller>> {
    match bearer(headers) {
        Some(token) => by_token(&state.db, token).await,
        None if origin::is_own_or_absent(state, headers) => by_cookie(state, headers).await,
        None => Ok(None),
    }
}

/// Whose key or token this is; for those that come in a query or in a frame.
///
/// # Errors
/// When the database fails.
pub async fn by_token(db: &Db, token: &str) -> Result<Option<Caller>> {
    if token.starts_with(key::BEGINS_WITH) { key::caller(db, token).await } else { token_caller(db, token).await }
}

async fn token_caller(db: &Db, token: &str) -> Result<Option<Caller>> {
    sql::caller_by_token(db, digest(token), now_us()).await
}

/// The same caller as the database knows them now; `None` when the login, key or token has ended meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn refresh(db: &Db, caller: &Caller) -> Result<Option<Caller>> {
    match &caller.credential {
        Credential::Login { hash, .. } => sql::caller_by_login(db, *hash, now_us()).await,
        Credential::Token(grant) => sql::caller_by_token(db, grant.hash, now_us()).await,
        Credential::Key(grant) => key::refresh(db, grant.id).await,
    }
}

/// A user as rooms, the gate and presence know them: with the guests they once were.
///
/// # Errors
/// When the database fails.
pub async fn participant(db: &Db, user: &User) -> Result<Participant> {
    let merged = sql::guests_of(db, user.id).await?;
    let (color, color_light) = user.colors();
    Ok(Participant {
        user: user.id,
        merged: merged.into(),
        name: user.name.clone(),
        kind: user.kind.as_str(),
        color,
        color_light,
        avatar: user.avatar.clone(),
    })
}

/// Somebody by their id, as they take part.
///
/// # Errors
/// [`Error::NotFound`] for nobody, or when the database fails.
pub async fn participant_of(db: &Db, user: UserId) -> Result<Participant> {
    let user = sql::user(db, user).await?.ok_or(Error::NotFound)?;
    participant(db, &user).await
}

/// A new guest, who is nothing but a name.
///
/// # Errors
/// `bad_name`, or when the database fails.
pub async fn create_guest(db: &Db, name: &str) -> Result<User> {
    let user = User { id: UserId::new(), name: text::name(name)?, kind: Kind::Guest, avatar: None, color: None };
    let mut tx = db.begin().await?;
    sql::insert_user(&mut tx, &user, now_us()).await?;
    Entry::new(user.id, "login.guest", user.id).record(&mut tx).await?;
    tx.commit().await?;
    Ok(user)
}

/// The AI teammate, who is a user like others and never signs in.
///
/// # Errors
/// When the database fails.
pub async fn assistant(db: &Db) -> Result<User> {
    let user = User { id: ASSISTANT, name: "Assistant".to_owned(), kind: Kind::Assistant, avatar: None, color: None };
    sql::put_assistant(db, &user, now_us()).await?;
    Ok(user)
}

/// Makes what a guest had the user's: logins, keys, tokens, the end users of their application and memberships (the
/// higher role stays), and authorship from now on by looking the guest up. Does nothing when the guest is none, or
/// already became somebody.
///
/// # Errors
/// When the database fails; then nothing was changed.
pub async fn merge_guest(db: &Db, guest: UserId, user: UserId) -> Result<()> {
    let mut tx = db.begin().await?;
    if guest != user && sql::mark_merged(&mut tx, guest, user).await? {
        sql::move_memberships(&mut tx, guest, user).await?;
        external::give(&mut tx, guest, user).await?;
        key::give(&mut tx, guest, user).await?;
        Entry::new(user, "user.merged", guest).saying(json!({ "into": user })).record(&mut tx).await?;
        rights::record(&mut tx, Change::user(guest)).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What a new token is to allow, and to whom.
#[derive(Debug, Clone, Copy)]
pub struct NewGrant {
    /// Who acts with it.
    pub user: UserId,
    /// Whose right it borrows.
    pub issuer: UserId,
    /// The only project it opens.
    pub project: ProjectId,
    /// The most it allows.
    pub role: Role,
    /// What it was issued with, and ends with.
    pub by: By,
}

/// What a token is issued with.
#[derive(Debug, Clone, Copy)]
pub enum By {
    /// A login, by its digest.
    Login(Digest),
    /// A key.
    Key(KeyId),
}

/// Issues a token, and returns it with the moment it ends; only its hash is stored. It ends before with what it was
/// issued with.
///
/// # Errors
/// [`Error::Unauthorized`] when that has ended meanwhile, [`Error::NotFound`] when the project was removed, or when the
/// database fails.
pub async fn issue_token(tx: &mut Tx, wanted: &NewGrant, lifetime: Duration) -> Result<(Secret, i64)> {
    let token = Secret::new();
    let now = now_us();
    let expires_us = now.saturating_add(micros(lifetime));
    sql::insert_token(tx, wanted, token.digest(), now, expires_us).await?;
    Ok((token, expires_us))
}

/// Removes logins, keys, tokens and begun sign-ins that have ended.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    sql::sweep(db, now_us()).await
}

/// Locks a user until the transaction ends: what is counted for them takes turns here.
///
/// # Errors
/// When the database fails.
pub async fn lock(tx: &mut Tx, user: UserId) -> Result<()> {
    sql::lock(tx, user).await
}

/// Shuts a user out of the server, or lets them in again; what they had open ends.
///
/// # Errors
/// [`Error::NotFound`] when there is no such user, or when the database fails.
pub async fn suspend(tx: &mut Tx, user: UserId, suspended: bool) -> Result<()> {
    if !sql::suspend(tx, user, suspended.then(now_us)).await? {
        return Err(Error::NotFound);
    }
    rights::record(tx, Change::user(user)).await
}

/// A sign-in that came to nothing, as it is answered; refused, it counts as failed.
fn not_let_in(error: Error) -> Response {
    let is_refused = matches!(error, Error::Unauthorized | Error::Forbidden(_));
    let mut response = error.into_response();
    if is_refused {
        response.extensions_mut().insert(FailedSignIn);
    }
    response
}

async fn by_cookie(state: &Shared, headers: &HeaderMap) -> Result<Option<Caller>> {
    let Some(hash) = login::cookie_digest(state, headers) else { return Ok(None) };
    sql::caller_by_login(&state.db, hash, now_us()).await
}

/// The token of an `Authorization: Bearer` header. A malformed header counts as an unknown token, never as no token:
/// who tries to be somebody is not silently somebody else.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(token.map_or("", |(_, token)| token.trim()))
}
