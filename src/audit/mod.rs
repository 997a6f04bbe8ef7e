//! The audit log: who did what to rights, keys and logins. Not the activity of a project, which is its feed's affair.
//!
//! An entry is written in the transaction of what it tells of, so that neither is there without the other.

mod sql;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{Db, Tx, now_us};
use crate::error::Result;
use crate::filter::{By, Words};
use crate::ids::{ProjectId, UserId};
use crate::page::{Page, PageQuery};
use crate::timestamp::Timestamp;

/// What somebody did.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who did it, if anybody signed in did.
    pub actor: Option<UserId>,
    /// The project it concerns.
    pub project: Option<ProjectId>,
    /// What was done, such as `member.role`.
    pub action: &'static str,
    /// The id of the user, key, invite or document it was done to.
    pub about: String,
    /// More about it; never a secret.
    pub detail: Value,
}

/// An entry as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntryView {
    id: Uuid,
    actor: Option<Actor>,
    project_id: Option<ProjectId>,
    action: String,
    about: String,
    #[schema(value_type = Object)]
    detail: Value,
    created_at: Timestamp,
}

/// Who did it, as they are called now.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = AuditActor)]
struct Actor {
    id: UserId,
    name: String,
}

/// Writes an entry.
///
/// # Errors
/// When the database fails.
pub async fn record(tx: &mut Tx, entry: &Entry) -> Result<()> {
    sql::insert(tx, Uuid::now_v7(), entry, now_us()).await
}

/// Entries of a project, or of the whole server; the newest first. Words are looked for in what was done.
///
/// # Errors
/// A malformed query, or when the database fails.
pub async fn list(
    db: &Db,
    project: Option<ProjectId>,
    page: &PageQuery,
    words: &Words,
    by: By,
) -> Result<Page<EntryView>> {
    let (limit, words) = (page.limit()?, words.pattern()?);
    let entries = sql::list(db, project, page.after()?, words.as_deref(), by.author, limit + 1).await?;
    Ok(Page::cut(entries, limit, |entry| entry.id))
}
