//! What operators do: look after users, projects and documents of the whole server. What is in the projects is none of
//! their business, and not told here.

mod routes;
mod sql;

use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

pub use self::routes::routes;

use crate::audit::Entry;
use crate::auth;
use crate::db::Db;
use crate::error::{Error, Result};
use crate::filter::{By, Words};
use crate::ids::{DocumentId, ProjectId, UserId};
use crate::page::{Page, PageQuery};
use crate::rights::Rights;
use crate::timestamp::Timestamp;

/// A user as operators see them.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct AdminUser {
    id: UserId,
    name: String,
    /// guest, person, external or assistant.
    kind: String,
    #[schema(required)]
    github_id: Option<i64>,
    #[schema(required)]
    github_login: Option<String>,
    created_at: Timestamp,
    #[schema(required)]
    suspended_at: Option<Timestamp>,
}

/// What shall change in a user.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
struct UserChange {
    /// Shut out, or let in again.
    suspended: bool,
}

/// A project as operators see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct AdminProject {
    id: ProjectId,
    name: String,
    visibility: String,
    members: i64,
    documents: i64,
    /// What it may have instead of the server's limit; null: that.
    #[schema(required)]
    documents_max: Option<i64>,
    /// What its files that are no documents may take together, in bytes, instead of the server's limit; null: that.
    #[schema(required)]
    blob_bytes_max: Option<i64>,
    /// What its documents take together, in bytes.
    document_bytes: i64,
    /// What they may take instead of the server's limit; null: that.
    #[schema(required)]
    document_bytes_max: Option<i64>,
    created_at: Timestamp,
    #[schema(required)]
    deleted_at: Option<Timestamp>,
}

/// A project's quotas, all of them; null for the server's limit.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
struct Quotas {
    documents_max: Option<i64>,
    blob_bytes_max: Option<i64>,
    document_bytes_max: Option<i64>,
}

/// A document whose text cannot be had, or that cost a worker.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Quarantined {
    document_id: DocumentId,
    crashes: i64,
    reason: String,
    set_aside: bool,
}

async fn users(db: &Db, page: &PageQuery, words: &Words) -> Result<Page<AdminUser>> {
    let needle = words.needle()?;
    let read = |after, limit| sql::users(db, after, needle.pattern(), limit);
    let is_wanted =
        |user: &AdminUser| needle.is_in(&user.name) || user.github_login.as_deref().is_some_and(|at| needle.is_in(at));
    Page::sift(page.limit()?, page.after()?, read, |user| user.id, is_wanted).await
}

/// Shuts a user out, or lets them in again; nobody does that to themselves.
async fn change_user(db: &Db, rights: &Rights, actor: UserId, user: UserId, change: UserChange) -> Result<AdminUser> {
    if actor == user && change.suspended {
        return Err(Error::conflict("yourself", "you cannot shut yourself out; another operator can"));
    }
    let mut tx = db.begin().await?;
    let action = if change.suspended { "user.suspended" } else { "user.restored" };
    Entry::new(actor, action, user).record(&mut tx).await?;
    auth::suspend(&mut tx, user, change.suspended).await?;
    tx.commit().await?;
    rights.look();
    sql::user(db, user).await?.ok_or(Error::NotFound)
}

async fn projects(db: &Db, page: &PageQuery, words: &Words, by: By) -> Result<Page<AdminProject>> {
    let needle = words.needle()?;
    let read = |after, limit| sql::projects(db, after, needle.pattern(), by.author, limit);
    let is_wanted = |project: &AdminProject| needle.is_in(&project.name);
    Page::sift(page.limit()?, page.after()?, read, |project| project.id, is_wanted).await
}

async fn set_quotas(db: &Db, actor: UserId, project: ProjectId, quotas: Quotas) -> Result<AdminProject> {
    if [quotas.documents_max, quotas.blob_bytes_max, quotas.document_bytes_max].iter().flatten().any(|most| *most < 0) {
        return Err(Error::invalid("bad_quota", "a quota is a number from 0 on, or null for the server's limit"));
    }
    let mut tx = db.begin().await?;
    if !sql::set_quotas(&mut tx, project, quotas).await? {
        return Err(Error::NotFound);
    }
    let detail = json!({
        "documents_max": quotas.documents_max,
        "blob_bytes_max": quotas.blob_bytes_max,
        "document_bytes_max": quotas.document_bytes_max,
    });
    Entry::new(actor, "project.quotas", project).within(project).saying(detail).record(&mut tx).await?;
    tx.commit().await?;
    sql::project(db, project).await?.ok_or(Error::NotFound)
}
