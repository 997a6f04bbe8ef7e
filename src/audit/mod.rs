//! The audit log: who did what to rights, keys and logins. Not the activity of a project, which is its feed's affair.
//!
//! An entry is written in the transaction of what it tells of, so that neither is there without the other.

mod sql;

use std::fmt::Display;
use std::time::SystemTime;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;
use uuid::{Builder, Uuid};

use crate::db::{Db, Tx, now_us};
use crate::error::Result;
use crate::filter::{By, Words};
use crate::ids::{ProjectId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::timestamp::Timestamp;

/// What somebody did.
#[derive(Debug, Clone)]
#[must_use = "it is not written yet"]
pub struct Entry {
    actor: UserId,
    project: Option<ProjectId>,
    action: &'static str,
    about: String,
    detail: Value,
}

impl Entry {
    /// Somebody did something, such as `member.role`, to the user, key, invite or document of this id.
    pub fn new(actor: UserId, action: &'static str, about: impl Display) -> Self {
        Self { actor, project: None, action, about: about.to_string(), detail: json!({}) }
    }

    /// It concerns a project, whose owners may read of it.
    pub fn within(self, project: ProjectId) -> Self {
        Self { project: Some(project), ..self }
    }

    /// More about it; never a secret.
    pub fn saying(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// Writes it, in the transaction of what it tells of.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record(self, tx: &mut Tx) -> Result<()> {
        sql::insert(tx, Uuid::now_v7(), &self, now_us()).await
    }
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

/// Removes entries that were kept long enough.
///
/// # Errors
/// When the database fails.
pub async fn sweep(db: &Db) -> Result<u64> {
    let kept_since = SystemTime::now().checked_sub(limits::AUDIT_KEPT).unwrap_or(SystemTime::UNIX_EPOCH);
    let since = kept_since.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let millis = u64::try_from(since.as_millis()).unwrap_or_default();
    // Ids begin with the time.
    sql::sweep(db, Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid()).await
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
    let needle = words.needle()?;
    let read = |after, limit| sql::list(db, project, after, needle.pattern(), by.author, limit);
    let is_wanted = |entry: &EntryView| needle.is_in(&entry.action);
    Page::sift(page.limit()?, page.after()?, read, |entry| entry.id, is_wanted).await
}
