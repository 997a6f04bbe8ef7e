//! The statements over `document` and `document_path`. A document is always read with its head.

use super::{Document, Resolved, Wanted};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::journal::Head;
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct DocumentRow {
    id: DocumentId,
    project_id: ProjectId,
    path: String,
    created_by: UserId,
    created_us: i64,
    deleted_us: Option<i64>,
    head: i64,
    epoch: i64,
}

impl DocumentRow {
    fn document(self) -> Document {
        Document {
            id: self.id,
            project: self.project_id,
            path: self.path,
            head: Head { seq: self.head, epoch: self.epoch },
            created_by: self.created_by,
            created_us: self.created_us,
        }
    }

    fn resolved(row: Option<Self>) -> Resolved {
        match row {
            Some(row) if row.deleted_us.is_none() => Resolved::Live(row.document()),
            Some(_) => Resolved::Deleted,
            None => Resolved::Unknown,
        }
    }
}

const BY_ID: &str = "
    select d.id, d.project_id, d.path, d.created_by, d.created_us, d.deleted_us, h.head, h.epoch
    from document d join document_head h on h.document_id = d.id
    where d.id = $1 and d.project_id = $2";

const BY_PATH: &str = "
    select d.id, d.project_id, d.path, d.created_by, d.created_us, d.deleted_us, h.head, h.epoch
    from document_path p
    join document d on d.id = p.document_id
    join document_head h on h.document_id = d.id
    where p.project_id = $1 and p.path = $2";

pub(super) async fn by_id(db: &Db, project: ProjectId, document: DocumentId) -> Result<Resolved> {
    let row = on_pool!(db, read, pool => {
        sqlx::query_as(BY_ID).bind(document).bind(project).fetch_optional(pool).await
    })?;
    Ok(DocumentRow::resolved(row))
}

pub(super) async fn by_id_in(tx: &mut Tx, project: ProjectId, document: DocumentId) -> Result<Resolved> {
    let row = on_tx!(tx, conn => {
        sqlx::query_as(BY_ID).bind(document).bind(project).fetch_optional(conn).await
    })?;
    Ok(DocumentRow::resolved(row))
}

pub(super) async fn by_path(db: &Db, project: ProjectId, path: &str) -> Result<Resolved> {
    let row = on_pool!(db, read, pool => {
        sqlx::query_as(BY_PATH).bind(project).bind(path).fetch_optional(pool).await
    })?;
    Ok(DocumentRow::resolved(row))
}

pub(super) async fn by_path_in(tx: &mut Tx, project: ProjectId, path: &str) -> Result<Resolved> {
    let row = on_tx!(tx, conn => {
        sqlx::query_as(BY_PATH).bind(project).bind(path).fetch_optional(conn).await
    })?;
    Ok(DocumentRow::resolved(row))
}

/// Living documents in the order they were created.
pub(super) async fn list(db: &Db, project: ProjectId, wanted: Wanted<'_>, limit: i64) -> Result<Vec<Document>> {
    const TEXT: &str = "
        select d.id, d.project_id, d.path, d.created_by, d.created_us, d.deleted_us, h.head, h.epoch
        from document d join document_head h on h.document_id = d.id
        where d.project_id = $1 and d.deleted_us is null and ($2 is null or d.id > $2)
          and ($3 is null or lower(d.path) like lower($3) escape '!')
          and ($4 is null or d.path = $4 or substr(d.path, 1, length($4) + 1) = $4 || '/')
          and ($5 is null or d.created_by = $5 or exists (select 1 from users g where g.id = d.created_by and g.merged_into = $5))
        order by d.id limit $6";
    let rows: Vec<DocumentRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT)
            .bind(project)
            .bind(wanted.after)
            .bind(wanted.words)
            .bind(wanted.folder)
            .bind(wanted.author)
            .bind(limit)
            .fetch_all(pool)
            .await
    })?;
    Ok(rows.into_iter().map(DocumentRow::document).collect())
}

/// The ids of the living documents.
pub(super) async fn living(tx: &mut Tx, project: ProjectId) -> Result<Vec<DocumentId>> {
    const TEXT: &str = "select id from document where project_id = $1 and deleted_us is null order by id";
    let rows: Vec<(DocumentId,)> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

pub(super) async fn paths(tx: &mut Tx, project: ProjectId) -> Result<Vec<String>> {
    const TEXT: &str = "select path from document where project_id = $1 and deleted_us is null";
    let rows: Vec<(String,)> = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_all(conn).await)?;
    Ok(rows.into_iter().map(|(path,)| path).collect())
}

/// How many documents an operator allows a project, if one said so.
pub(super) async fn most(tx: &mut Tx, project: ProjectId) -> Result<Option<i64>> {
    let row: Option<(Option<i64>,)> = on_tx!(tx, conn => {
        sqlx::query_as("select documents_max from project where id = $1").bind(project).fetch_optional(conn).await
    })?;
    Ok(row.and_then(|(most,)| most))
}

