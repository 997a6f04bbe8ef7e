//! The statements over `blob`. The bytes themselves are read by one of them only.

use anyhow::Context;

use super::{Blob, Hash};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct BlobRow {
    hash: Vec<u8>,
    size: i64,
    media_type: String,
    name: String,
    created_by: UserId,
    created_us: i64,
}

impl BlobRow {
    fn blob(self) -> Result<Blob> {
        let hash: [u8; 32] = self.hash.try_into().ok().context("a hash of another length is stored")?;
        Ok(Blob {
            hash: Hash(hash),
            size: self.size,
            media_type: self.media_type,
            name: self.name,
            created_by: self.created_by,
            created_us: self.created_us,
        })
    }
}

const FIND: &str = "select hash, size, media_type, name, created_by, created_us from blob
    where project_id = $1 and hash = $2";

pub(super) async fn find(db: &Db, project: ProjectId, hash: Hash) -> Result<Option<Blob>> {
    let row: Option<BlobRow> = on_pool!(db, read, pool => {
        sqlx::query_as(FIND).bind(project).bind(&hash.0[..]).fetch_optional(pool).await
    })?;
    row.map(BlobRow::blob).transpose()
}

pub(super) async fn find_in(tx: &mut Tx, project: ProjectId, hash: Hash) -> Result<Option<Blob>> {
    let row: Option<BlobRow> = on_tx!(tx, conn => {
        sqlx::query_as(FIND).bind(project).bind(&hash.0[..]).fetch_optional(conn).await
    })?;
    row.map(BlobRow::blob).transpose()
}

pub(super) async fn bytes(db: &Db, project: ProjectId, hash: Hash) -> Result<Option<Vec<u8>>> {
    let row: Option<(Vec<u8>,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select bytes from blob where project_id = $1 and hash = $2")
            .bind(project)
            .bind(&hash.0[..])
            .fetch_optional(pool)
            .await
    })?;
    Ok(row.map(|(bytes,)| bytes))
}

/// How many bytes a project has stored.
pub(super) async fn used(tx: &mut Tx, project: ProjectId) -> Result<i64> {
    // One row at a time: a sum has another type on Postgres.
    let rows: Vec<(i64,)> = on_tx!(tx, conn => {
        sqlx::query_as("select size from blob where project_id = $1").bind(project).fetch_all(conn).await
    })?;
    Ok(rows.into_iter().map(|(size,)| size).sum())
}

/// How many bytes an operator allows a project, if one said so.
pub(super) async fn most(tx: &mut Tx, project: ProjectId) -> Result<Option<i64>> {
    let row: Option<(Option<i64>,)> = on_tx!(tx, conn => {
        sqlx::query_as("select blob_bytes_max from project where id = $1").bind(project).fetch_optional(conn).await
    })?;
    Ok(row.and_then(|(most,)| most))
}

/// In the order of their hashes, which is that of the index.
pub(super) async fn list(
    db: &Db,
    project: ProjectId,
    after: Option<Hash>,
    words: Option<&str>,
    author: Option<UserId>,
    limit: i64,
) -> Result<Vec<Blob>> {
    const TEXT: &str = "
        select hash, size, media_type, name, created_by, created_us from blob
        where project_id = $1 and ($2 is null or hash > $2)
          and ($3 is null or lower(name) like lower($3) escape '!')
          and ($4 is null or created_by = $4 or exists (select 1 from users g where g.id = created_by and g.merged_into = $4))
        order by hash limit $5";
    let after = after.map(|hash| hash.0.to_vec());
    let rows: Vec<BlobRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(project).bind(after).bind(words).bind(author).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter().map(BlobRow::blob).collect()
}

pub(super) async fn insert(tx: &mut Tx, project: ProjectId, blob: &Blob, bytes: &[u8]) -> Result<()> {
    const TEXT: &str = "
        insert into blob (project_id, hash, size, media_type, name, created_by, created_us, bytes)
        values ($1, $2, $3, $4, $5, $6, $7, $8)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(&blob.hash.0[..])
            .bind(blob.size)
            .bind(&blob.media_type)
            .bind(&blob.name)
            .bind(blob.created_by)
            .bind(blob.created_us)
            .bind(bytes)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Deletes bytes, and answers the name they had.
pub(super) async fn delete(tx: &mut Tx, project: ProjectId, hash: Hash) -> Result<Option<String>> {
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as("delete from blob where project_id = $1 and hash = $2 returning name")
            .bind(project)
            .bind(&hash.0[..])
            .fetch_optional(conn)
            .await
    })?;
    Ok(row.map(|(name,)| name))
}
