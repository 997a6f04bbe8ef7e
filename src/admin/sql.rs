//! The statements by which operators look over users and projects.

use super::{AdminProject, AdminUser, Quotas};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::quota::bytes_where;
use crate::timestamp::Timestamp;
use crate::{on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct AdminUserRow {
    id: UserId,
    name: String,
    kind: String,
    github_id: Option<i64>,
    github_login: Option<String>,
    created_us: i64,
    suspended_us: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ProjectRow {
    id: ProjectId,
    name: String,
    visibility: String,
    members: i64,
    documents: i64,
    documents_max: Option<i64>,
    blob_bytes_max: Option<i64>,
    document_bytes: i64,
    document_bytes_max: Option<i64>,
    created_us: i64,
    deleted_us: Option<i64>,
}

impl AdminUserRow {
    fn user(self) -> AdminUser {
        AdminUser {
            id: self.id,
            name: self.name,
            kind: self.kind,
            github_id: self.github_id,
            github_login: self.github_login,
            created_at: Timestamp(self.created_us),
            suspended_at: self.suspended_us.map(Timestamp),
        }
    }
}

impl ProjectRow {
    fn project(self) -> AdminProject {
        AdminProject {
            id: self.id,
            name: self.name,
            visibility: self.visibility,
            members: self.members,
            documents: self.documents,
            documents_max: self.documents_max,
            blob_bytes_max: self.blob_bytes_max,
            document_bytes: self.document_bytes,
            document_bytes_max: self.document_bytes_max,
            created_at: Timestamp(self.created_us),
            deleted_at: self.deleted_us.map(Timestamp),
        }
    }
}

macro_rules! project_columns {
    () => {
        concat!(
            "select p.id, p.name, p.visibility, p.documents_max, p.blob_bytes_max, p.document_bytes_max, p.created_us,
                p.deleted_us, (select count(*) from member m where m.project_id = p.id) as members,
                (select count(*) from document d where d.project_id = p.id and d.deleted_us is null) as documents, ",
            bytes_where!("is null"),
            " as document_bytes from project p"
        )
    };
}

/// Everybody who did not become somebody else, the newest first.
pub(super) async fn users(db: &Db, before: Option<UserId>, words: Option<&str>, limit: i64) -> Result<Vec<AdminUser>> {
    const TEXT: &str = "
        select id, name, kind, github_id, github_login, created_us, suspended_us from users
        where merged_into is null and ($1 is null or id < $1)
          and ($2 is null or lower(name) like lower($2) escape '!' or lower(github_login) like lower($2) escape '!')
        order by id desc limit $3";
    let rows: Vec<AdminUserRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(before).bind(words).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(AdminUserRow::user).collect())
}

pub(super) async fn user(db: &Db, user: UserId) -> Result<Option<AdminUser>> {
    const TEXT: &str = "
        select id, name, kind, github_id, github_login, created_us, suspended_us from users where id = $1";
    let row: Option<AdminUserRow> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(user).fetch_optional(pool).await)?;
    Ok(row.map(AdminUserRow::user))
}

/// All projects, deleted ones too, the newest first.
pub(super) async fn projects(
    db: &Db,
    before: Option<ProjectId>,
    words: Option<&str>,
    author: Option<UserId>,
    limit: i64,
) -> Result<Vec<AdminProject>> {
    const TEXT: &str = concat!(
        project_columns!(),
        "
        where ($1 is null or p.id < $1) and ($2 is null or lower(p.name) like lower($2) escape '!')
          and ($3 is null or p.created_by = $3 or exists (select 1 from users g where g.id = p.created_by and g.merged_into = $3))
        order by p.id desc limit $4"
    );
    let rows: Vec<ProjectRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(before).bind(words).bind(author).bind(limit).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(ProjectRow::project).collect())
}

pub(super) async fn project(db: &Db, project: ProjectId) -> Result<Option<AdminProject>> {
    const TEXT: &str = concat!(project_columns!(), " where p.id = $1");
    let row: Option<ProjectRow> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).fetch_optional(pool).await)?;
    Ok(row.map(ProjectRow::project))
}

pub(super) async fn set_quotas(tx: &mut Tx, project: ProjectId, quotas: Quotas) -> Result<bool> {
    const TEXT: &str = "
        update project set documents_max = $2, blob_bytes_max = $3, document_bytes_max = $4
        where id = $1";
    let changed = on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(quotas.documents_max)
            .bind(quotas.blob_bytes_max)
            .bind(quotas.document_bytes_max)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(changed == 1)
}
