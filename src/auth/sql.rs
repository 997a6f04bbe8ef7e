//! The statements over `users` and `project_token`, and who is signed in by a login.

use anyhow::Context;
use uuid::Uuid;

use super::operator::AtGithub;
use super::secret::Digest;
use super::user::{Kind, User};
use super::{By, Caller, Credential, Grant, NewGrant};
use crate::db::{Db, Tx};
use crate::error::{Error, Result};
use crate::ids::{ProjectId, UserId};
use crate::role::Role;
use crate::{on_pool, on_tx};

/// Somebody as `users` holds them; part of a row.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct UserRow {
    id: UserId,
    name: String,
    kind: String,
    avatar: Option<String>,
    color: Option<String>,
}

impl UserRow {
    pub(crate) fn user(self) -> Result<User> {
        let kind = Kind::from_word(&self.kind).context("a user of an unknown kind is stored")?;
        Ok(User { id: self.id, name: self.name, kind, avatar: self.avatar, color: self.color })
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
    expires_us: i64,
}

/// Somebody; a guest who became somebody is that somebody, and nobody suspended is.
pub(super) async fn user(db: &Db, id: UserId) -> Result<Option<User>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color from users shown
        join users u on u.id = coalesce(shown.merged_into, shown.id)
        where shown.id = $1 and u.suspended_us is null";
    let row: Option<UserRow> = on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(id).fetch_optional(pool).await)?;
    row.map(UserRow::user).transpose()
}

/// Who is signed in by this login; a guest who became somebody is that somebody, and nobody suspended is.
pub(super) async fn caller_by_login(db: &Db, hash: Digest, now_us: i64) -> Result<Option<Caller>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, l.expires_us
        from login l
        join users shown on shown.id = l.user_id
        join users u on u.id = coalesce(shown.merged_into, shown.id)
        where l.hash = $1 and l.expires_us > $2 and u.suspended_us is null";
    let row: Option<LoginCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|row| {
        let credential = Credential::Login { hash, expires_us: row.expires_us };
        Ok(Caller { user: row.user.user()?, credential })
    })
    .transpose()
}

/// Whose token this is and what it allows.
pub(super) async fn caller_by_token(db: &Db, hash: Digest, now_us: i64) -> Result<Option<Caller>> {
    const TEXT: &str = "
        select u.id, u.name, u.kind, u.avatar, u.color, t.project_id, t.role, t.expires_us,
            coalesce(shown_issuer.merged_into, shown_issuer.id) as issuer_id
        from project_token t
        join users shown on shown.id = t.user_id
        join users u on u.id = coalesce(shown.merged_into, shown.id)
        join users shown_issuer on shown_issuer.id = t.issuer_id
        join users i on i.id = coalesce(shown_issuer.merged_into, shown_issuer.id)
        where t.hash = $1 and t.expires_us > $2 and u.suspended_us is null and i.suspended_us is null";
    let row: Option<TokenCallerRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    row.map(|row| {
        let role = Role::from_word(&row.role).context("a token of an unknown role is stored")?;
        let (project, issuer) = (row.project_id, row.issuer_id);
        let grant = Grant { hash, project, issuer, role, expires_us: row.expires_us };
        Ok(Caller { user: row.user.user()?, credential: Credential::Token(grant) })
    })
    .transpose()
}

/// Who somebody is at GitHub; nobody for those who did not sign in there.
pub(super) async fn at_github(db: &Db, user: UserId) -> Result<Option<AtGithub>> {
    const TEXT: &str = "
        select github_id, github_login, operator from users where id = $1 and github_id is not null";
    let row: Option<(i64, Option<String>, i64)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(user).fetch_optional(pool).await
    })?;
    Ok(row.map(|(id, login, operator)| AtGithub { id, login, first: operator != 0 }))
}

