//! The statements over `users`, `login` and `project_token`.

use anyhow::Context;
use uuid::Uuid;

use super::login::LoginRow;
use super::secret::Digest;
use super::user::{Kind, User};
use super::{Caller, Credential, Grant};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::role::Role;
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct UserRow {
    id: UserId,
    name: String,
    kind: String,
    avatar: Option<String>,
}

impl UserRow {
    fn user(self) -> Result<User> {
        let kind = Kind::from_word(&self.kind).context("a user of an unknown kind is stored")?;
        Ok(User { id: self.id, name: self.name, kind, avatar: self.avatar })
    }
}

#[derive(sqlx::FromRow)]
struct LoginCallerRow {
    #[sqlx(flatten)]
    user: UserRow,
    expires_us: i64,
}

#[derive(sqlx::FromRow)]
struct TokenCallerRow {
    #[sqlx(flatten)]
    user: UserRow,
    project_id: ProjectId,
    issuer_id: UserId,
    role: String,
}

/// Who is signed in by this login, and when it ends; a guest who became somebody is that somebody.
pub(super) async fn caller_by_login(db: &Db, hash: Digest, now_us: i64) -> Result<Option<(Caller, i64)>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, l.expires_us
        from login l
        join users shown on shown.id = l.user_id
        join users u on u.id = coalesce(shown.merged_into, shown.id)
        where l.hash = $1 and l.expires_us > $2";
    let row: Option<LoginCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|row| {
        let caller = Caller { user: row.user.user()?, credential: Credential::Login { hash } };
        Ok((caller, row.expires_us))
    })
    .transpose()
}

/// Whose token this is and what it allows.
pub(super) async fn caller_by_token(db: &Db, hash: Digest, now_us: i64) -> Result<Option<Caller>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, t.project_id, t.role, coalesce(i.merged_into, i.id) as issuer_id
        from project_token t
        join users shown on shown.id = t.user_id
        join users u on u.id = coalesce(shown.merged_into, shown.id)
        join users i on i.id = t.issuer_id
        where t.hash = $1 and t.expires_us > $2";
    let row: Option<TokenCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|row| {
        let role = Role::from_word(&row.role).context("a token of an unknown role is stored")?;
        let grant = Grant { hash, project: row.project_id, issuer: row.issuer_id, role };
        Ok(Caller { user: row.user.user()?, credential: Credential::Token(grant) })
    })
    .transpose()
}

/// The guests that became this user.
pub(super) async fn guests_of(db: &Db, user: UserId) -> Result<Vec<UserId>> {
    let rows: Vec<(Uuid,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select id from users where merged_into = $1 order by id").bind(user).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
}

pub(super) async fn insert_user(db: &Db, user: &User, now_us: i64) -> Result<()> {
    const TEXT: &str = "insert into users (id, name, kind, avatar, created_us) values ($1, $2, $3, $4, $5)";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(user.id)
            .bind(&user.name)
            .bind(user.kind.as_str())
            .bind(&user.avatar)
            .bind(now_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn rename_user(db: &Db, user: UserId, name: &str) -> Result<()> {
    on_pool!(db, write, pool => {
        sqlx::query("update users set name = $2 where id = $1").bind(user).bind(name).execute(pool).await.map(drop)
    })?;
    Ok(())
}

/// Marks a guest as having become `user`; false when there is no such guest, or it became somebody before.
pub(super) async fn mark_merged(tx: &mut Tx, guest: UserId, user: UserId) -> Result<bool> {
    const TEXT: &str = "
        update users set merged_into = $2
        where id = $1 and kind = 'guest' and merged_into is null";
    let changed = on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(guest).bind(user).execute(conn).await.map(|done| done.rows_affected())
    })?;
    Ok(changed == 1)
}

/// Gives one user's memberships to another, who keeps the higher role where both have one.
pub(super) async fn move_memberships(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    const COPY: &str = "
        insert into member (project_id, user_id, role, created_us)
        select project_id, $2, role, created_us from member where user_id = $1
        on conflict (project_id, user_id) do update set role = excluded.role
        where case member.role when 'viewer' then 0 when 'commenter' then 1 when 'editor' then 2 else 3 end
            < case excluded.role when 'viewer' then 0 when 'commenter' then 1 when 'editor' then 2 else 3 end";
    on_tx!(&mut *tx, conn => sqlx::query(COPY).bind(from).bind(to).execute(conn).await.map(drop))?;
    on_tx!(tx, conn => {
        sqlx::query("delete from member where user_id = $1").bind(from).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Stores a new login; false when its id is taken.
pub(super) async fn insert_login(db: &Db, login: &LoginRow) -> Result<bool> {
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

pub(super) async fn update_login(db: &Db, login: &LoginRow) -> Result<()> {
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

/// A login's data and end, when it has not ended.
pub(super) async fn login(db: &Db, hash: Digest, now_us: i64) -> Result<Option<(String, i64)>> {
    Ok(on_pool!(db, read, pool => {
        sqlx::query_as("select data, expires_us from login where hash = $1 and expires_us > $2")
            .bind(hash.bytes())
            .bind(now_us)
            .fetch_optional(pool)
            .await
    })?)
}

pub(super) async fn delete_login(db: &Db, hash: Digest) -> Result<()> {
    on_pool!(db, write, pool => {
        sqlx::query("delete from login where hash = $1").bind(hash.bytes()).execute(pool).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn insert_token(db: &Db, user: UserId, grant: &Grant, now_us: i64, expires_us: i64) -> Result<()> {
    const TEXT: &str = "
        insert into project_token (hash, project_id, user_id, issuer_id, role, created_us, expires_us)
        values ($1, $2, $3, $4, $5, $6, $7)";
    on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(grant.hash.bytes())
            .bind(grant.project)
            .bind(user)
            .bind(grant.issuer)
            .bind(grant.role.as_str())
            .bind(now_us)
            .bind(expires_us)
            .execute(pool)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Removes what has ended; returns how many rows went.
pub(super) async fn sweep(db: &Db, now_us: i64) -> Result<u64> {
    let mut gone = 0;
    for text in ["delete from login where expires_us <= $1", "delete from project_token where expires_us <= $1"] {
        gone += on_pool!(db, write, pool => {
            sqlx::query(text).bind(now_us).execute(pool).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(gone)
}
