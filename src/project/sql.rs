//! The statements over `project`.

use anyhow::Context;

use super::{DeletedView, Project, Visibility};
use crate::access::Role;
use crate::db::{Db, Tx, micros};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::timestamp::Timestamp;
use crate::{limits, on_pool, on_tx};

#[derive(sqlx::FromRow)]
struct ProjectRow {
    id: ProjectId,
    name: String,
    description: String,
    visibility: String,
    created_by: UserId,
    created_us: i64,
}

#[derive(sqlx::FromRow)]
struct MembershipRow {
    #[sqlx(flatten)]
    project: ProjectRow,
    role: String,
}

impl ProjectRow {
    fn project(self) -> Result<Project> {
        let visibility =
            Visibility::from_word(&self.visibility).context("a project of an unknown visibility is stored")?;
        Ok(Project {
            id: self.id,
            name: self.name,
            description: self.description,
            visibility,
            created_by: self.created_by,
            created_us: self.created_us,
        })
    }
}

pub(super) async fn insert(tx: &mut Tx, project: &Project) -> Result<()> {
    const TEXT: &str = "
        insert into project (id, name, description, visibility, created_by, created_us)
        values ($1, $2, $3, $4, $5, $6)";
    on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project.id)
            .bind(&project.name)
            .bind(&project.description)
            .bind(project.visibility.as_str())
            .bind(project.created_by)
            .bind(project.created_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// How many projects somebody made, also as the guest they were, that are not gone for good.
pub(super) async fn made_by(tx: &mut Tx, user: UserId) -> Result<i64> {
    const TEXT: &str = "
        select count(*) from project where created_by in (select id from users where id = $1 or merged_into = $1)";
    let (count,): (i64,) = on_tx!(tx, conn => sqlx::query_as(TEXT).bind(user).fetch_one(conn).await)?;
    Ok(count)
}

pub(super) async fn find(db: &Db, project: ProjectId) -> Result<Option<Project>> {
    const TEXT: &str = "
        select id, name, description, visibility, created_by, created_us
        from project where id = $1 and deleted_us is null";
    let row: Option<ProjectRow> =
        on_pool!(db, read, pool => sqlx::query_as(TEXT).bind(project).fetch_optional(pool).await)?;
    row.map(ProjectRow::project).transpose()
}

/// Whether there ever was a project.
pub(super) async fn is_any(db: &Db) -> Result<bool> {
    let found: Option<(ProjectId,)> = on_pool!(db, read, pool => {
        sqlx::query_as("select id from project limit 1").fetch_optional(pool).await
    })?;
    Ok(found.is_some())
}

/// A living project of a maker that nobody has come into.
pub(super) async fn unclaimed(db: &Db, creator: UserId) -> Result<Option<ProjectId>> {
    const TEXT: &str = "
        select p.id from project p
        where p.created_by = $1 and p.deleted_us is null
          and not exists (select 1 from member m where m.project_id = p.id)
        limit 1";
    let found: Option<(ProjectId,)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(creator).fetch_optional(pool).await
    })?;
    Ok(found.map(|(id,)| id))
}

/// The living projects of a member with the role there, the newest first.
pub(super) async fn of_member(
    db: &Db,
    user: UserId,
    before: Option<ProjectId>,
    words: Option<&str>,
    limit: i64,
) -> Result<Vec<(Project, Role)>> {
    const TEXT: &str = "
        select p.id, p.name, p.description, p.visibility, p.created_by, p.created_us, m.role
        from member m join project p on p.id = m.project_id
        where m.user_id = $1 and p.deleted_us is null and ($2 is null or p.id < $2)
          and ($3 is null or lower(p.name) like lower($3) escape '!')
        order by p.id desc limit $4";
    let rows: Vec<MembershipRow> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(user).bind(before).bind(words).bind(limit).fetch_all(pool).await
    })?;
    rows.into_iter()
        .map(|row| {
            let role = Role::from_word(&row.role).context("an unknown role is stored")?;
            Ok((row.project.project()?, role))
        })
        .collect()
}

/// Who may read a project besides its members, in a transaction that holds its lock.
pub(super) async fn visibility(tx: &mut Tx, project: ProjectId) -> Result<Visibility> {
    let (word,): (String,) = on_tx!(tx, conn => {
        sqlx::query_as("select visibility from project where id = $1").bind(project).fetch_one(conn).await
    })?;
    Ok(Visibility::from_word(&word).context("a project of an unknown visibility is stored")?)
}

