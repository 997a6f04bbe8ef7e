//! Logins: the session layer over our own table, and the cookie that names one.
//!
//! Sessions are written through tower-sessions; who is asking is read by one statement of our own (`sql.rs`), for
//! requests and sockets alike.

use async_trait::async_trait;
use axum::http::{HeaderMap, header};
use time::OffsetDateTime;
use tower_sessions::cookie::SameSite;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};
use tower_sessions::{Expiry, Session, SessionManagerLayer, SessionStore};

use super::secret::{Digest, digest};
use super::sql;
use crate::db::{Db, micros, now_us};
use crate::ids::UserId;
use crate::limits;
use crate::state::Shared;

/// Where a login's data names its user.
const USER_ID: &str = "user_id";

/// Name of the cookie. Over TLS the prefix makes browsers refuse one that another host or plain HTTP set.
#[must_use]
pub fn cookie_name(https: bool) -> &'static str {
    if https { "__Host-coterie" } else { "coterie" }
}

/// The layer that gives handlers their [`Session`] and sets the cookie.
pub fn layer(state: &Shared) -> SessionManagerLayer<Logins> {
    SessionManagerLayer::new(Logins(state.db.clone()))
        .with_name(cookie_name(state.is_https()))
        .with_secure(state.is_https())
        .with_same_site(SameSite::Lax)
        .with_http_only(true)
        .with_path("/")
        .with_expiry(lifetime())
}

/// Signs the browser of this session in as `user`, under a new id: one known from before opens nothing.
pub(super) async fn sign_in(session: &Session, user: UserId) -> crate::error::Result<()> {
    session.cycle_id().await.map_err(store_failed)?;
    session.insert(USER_ID, user).await.map_err(store_failed)?;
    session.save().await.map_err(store_failed)
}

/// Signs the browser of this session out; the login ends at once.
pub(super) async fn sign_out(session: &Session) -> crate::error::Result<()> {
    session.flush().await.map_err(store_failed)
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

fn lifetime() -> Expiry {
    Expiry::OnInactivity(limits::LOGIN_LIFETIME.try_into().expect("a month fits"))
}

fn store_failed(error: tower_sessions::session::Error) -> crate::error::Error {
    tracing::error!(%error, "the login could not be stored");
    crate::error::Error::unavailable("logins cannot be stored now; try again soon")
}

/// The table of logins as a session store.
#[derive(Debug, Clone)]
pub struct Logins(Db);

#[async_trait]
impl SessionStore for Logins {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // An id that is taken is another browser's login: never overwrite it.
        while !sql::insert_login(&self.0, &row(record)?).await.map_err(backend)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        // Only what still exists: a request that ends after a logout must not bring the login back.
        sql::update_login(&self.0, &row(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = sql::login(&self.0, digest(&id.to_string()), now_us()).await.map_err(backend)?;
        let Some((data, expires_us)) = found else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(expires_us) * 1_000)
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        sql::delete_login(&self.0, digest(&id.to_string())).await.map_err(backend)
    }
}

/// A login as its row holds it.
pub(super) struct LoginRow {
    pub(super) hash: Digest,
    pub(super) user: Option<UserId>,
    pub(super) data: String,
    pub(super) expires_us: i64,
}

fn row(record: &Record) -> Result<LoginRow> {
    let user = record.data.get(USER_ID).cloned().map(serde_json::from_value).transpose();
    Ok(LoginRow {
        hash: digest(&record.id.to_string()),
        user: user.map_err(|error| Error::Encode(error.to_string()))?,
        data: serde_json::to_string(&record.data).map_err(|error| Error::Encode(error.to_string()))?,
        expires_us: i64::try_from(record.expiry_date.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX),
    })
}

fn backend(error: crate::error::Error) -> Error {
    Error::Backend(error.to_string())
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
