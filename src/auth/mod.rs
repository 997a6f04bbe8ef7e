//! Who is asking: people, their logins, guests, and the tokens that speak for them.
//!
//! What somebody may do is not decided here but in `access`. A request is answered for a [`Caller`], who is known by a
//! login's cookie or by a token; every later question goes to the caller's [`Credential`], which may meanwhile have
//! ended.

mod current;
mod login;
pub mod origin;
mod routes;
mod secret;
mod sql;
mod user;

use axum::http::{HeaderMap, header};

pub use self::current::{CurrentUser, SignedIn};
pub use self::login::{Logins, cookie_name, layer};
pub use self::routes::routes;
pub use self::secret::{Digest, Secret, digest};
pub use self::user::{Kind, User, UserView};

use crate::db::{Db, micros, now_us};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::role::Role;
use crate::room::Participant;
use crate::state::Shared;
use crate::text;

/// Somebody who asks for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who they are.
    pub user: User,
    /// How they are known.
    pub credential: Credential,
}

/// What a caller showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// The cookie of a login, which allows whatever the user may do.
    Login {
        /// SHA-256 of the cookie's value.
        hash: Digest,
    },
    /// A project token, which allows less.
    Token(Grant),
}

/// What a project token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// SHA-256 of the token.
    pub hash: Digest,
    /// The only project it opens.
    pub project: ProjectId,
    /// Whose right it borrows.
    pub issuer: UserId,
    /// The most it allows.
    pub role: Role,
}

/// Who sent these request headers: by `Authorization: Bearer <token>`, else by the login's cookie.
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

/// Whose token this is; for tokens that come in a query or in a frame.
///
/// # Errors
/// When the database fails.
pub async fn by_token(db: &Db, token: &str) -> Result<Option<Caller>> {
    sql::caller_by_token(db, digest(token), now_us()).await
}

/// The same caller as the database knows them now; `None` when the login or token has ended meanwhile.
///
/// # Errors
/// When the database fails.
pub async fn refresh(db: &Db, caller: &Caller) -> Result<Option<Caller>> {
    match &caller.credential {
        Credential::Login { hash } => Ok(sql::caller_by_login(db, *hash, now_us()).await?.map(|(caller, _)| caller)),
        Credential::Token(grant) => sql::caller_by_token(db, grant.hash, now_us()).await,
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

/// A new guest, who is nothing but a name.
///
/// # Errors
/// `bad_name`, or when the database fails.
pub async fn create_guest(db: &Db, name: &str) -> Result<User> {
    let user = User { id: UserId::new(), name: text::name(name)?, kind: Kind::Guest, avatar: None };
    sql::insert_user(db, &user, now_us()).await?;
    Ok(user)
}

/// Makes what a guest had the user's: logins, tokens and memberships (the higher role stays), and authorship from now
/// on by looking the guest up. Does nothing when the guest is none, or already became somebody.
///
/// # Errors
/// When the database fails; then nothing was changed.
pub async fn merge_guest(db: &Db, guest: UserId, user: UserId) -> Result<()> {
    let mut tx = db.begin().await?;
    if guest != user && sql::mark_merged(&mut tx, guest, user).await? {
        sql::move_memberships(&mut tx, guest, user).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Issues a token by which `user` acts in the grant's project, and returns it with the moment it ends; only its hash
/// is stored.
///
/// # Errors
/// When the database fails.
pub async fn issue_token(
    db: &Db,
    user: UserId,
    issuer: UserId,
    project: ProjectId,
    role: Role,
    lifetime: std::time::Duration,
) -> Result<(Secret, i64)> {
    let token = Secret::new();
    let grant = Grant { hash: token.digest(), project, issuer, role };
    let now = now_us();
    let expires = now.saturating_add(micros(lifetime));
    sql::insert_token(db, user, &grant, now, expires).await?;
    Ok((token, expires))
}

/// Removes logins and tokens that have ended.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    sql::sweep(db, now_us()).await
}

async fn by_cookie(state: &Shared, headers: &HeaderMap) -> Result<Option<Caller>> {
    let Some(hash) = login::cookie_digest(state, headers) else { return Ok(None) };
    Ok(sql::caller_by_login(&state.db, hash, now_us()).await?.map(|(caller, _)| caller))
}

/// The token of an `Authorization: Bearer` header. A malformed header counts as an unknown token, never as no token:
/// who tries to be somebody is not silently somebody else.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().unwrap_or_default();
    let token = value.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
    Some(token.map_or("", |(_, token)| token.trim()))
}