/// Changes what is given; `None` when there is no such project.
pub(super) async fn update(
    tx: &mut Tx,
    project: ProjectId,
    name: Option<&str>,
    description: Option<&str>,
    visibility: Option<&str>,
) -> Result<Option<Project>> {
    const TEXT: &str = "
        update project
        set name = coalesce($2, name), description = coalesce($3, description), visibility = coalesce($4, visibility)
        where id = $1 and deleted_us is null
        returning id, name, description, visibility, created_by, created_us";
    let row: Option<ProjectRow> = on_tx!(tx, conn => {
        sqlx::query_as(TEXT)
            .bind(project)
            .bind(name)
            .bind(description)
            .bind(visibility)
            .fetch_optional(conn)
            .await
    })?;
    row.map(ProjectRow::project).transpose()
}

pub(super) async fn mark_deleted(tx: &mut Tx, project: ProjectId, now_us: i64) -> Result<()> {
    on_tx!(tx, conn => {
        sqlx::query("update project set deleted_us = $2 where id = $1")
            .bind(project)
            .bind(now_us)
            .execute(conn)
            .await
            .map(drop)
    })?;
    Ok(())
}

/// Takes a deletion back that is not older than `since_us`; with `owner`, only if they own the project.
pub(super) async fn restore(tx: &mut Tx, project: ProjectId, owner: Option<UserId>, since_us: i64) -> Result<bool> {
    const TEXT: &str = "
        update project set deleted_us = null
        where id = $1 and deleted_us > $3 and ($2 is null or exists (
            select 1 from member m where m.project_id = project.id and m.user_id = $2 and m.role = 'owner'))";
    let restored = on_tx!(tx, conn => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(owner)
            .bind(since_us)
            .execute(conn)
            .await
            .map(|done| done.rows_affected())
    })?;
    Ok(restored == 1)
}

/// The projects of an owner that were deleted after `since_us`, the newest first.
pub(super) async fn deleted(
    db: &Db,
    owner: UserId,
    before: Option<ProjectId>,
    words: Option<&str>,
    since_us: i64,
    limit: i64,
) -> Result<Vec<DeletedView>> {
    const TEXT: &str = "
        select p.id, p.name, p.deleted_us
        from member m join project p on p.id = m.project_id
        where m.user_id = $1 and m.role = 'owner' and p.deleted_us > $2 and ($3 is null or p.id < $3)
          and ($4 is null or lower(p.name) like lower($4) escape '!')
        order by p.id desc limit $5";
    let rows: Vec<(ProjectId, String, i64)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(owner).bind(since_us).bind(before).bind(words).bind(limit).fetch_all(pool).await
    })?;
    let view = |(id, name, deleted_us): (ProjectId, String, i64)| DeletedView {
        id,
        name,
        deleted_at: Timestamp(deleted_us),
        gone_at: Timestamp(deleted_us.saturating_add(micros(limits::PROJECT_GRACE))),
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Some projects that were deleted before `before_us`.
pub(super) async fn expired(db: &Db, before_us: i64) -> Result<Vec<ProjectId>> {
    const TEXT: &str = "select id from project where deleted_us <= $1 order by deleted_us limit $2";
    let rows: Vec<(ProjectId,)> = on_pool!(db, read, pool => {
        sqlx::query_as(TEXT).bind(before_us).bind(limits::PROJECTS_SWEPT).fetch_all(pool).await
    })?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Removes a few documents with all that is stored of them; answers how many.
pub(super) async fn remove_documents(db: &Db, project: ProjectId) -> Result<u64> {
    const TEXT: &str = "
        delete from document where id in (select id from document where project_id = $1 limit $2)";
    Ok(on_pool!(db, write, pool => {
        sqlx::query(TEXT)
            .bind(project)
            .bind(limits::DOCUMENTS_SWEPT)
            .execute(pool)
            .await
            .map(|done| done.rows_affected())
    })?)
}

/// Removes a project unless it was restored meanwhile.
pub(super) async fn remove(db: &Db, project: ProjectId, before_us: i64) -> Result<u64> {
    const TEXT: &str = "delete from project where id = $1 and deleted_us <= $2";
    Ok(on_pool!(db, write, pool => {
        sqlx::query(TEXT).bind(project).bind(before_us).execute(pool).await.map(|done| done.rows_affected())
    })?)
}
