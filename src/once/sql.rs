//! The statements over `request_once`.

use anyhow::Context;
use axum::http::StatusCode;

use super::Kept;
use crate::db::{Db, micros};
use crate::error::Result;
use crate::ids::UserId;
use crate::{limits, on_pool, on_tx};

/// Notes that a request is being carried out, or answers what became of it before.
pub(super) async fn begin(db: &Db, user: UserId, key: [u8; 32], asked: [u8; 32], now_us: i64) -> Result<Kept> {
    const FORGET: &str = "delete from request_once where user_id = $1 and hash = $2 and created_us < $3";
    const BEGIN: &str = "
        insert into request_once (user_id, hash, asked, body, created_us) values ($1, $2, $3, '', $4)
        on conflict (user_id, hash) do nothing";
    const FIND: &str = "select asked, status, body from request_once where user_id = $1 and hash = $2";
    let before_us = now_us.saturating_sub(micros(limits::ONCE_KEPT));
    let mut tx = db.begin().await?;
    on_tx!(&mut tx, conn => {
        sqlx::query(FORGET).bind(user).bind(&key[..]).bind(before_us).execute(conn).await.map(drop)
    })?;
    let begun = on_tx!(&mut tx, conn => {
        let query = sqlx::query(BEGIN).bind(user).bind(&key[..]).bind(&asked[..]).bind(now_us);
        query.execute(conn).await.map(|done| done.rows_affected())
    })?;
    if begun > 0 {
        tx.commit().await?;
        return Ok(Kept::New);
    }
    let found: Option<(Vec<u8>, Option<i64>, String)> = on_tx!(&mut tx, conn => {
        sqlx::query_as(FIND).bind(user).bind(&key[..]).fetch_optional(conn).await
    })?;
    // Forgotten in between: it failed just now.
    let Some((before, status, body)) = found else { return Ok(Kept::Begun) };
    if before != asked {
        return Ok(Kept::Other);
    }
    let Some(status) = status else { return Ok(Kept::Begun) };
    let status = u16::try_from(status).ok().and_then(|status| StatusCode::from_u16(status).ok());
    Ok(Kept::Answered(status.context("an answer of no known status is kept")?, body))
}

pub(super) async fn finish(db: &Db, user: UserId, key: [u8; 32], status: StatusCode, body: &str) -> Result<()> {
    const TEXT: &str = "update request_once set status = $3, body = $4 where user_id = $1 and hash = $2";
    on_pool!(db, write, pool => {
        let query = sqlx::query(TEXT).bind(user).bind(&key[..]).bind(i64::from(status.as_u16())).bind(body);
        query.execute(pool).await.map(drop)
    })?;
    Ok(())
}

pub(super) async fn forget(db: &Db, user: UserId, key: [u8; 32]) -> Result<()> {
    const TEXT: &str = "delete from request_once where user_id = $1 and hash = $2";
    on_pool!(db, write, pool => sqlx::query(TEXT).bind(user).bind(&key[..]).execute(pool).await.map(drop))?;
    Ok(())
}

pub(super) async fn sweep(db: &Db, before_us: i64) -> Result<u64> {
    const TEXT: &str = "delete from request_once where created_us < $1";
    Ok(on_pool!(db, write, pool => {
        sqlx::query(TEXT).bind(before_us).execute(pool).await.map(|done| done.rows_affected())
    })?)
}
