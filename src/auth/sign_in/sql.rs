//! The statements over `sign_in`, and of `users` those that know GitHub.

use super::Pending;
use super::next::Next;
use crate::auth::secret::Digest;
use crate::auth::sql::UserRow;
use crate::auth::user::User;
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::github::Profile;
use crate::{limits, on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct PersonRow {
    #[sqlx(flatten)]
    user: UserRow,
    suspended_us: Option<i64>,
}

/// Notes a sign-in that begins. The browser's oldest make room.
pub(super) async fn insert(db: &Db, pending: &Pending) -> Result<()> {
    const MAKE_ROOM: &str = "
        delete from sign_in
        where browser_hash = $1 and hash not in (
            select hash from sign_in where browser_hash = $1 order by expires_us desc limit $2)";
    const TEXT: &str = "
        insert into sign_in (hash, browser_hash, verifier, next, expires_us) values ($1, $2, $3, $4, $5)";
    let mut tx = db.begin().await?;
    on_tx!(&mut tx, conn => {
        sqlx::query(MAKE_ROOM)
            .bind(pending.browser.bytes())
            .bind(limits::SIGN_INS_PER_BROWSER - 1)
            .execute(conn)
            .await
            .map(drop)
    })?;
    on_tx!(&mut tx, conn => {
        sqlx::query(TEXT)
            .bind(pending.hash.bytes())
            .bind(pending.browser.bytes())
            .bind(&pending.verifier)
            .bind(pending.next.as_str())
            .bind(pending.expires_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    tx.commit().await?;
    Ok(())
}

/// Takes a sign-in away, for the browser that began it, if it has not expired.
pub(super) async fn take(db: &Db, hash: Digest, browser: Digest, now_us: i64) -> Result<Option<Pending>> {
    const TEXT: &str = "
        delete from sign_in where hash = $1 and browser_hash = $2 and expires_us > $3
        returning verifier, next, expires_us";
    let row: Option<(String, String, i64)> = on_pool!(db, write, pool => {
        sqlx::query_as(TEXT).bind(hash.bytes()).bind(browser.bytes()).bind(now_us).fetch_optional(pool).await
    })?;
    Ok(row.map(|(verifier, next, expires_us)| {
        // It was one of ours when it was stored; what is none any more leads home.
        let next: Next = next.parse().unwrap_or_default();
        Pending { hash, browser, verifier, next, expires_us }
    }))
}

/// Sign-ins take turns, so that one is the first. The lock is the one that changes of rights are numbered under.
pub(super) async fn lock(tx: &mut Tx) -> Result<()> {
    on_tx!(tx, conn => {
        sqlx::query("update rights_head set head = head where id = 1").execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Takes a GitHub name away from whoever had it before; they were renamed there, or gave it up.
pub(super) async fn free_name(tx: &mut Tx, profile: &Profile) -> Result<()> {
    const TEXT: &str = "update users set github_login = null where lower(github_login) = lower($1) and github_id <> $2";
    on_tx!(tx, conn => sqlx::query(TEXT).bind(&profile.login).bind(profile.id).execute(conn).await.map(drop))?;
    Ok(())
}

/// The user of a GitHub account, made or brought up to date, and whether they are shut out. The first of all looks after
/// the server.
pub(super) async fn put_person(tx: &mut Tx, user: &User, profile: &Profile, now_us: i64) -> Result<(User, bool)> {
    const TEXT: &str = "
        insert into users (id, name, kind, avatar, github_id, github_login, operator, created_us)
        values ($1, $2, $3, $4, $5, $6,
            case when exists (select 1 from users where github_id is not null) then 0 else 1 end, $7)
        on conflict (github_id)
        do update set name = excluded.name, avatar = excluded.avatar, github_login = excluded.github_login
        returning id, name, kind, avatar, color, suspended_us";
    let row: PersonRow = on_tx!(tx, conn => {
        sqlx::query_as(TEXT)
            .bind(user.id)
            .bind(&user.name)
            .bind(user.kind.as_str())
            .bind(&user.avatar)
            .bind(profile.id)
            .bind(&profile.login)
            .bind(now_us)
            .fetch_one(conn)
            .await
    })?;
    Ok((row.user.user()?, row.suspended_us.is_some()))
}