pub(super) async fn count(tx: &mut Tx, project: ProjectId) -> Result<i64> {
    const TEXT: &str = "select count(*) from document where project_id = $1 and deleted_us is null";
    let (count,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(project).fetch_one(conn).await)?;
    Ok(count)
}

/// How many deleted documents a project has, as far as they are counted.
pub(super) async fn count_deleted(tx: &mut Tx, project: ProjectId, most: i64) -> Result<i64> {
    const TEXT: &str = "
        select count(*) from (
            select id from document where project_id = $1 and deleted_us is not null limit $2) as deleted";
    let (count,): (i64,) = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(most).fetch_one(conn).await
    })?;
    Ok(count)
}

/// Some documents that were deleted before a moment, with what each takes.
pub(super) async fn deleted_before(db: &Db, before_us: i64, limit: i64) -> Result<Vec<(DocumentId, i64)>> {
    const TEXT: &str = "
        select d.id, h.bytes + 0 * h.head as bytes from document d join document_head h on h.document_id = d.id
        where d.deleted_us < $1 order by d.deleted_us limit $2";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(before_us).bind(limit).fetch_all(pool).await)?)
}

/// The projects in which something was deleted since a moment, and what an operator allows each, if one said so.
pub(super) async fn deleted_in(db: &Db, since_us: i64) -> Result<Vec<(ProjectId, Option<i64>)>> {
    const TEXT: &str = "
        select p.id, p.document_bytes_max from project p
        where p.id in (select d.project_id from document d where d.deleted_us >= $1)";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(since_us).fetch_all(pool).await)?)
}

/// The deleted documents of a project with what each takes, the latest first.
pub(super) async fn deleted_of(db: &Db, project: ProjectId) -> Result<Vec<(DocumentId, i64)>> {
    const TEXT: &str = "
        select d.id, h.bytes + 0 * h.head as bytes from document d join document_head h on h.document_id = d.id
        where d.project_id = $1 and d.deleted_us is not null order by d.deleted_us desc, d.id desc";
    Ok(on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).fetch_all(pool).await)?)
}

/// Removes deleted documents with all that is stored of them.
pub(super) async fn remove(db: &Db, documents: &[(DocumentId, i64)]) -> Result<()> {
    const TEXT: &str = "delete from document where deleted_us is not null and id in (";
    on_pool!(db, write, pool => {
        let mut query = sqlx::QueryBuilder::new(TEXT);
        let mut ids = query.separated(", ");
        for (document, _) in documents {
            ids.push_bind(*document);
        }
        query.push(")");
        query.build().execute(pool).await.map(drop)
    })?;
    Ok(())
}

/// The path of a living document other than `moving` that is where this path would be, above it, or below it.
pub(super) async fn in_the_way(
    tx: &mut Tx,
    project: ProjectId,
    moving: Option<DocumentId>,
    path: &str,
) -> Result<Option<String>> {
    const TEXT: &str = "
        select path from document
        where project_id = $1 and deleted_us is null and ($2 is null or id <> $2)
          and (path = $3
            or substr(path, 1, length($3) + 1) = $3 || '/'
            or substr($3, 1, length(path) + 1) = path || '/')
        limit 1";
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(project).bind(moving).bind(path).fetch_optional(conn).await
    })?;
    Ok(row.map(|(path,)| path))
}

pub(super) async fn insert(
    tx: &mut Tx,
    document: DocumentId,
    project: ProjectId,
    path: &str,
    creator: UserId,
    now_us: i64,
) -> Result<()> {
    const TEXT: &str = "
        insert into document (id, project_id, path, created_by, created_us) values ($1, $2, $3, $4, $5)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(document)
            .bind(project)
            .bind(path)
            .bind(creator)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

pub(super) async fn move_to(tx: &mut Tx, document: DocumentId, path: &str) -> Result<()> {
    on_tx!(tx, conn => {
        sqlx::query("update document set path = $2 where id = $1")
            .bind(document)
            .bind(path)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Makes a path this document's, whosever it was.
pub(super) async fn point(tx: &mut Tx, project: ProjectId, path: &str, document: DocumentId) -> Result<()> {
    const TEXT: &str = "
        insert into document_path (project_id, path, document_id) values ($1, $2, $3)
        on conflict (project_id, path) do update set document_id = excluded.document_id";
    on_tx!(tx, conn => {
        sqlx::query(TEXT).bind(project).bind(path).bind(document).execute(conn).await.map(drop)
    })?;
    Ok(())
}

/// Deletes a living document, and answers the path it had.
pub(super) async fn mark_deleted(
    tx: &mut Tx,
    project: ProjectId,
    document: DocumentId,
    now_us: i64,
) -> Result<Option<String>> {
    const TEXT: &str = "
        update document set deleted_us = $3
        where id = $1 and project_id = $2 and deleted_us is null
        returning path";
    let row: Option<(String,)> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT).bind(document).bind(project).bind(now_us).fetch_optional(conn).await
    })?;
    Ok(row.map(|(path,)| path))
}
