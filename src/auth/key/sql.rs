//! The statements over `api_key`.

use super::Key;
use crate::auth::credential::{Caller, Credential, KeyGrant, Scopes};
use crate::auth::secret::Digest;
use crate::auth::sql::UserRow;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{KeyId, UserId};
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct KeyRow {
    id: KeyId,
    name: String,
    prefix: String,
    scopes: String,
    created_us: i64,
    expires_us: Option<i64>,
    used_us: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct KeyCallerRow {
    #[sqlx(flatten)]
    user: UserRow,
    key_id: KeyId,
    scopes: String,
    expires_us: Option<i64>,
    used_us: Option<i64>,
}

impl KeyRow {
    fn key(self) -> Key {
        Key {
            id: self.id,
            name: self.name,
            prefix: self.prefix,
            scopes: Scopes::from_words(&self.scopes),
            created_us: self.created_us,
            expires_us: self.expires_us,
            used_us: self.used_us,
        }
    }
}

impl KeyCallerRow {
    fn caller(self) -> Result<(Caller, KeyId, Option<i64>)> {
        let scopes = Scopes::from_words(&self.scopes);
        let grant = KeyGrant { id: self.key_id, scopes, expires_us: self.expires_us };
        let caller = Caller { user: self.user.user()?, credential: Credential::Key(grant) };
        Ok((caller, self.key_id, self.used_us))
    }
}

/// Whose a key is, which, and when it was used last.
pub(super) async fn by_hash(db: &Db, hash: Digest, now_us: i64) -> Result<Option<(Caller, KeyId, Option<i64>)>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, k.id as key_id, k.scopes, k.expires_us, k.used_us
        from api_key k join users u on u.id = k.user_id
        where k.hash = $1 and (k.expires_us is null or k.expires_us > $2) and u.suspended_us is null";
    let row: Option<KeyCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(KeyCallerRow::caller).transpose()
}

pub(super) async fn by_id(db: &Db, key: KeyId, now_us: i64) -> Result<Option<Caller>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, k.id as key_id, k.scopes, k.expires_us, k.used_us
        from api_key k join users u on u.id = k.user_id
        where k.id = $1 and (k.expires_us is null or k.expires_us > $2) and u.suspended_us is null";
    let row: Option<KeyCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(key).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|row| row.caller().map(|(caller, ..)| caller)).transpose()
}

pub(super) async fn touch(db: &Db, key: KeyId, now_us: i64) -> Result<()> {
    on_pool!(db, write, pool => {
        sqlx::query("update api_key set used_us = $2 where id = $1").bind(key).bind(now_us).execute(pool).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn count(tx: &mut Tx, owner: UserId) -> Result<i64> {
    let (count,): (i64,) = on_tx!(tx, conn => {
        sqlx::query_as("select count(*) from api_key where user_id = $1").bind(owner).fetch_one(conn).await
    })?;
    Ok(count)
}

pub(super) async fn insert(tx: &mut Tx, owner: UserId, key: &Key, hash: Digest) -> Result<()> {
    const TEXT: &str = "
        insert into api_key (id, hash, user_id, name, prefix, scopes, created_us, expires_us)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(key.id)
            .bind(hash.bytes())
            .bind(owner)
            .bind(&key.name)
            .bind(&key.prefix)
            .bind(key.scopes.words())
            .bind(key.created_us)
            .bind(key.expires_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// The keys of a user that have not expired.
pub(super) async fn list(
    db: &Db,
    owner: UserId,
    after: Option<KeyId>,
    words: Option<&str>,
    now_us: i64,
    limit: i64,
) -> Result<Vec<Key>> {
    const TEXT: &str = "
        select id, name, prefix, scopes, created_us, expires_us, used_us from api_key
        where user_id = $1 and ($2 is null or id > $2) and (expires_us is null or expires_us > $3)
          and ($4 is null or lower(name) like lower($4) escape '!')
        order by id limit $5";
    let rows: Vec<KeyRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(owner).bind(after).bind(now_us).bind(words).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(KeyRow::key).collect())
}

/// Takes a key away, and with it the tokens issued by it.
pub(super) async fn delete(tx: &mut Tx, owner: UserId, key: KeyId) -> Result<Option<Key>> {
    const TEXT: &str = "
        delete from api_key where id = $1 and user_id = $2
        returning id, name, prefix, scopes, created_us, expires_us, used_us";
    let row: Option<KeyRow> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(key).bind(owner).fetch_optional(conn).await
    })?;
    Ok(row.map(KeyRow::key))
}

/// Gives one user's keys to another.
pub(in crate::auth) async fn give(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    on_tx!(tx, conn => {
        sqlx::query("update api_key set user_id = $2 where user_id = $1").bind(from).bind(to).execute(conn).await.map(drop)
    })?;
    Ok(())
}
