//! The statements over `login`.

use super::LoginView;
use super::store::LoginRow;
use crate::auth::secret::Digest;
use crate::db::{Db, Tx, micros};
use crate::error::Result;
use crate::ids::{LoginId, UserId};
use crate::timestamp::Timestamp;
use crate::{limits, on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct ListedRow {
    id: LoginId,
    hash: Vec<u8>,
    agent: Option<String>,
    created_us: Option<i64>,
    expires_us: i64,
}

/// Stores a new login; false when its id is taken.
pub(super) async fn insert(db: &Db, login: &LoginRow) -> Result<bool> {
    const TEXT: &str = "
        insert into login (hash, user_id, data, expires_us) values ($1, $2, $3, $4)
        on conflict (hash) do nothing";
    let added = on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(login.hash.bytes())
            .bind(login.user)
            .bind(&login.data)
            .bind(login.expires_us)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(added == 1)
}

pub(super) async fn update(db: &Db, login: &LoginRow) -> Result<()> {
    const TEXT: &str = "update login set user_id = $2, data = $3, expires_us = $4 where hash = $1";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(login.hash.bytes())
            .bind(login.user)
            .bind(&login.data)
            .bind(login.expires_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Notes by what a login is listed.
pub(super) async fn describe(db: &Db, hash: Digest, id: LoginId, agent: &str, now_us: i64) -> Result<()> {
    const TEXT: &str = "update login set id = $2, agent = $3, created_us = $4 where hash = $1";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT).bind(hash.bytes()).bind(id).bind(agent).bind(now_us).execute(pool).await.map(drop)
    })?;
    Ok(())
}

/// A login's data and end, when it has not ended.
pub(super) async fn find(db: &Db, hash: Digest, now_us: i64) -> Result<Option<(String, i64)>> {
    Ok(on_pool!(db, read, pool => {
        sqlx::query_as("select data, expires_us from login where hash = $1 and expires_us > $2")
            .bind(hash.bytes())
            .bind(now_us)
            .fetch_optional(pool)
            .await
    })?)
}

/// Ends a login, and answers which it was and who was signed in by it: whoever they became.
pub(super) async fn delete(tx: &mut Tx, hash: Digest) -> Result<Option<(UserId, Option<LoginId>)>> {
    const FIND: &str = "
        select coalesce(u.merged_into, u.id), l.id from login l join users u on u.id = l.user_id where l.hash = $1";
    let found: Option<(UserId, Option<LoginId>)> = on_tx!(&mut *tx, conn => {
        sqlx::query_as(FIND).bind(hash.bytes()).fetch_optional(conn).await
    })?;
    on_tx!(tx, conn => {
        sqlx::query("delete from login where hash = $1").bind(hash.bytes()).execute(conn).await.map(drop)
    })?;
    Ok(found)
}

/// The logins of a user and of the guests they were.
pub(super) async fn of_user(
    db: &Db,
    user: UserId,
    after: Option<LoginId>,
    current: Digest,
    now_us: i64,
    limit: i64,
) -> Result<Vec<LoginView>> {
    const TEXT: &str = "
        select l.id, l.hash, l.agent, l.created_us, l.expires_us
        from login l join users u on u.id = l.user_id
        where (u.id = $1 or u.merged_into = $1) and l.id is not null and l.expires_us > $2
          and ($3 is null or l.id > $3)
        order by l.id limit $4";
    let rows: Vec<ListedRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(user).bind(now_us).bind(after).bind(limit).fetch_all(pool).await
    })?;
    let view = |row: ListedRow| {
        let used_us = row.expires_us.saturating_sub(micros(limits::LOGIN_LIFETIME));
        LoginView {
            id: row.id,
            agent: row.agent.unwrap_or_default(),
            current: row.hash == current.bytes(),
            created_at: Timestamp(row.created_us.unwrap_or(used_us)),
            used_at: Timestamp(used_us),
            expires_at: Timestamp(row.expires_us),
        }
    };
    Ok(rows.into_iter().map(view).collect())
}

pub(super) async fn delete_one(tx: &mut Tx, user: UserId, login: LoginId) -> Result<bool> {
    const TEXT: &str = "
        delete from login
        where id = $2 and user_id in (select id from users where id = $1 or merged_into = $1)";
    let gone = on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(user).bind(login).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(gone == 1)
}

pub(super) async fn delete_all(tx: &mut Tx, user: UserId, kept: Option<Digest>) -> Result<()> {
    const TEXT: &str = "
        delete from login
        where user_id in (select id from users where id = $1 or merged_into = $1) and ($2 is null or hash <> $2)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(user).bind(kept.map(|kept| kept.bytes())).execute(conn).await.map(drop)
    })?;
    Ok(())
}
