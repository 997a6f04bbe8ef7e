//! Logins: signed-in browsers. The cookie that names one, the table they are kept in, and their list for whoever they
//! are of.
//!
//! Sessions are written through tower-sessions (`store`); who is asking is read by one statement of our own, for
//! requests and sockets alike.

mod routes;
mod sql;
mod store;

use axum::http::{HeaderMap, header};
use serde::Serialize;
use serde_json::json;
use tower_sessions::cookie::SameSite;
use tower_sessions::{Expiry, Session, SessionManagerLayer};
use utoipa::ToSchema;

pub(super) use self::routes::routes;
pub use self::store::Logins;

use super::secret::{Digest, digest};
use crate::audit::Entry;
use crate::db::{Db, micros, now_us};
use crate::error::{Error, Result};
use crate::ids::{LoginId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::rights::{self, Change};
use crate::state::Shared;
use crate::timestamp::Timestamp;

/// Where a login's data names its user.
const USER_ID: &str = "user_id";

/// A login as its user is told of it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct LoginView {
    id: LoginId,
    /// The browser as it named itself.
    agent: String,
    /// Whether it is the one that asks.
    current: bool,
    created_at: Timestamp,
    /// When it was used last, to the hour.
    used_at: Timestamp,
    expires_at: Timestamp,
}

/// Name of the cookie. Over TLS the prefix makes browsers refuse one that another host or plain HTTP set.
#[must_use]
pub fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-coterie" } else { "coterie" }
}

/// The layer that gives handlers their [`Session`] and sets the cookie.
pub fn layer(state: &Shared) -> SessionManagerLayer<Logins> {
    SessionManagerLayer::new(Logins::new(state.db.clone(), state.rights.clone()))
        .with_name(cookie_name(state.is_https()))
        .with_secure(state.is_https())
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_path("/")
        .with_expiry(lifetime())
}

/// Signs the browser of this session in as `user`, under a new id: one known from before opens nothing.
pub(super) async fn sign_in(db: &Db, session: &Session, headers: &HeaderMap, user: UserId) -> Result<()> {
    session.cycle_id().await.map_err(store_failed)?;
    session.insert(USER_ID, user).await.map_err(store_failed)?;
    session.save().await.map_err(store_failed)?;
    let id = session.id().ok_or_else(|| anyhow::anyhow!("a saved session has no id"))?;
    sql::describe(db, digest(&id.to_string()), LoginId::new(), &agent(headers), now_us()).await
}

/// A login for tests of what rests on one.
#[cfg(test)]
pub(crate) async fn some_login(db: &Db, user: UserId) -> Digest {
    let hash = digest("a login");
    let login = store::LoginRow { hash, user: Some(user), data: "{}".to_owned(), expires_us: i64::MAX };
    assert!(sql::insert(db, &login).await.unwrap());
    hash
}

/// Signs the browser of this session out; the login ends at once.
pub(super) async fn sign_out(session: &Session) -> Result<()> {
    session.flush().await.map_err(store_failed)
}

/// The logins of a user, in the order in which they began; `current` is the one that asks.
pub(super) async fn list(db: &Db, user: UserId, current: Digest, page: &PageQuery) -> Result<Page<LoginView>> {
    let limit = page.limit()?;
    let logins = sql::of_user(db, user, page.after()?, current, now_us(), limit + 1).await?;
    Ok(Page::cut(logins, limit, |login| login.id))
}

/// Ends one login of a user, with the tokens issued from it and what they have open.
///
/// # Errors
/// [`Error::NotFound`] when the user has no such login, or when the database fails.
pub(super) async fn end(db: &Db, user: UserId, login: LoginId) -> Result<()> {
    let mut tx = db.begin().await?;
    if !sql::delete_one(&mut tx, user, login).await? {
        return Err(Error::NotFound);
    }
    note_end(&mut tx, user, &login.to_string()).await?;
    tx.commit().await?;
    Ok(())
}

/// Ends the login of a cookie, with the tokens issued from it and what they have open.
async fn end_by_hash(db: &Db, hash: Digest) -> Result<()> {
    let mut tx = db.begin().await?;
    if let Some((user, id)) = sql::delete(&mut tx, hash).await? {
        let which = id.map_or_else(|| "unnamed".to_owned(), |id| id.to_string());
        note_end(&mut tx, user, &which).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// Ends all logins of a user, but for `kept`, with the tokens issued from them and what they have open.
///
/// # Errors
/// When the database fails.
pub(super) async fn end_all(db: &Db, user: UserId, kept: Option<Digest>) -> Result<()> {
    let mut tx = db.begin().await?;
    sql::delete_all(&mut tx, user, kept).await?;
    note_end(&mut tx, user, "all").await?;
    tx.commit().await?;
    Ok(())
}

async fn note_end(tx: &mut crate::db::Tx, user: UserId, which: &str) -> Result<()> {
    Entry::new(user, "login.ended", user).saying(json!({ "login": which })).record(tx).await?;
    rights::record(tx, Change::user(user)).await
}

/// What makes a browser forget the cookie, where the session layer's own way does not: it leaves out the attributes
/// without which a prefixed name is ignored.
pub(super) fn removal(state: &Shared) -> Option<String> {
    state.is_https().then(|| format!("{}=; Path=/; Max-Age=0; HttpOnly; SameSite=Lax; Secure", cookie_name(true)))
}

/// Notes that a login is in use when it has not been noted for a while, so that it and its cookie last longer.
pub(super) fn touch(session: &Session, expires_us: i64) {
    let fresh = now_us().saturating_add(micros(limits::LOGIN_LIFETIME - limits::LOGIN_TOUCH));
    if expires_us < fresh {
        session.set_expiry(Some(lifetime()));
    }
}

/// Digest of the login cookie's value, when there is one.
pub(super) fn cookie_digest(state: &Shared, headers: &HeaderMap) -> Option<Digest> {
    cookie_value(headers, cookie_name(state.is_https())).map(digest)
}

/// The value of a cookie.
pub(super) fn cookie_value<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
}

/// What a browser calls itself, cut to what a list shows.
fn agent(headers: &HeaderMap) -> String {
    let given = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    given.chars().take(limits::AGENT_CHARS).collect()
}

fn lifetime() -> Expiry {
    Expiry::OnInactivity(limits::LOGIN_LIFETIME.try_into().expect("a month fits"))
}

fn store_failed(error: tower_sessions::session::Error) -> Error {
    tracing::error!(%error, "the login could not be stored");
    Error::unavailable("logins cannot be stored now; try again soon")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_by_its_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, "xcoterie=1; coterie=2;coterie2=3".parse().unwrap());
        headers.append(header::COOKIE, "__Host-coterie=4".parse().unwrap());
        assert_eq!(cookie_value(&headers, cookie_name(false)), Some("2"));
        assert_eq!(cookie_value(&headers, cookie_name(true)), Some("4"));
        assert_eq!(cookie_value(&headers, "other"), None);
    }
}