/// The guests that became this user.
pub(super) async fn guests_of(db: &Db, user: UserId) -> Result<Vec<UserId>> {
    let rows: Vec<(Uuid,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select id from users where merged_into = $1 order by id").bind(user).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(id,)| UserId(id)).collect())
}

pub(super) async fn insert_user(tx: &mut Tx, user: &User, now_us: i64) -> Result<()> {
    const TEXT: &str = "insert into users (id, name, kind, avatar, created_us) values ($1, $2, $3, $4, $5)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(user.id)
            .bind(&user.name)
            .bind(user.kind.as_str())
            .bind(&user.avatar)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Writes the assistant down, unless it is there.
pub(super) async fn put_assistant(db: &Db, user: &User, now_us: i64) -> Result<()> {
    const FIND: &str = "select id from users where id = $1";
    const TEXT: &str =
        "insert into users (id, name, kind, created_us) values ($1, $2, $3, $4) on conflict (id) do nothing";
    let found: Option<(UserId,)> =
        on_pool!(db, read, pool => sqlx::query_as(FIND).bind(user.id).fetch_optional(pool).await)?;
    if found.is_none() {
        on_pool!(db, write, pool => {
            sqlx::query(TEXT)
                .bind(user.id)
                .bind(&user.name)
                .bind(user.kind.as_str())
                .bind(now_us)
                .execute(pool)
                .await
                .map(drop)
        })?;
    }
    Ok(())
}

/// The end user whom `owner`'s application calls `external_id`: as given, under the id it has or a new one.
pub(super) async fn put_external(db: &Db, owner: UserId, external_id: &str, user: &User, now_us: i64) -> Result<User> {
    const TEXT: &str = "
        insert into users (id, name, kind, avatar, color, external_of, external_id, created_us)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
        on conflict (external_of, external_id)
        do update set name = excluded.name, avatar = excluded.avatar, color = excluded.color
        returning id, name, kind, avatar, color";
    let row: UserRow = on_pool!(db, write, pool => {
        sqlx::query_as(TEXT)
            .bind(user.id)
            .bind(&user.name)
            .bind(user.kind.as_str())
            .bind(&user.avatar)
            .bind(&user.color)
            .bind(owner)
            .bind(external_id)
            .bind(now_us)
            .fetch_one(pool)
            .await
    })?;
    row.user()
}

/// Marks end users whom both owners' applications know as having become the second owner's.
pub(super) async fn merge_externals(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    const TEXT: &str = "
        update users
        set merged_into = (select o.id from users o where o.external_of = $2 and o.external_id = users.external_id)
        where external_of = $1 and merged_into is null
          and exists (select 1 from users o where o.external_of = $2 and o.external_id = users.external_id)";
    on_tx!(tx, conn => sqlx::query(TEXT).bind(from).bind(to).execute(conn).await.map(drop))?;
    Ok(())
}

/// Gives end users to another owner, but for those who became somebody.
pub(super) async fn move_externals(tx: &mut Tx, from: UserId, to: UserId) -> Result<()> {
    const TEXT: &str = "update users set external_of = $2 where external_of = $1 and merged_into is null";
    on_tx!(tx, conn => sqlx::query(TEXT).bind(from).bind(to).execute(conn).await.map(drop))?;
    Ok(())
}

/// Locks a user's row by writing it back.
pub(super) async fn lock(tx: &mut Tx, user: UserId) -> Result<()> {
    on_tx!(tx, conn => {
        sqlx::query("update users set created_us = created_us where id = $1").bind(user).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Notes when a user was shut out, or that they are not; false when there is no such user.
pub(super) async fn suspend(tx: &mut Tx, user: UserId, since_us: Option<i64>) -> Result<bool> {
    let changed = on_tx!(tx, conn => {
        sqlx::query("update users set suspended_us = $2 where id = $1")
            .bind(user)
            .bind(since_us)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(changed == 1)
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
        insert into member (project_id, user_id, role, created_us, by_link)
        select project_id, $2, role, created_us, by_link from member where user_id = $1
        on conflict (project_id, user_id) do update set role = excluded.role, by_link = excluded.by_link
        where case member.role when 'viewer' then 0 when 'commenter' then 1 when 'editor' then 2 else 3 end
            < case excluded.role when 'viewer' then 0 when 'commenter' then 1 when 'editor' then 2 else 3 end";
    on_tx!(&mut *tx, conn => sqlx::query(COPY).bind(from).bind(to).execute(conn).await.map(drop))?;
    on_tx!(tx, conn => {
        sqlx::query("delete from member where user_id = $1").bind(from).execute(conn).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn insert_token(
    tx: &mut Tx,
    wanted: &NewGrant,
    hash: Digest,
    now_us: i64,
    expires_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into project_token (hash, project_id, user_id, issuer_id, role, created_us, expires_us, key_id, login_hash)
        select $1, id, $3, $4, $5, $6, $7, $8, $9 from project where id = $2 and deleted_us is null";
    let (login, key) = match wanted.by {
        By::Login(login) => (Some(login.bytes()), None),
        By::Key(key) => (None, Some(key)),
    };
    let inserted = on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(hash.bytes())
            .bind(wanted.project)
            .bind(wanted.user)
            .bind(wanted.issuer)
            .bind(wanted.role.as_str())
            .bind(now_us)
            .bind(expires_us)
            .bind(key)
            .bind(login)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    });
    match inserted {
        // The project was removed since it was looked up.
        Ok(0) => Err(Error::NotFound),
        Ok(_) => Ok(()),
        // The login or the key has ended since it was looked up.
        Err(sqlx::Error::Database(refusal)) if refusal.is_foreign_key_violation() => Err(Error::Unauthorized),
        Err(error) => Err(error.into()),
    }
}

/// Removes what has ended; returns how many rows went.
pub(super) async fn sweep(db: &Db, now_us: i64) -> Result<u64> {
    let mut gone = 0;
    let ended = [
        "delete from login where expires_us <= $1",
        "delete from project_token where expires_us <= $1",
        "delete from api_key where expires_us <= $1",
        "delete from sign_in where expires_us <= $1",
    ];
    for text in ended {
        gone += on_pool!(db, write, pool => {
            sqlx::query(text).bind(now_us).execute(pool).await.map(|done| done.rows_affected())
        })?;
    }
    Ok(gone)
}
