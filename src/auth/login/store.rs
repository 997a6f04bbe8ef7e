//! The table of logins as a session store.

use async_trait::async_trait;
use time::OffsetDateTime;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::{Error, Result};

use super::super::secret::{Digest, digest};
use super::{USER_ID, sql};
use crate::db::{Db, now_us};
use crate::ids::UserId;
use crate::rights::Rights;

/// The table of logins, and the bell for sockets that were opened with one that ends.
#[derive(Debug, Clone)]
pub struct Logins {
    db: Db,
    rights: Rights,
}

impl Logins {
    pub(super) fn new(db: Db, rights: Rights) -> Self {
        Self { db, rights }
    }
}

#[async_trait]
impl SessionStore for Logins {
    async fn create(&self, record: &mut Record) -> Result<()> {
        // An id that is taken is another browser's login: never overwrite it.
        while !sql::insert(&self.db, &row(record)?).await.map_err(backend)? {
            record.id = Id::default();
        }
        Ok(())
    }

    async fn save(&self, record: &Record) -> Result<()> {
        // Only what still exists: a request that ends after a logout must not bring the login back.
        sql::update(&self.db, &row(record)?).await.map_err(backend)
    }

    async fn load(&self, id: &Id) -> Result<Option<Record>> {
        let found = sql::find(&self.db, digest(&id.to_string()), now_us()).await.map_err(backend)?;
        let Some((data, expires_us)) = found else { return Ok(None) };
        let data = serde_json::from_str(&data).map_err(|error| Error::Decode(error.to_string()))?;
        let expiry_date = OffsetDateTime::from_unix_timestamp_nanos(i128::from(expires_us) * 1_000)
            .map_err(|error| Error::Decode(error.to_string()))?;
        Ok(Some(Record { id: *id, data, expiry_date }))
    }

    async fn delete(&self, id: &Id) -> Result<()> {
        super::end_by_hash(&self.db, digest(&id.to_string())).await.map_err(backend)?;
        self.rights.look();
        Ok(())
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
