//! The feed of a project: a log of what happened in it, read in pages or followed live.
//!
//! An event is appended in the transaction of the change that it tells, numbered under the lock of the feed's head. So
//! what is read here is committed, in order and without a gap. Followers share what one task reads from the log
//! (`hub`); there is no queue per follower. Signals ride along and are not stored.

mod event;
mod follower;
mod hub;
mod sql;

use std::sync::Arc;

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

pub use self::event::{Event, Person, Signal};
pub use self::follower::Follower;
pub use self::hub::{Feed, News, run};

use crate::db::{Db, Tx, now_us};
use crate::error::Result;
use crate::ids::{ProjectId, UserId};
use crate::timestamp::Timestamp;

/// Who did something, as they are called now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Actor {
    /// The principal; who was a guest then is who they became.
    pub id: UserId,
    /// Shown to others.
    pub name: String,
    /// guest, person, external or assistant.
    pub kind: String,
}

/// One event of the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Its number: 1, 2, 3, … in its project.
    pub seq: i64,
    /// When it happened, in microseconds since 1970.
    pub at_us: i64,
    /// Who did it; none for the server itself.
    pub actor: Option<Actor>,
    kind: String,
    /// The event as everybody is told it, encoded once.
    json: Arc<str>,
}

impl Entry {
    /// Puts together what is stored.
    fn new(seq: i64, at_us: i64, kind: String, actor: Option<Actor>, data: &str) -> anyhow::Result<Self> {
        #[derive(Serialize)]
        struct Told<'a> {
            seq: i64,
            #[serde(rename = "type")]
            kind: &'a str,
            at: Timestamp,
            actor: &'a Option<Actor>,
            #[serde(flatten)]
            data: Map<String, Value>,
        }
        let data: Map<String, Value> = serde_json::from_str(data)?;
        let told = Told { seq, kind: &kind, at: Timestamp(at_us), actor: &actor, data };
        let json = serde_json::to_string(&told)?.into();
        Ok(Self { seq, at_us, actor, kind, json })
    }

    /// Its stable name.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// As everybody is told it.
    #[must_use]
    pub fn json(&self) -> &Arc<str> {
        &self.json
    }

    /// What it says; `None` for what a newer server wrote, or what was taken out.
    #[must_use]
    pub fn event(&self) -> Option<Event> {
        serde_json::from_str(&self.json).ok()
    }
}

/// Which events of a project are wanted.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wanted<'a> {
    /// Only those after this number, the oldest first.
    pub after: i64,
    /// Instead: only those before this number, the newest first.
    pub before: Option<i64>,
    /// Only those about this document, message or person.
    pub subject: Option<uuid::Uuid>,
    /// Only those about documents that are or were at this path, or below it.
    pub folder: Option<&'a str>,
    /// Only what this user did.
    pub actor: Option<UserId>,
}

/// Appends events in the transaction of the change they tell, and answers the number of the last. The feed's head is
/// locked from here on, so this comes last, and after the commit the feed is rung: [`Feed::commit`] does both.
///
/// # Errors
/// When the database refuses.
pub async fn append(tx: &mut Tx, project: ProjectId, actor: Option<UserId>, events: &[Event]) -> Result<i64> {
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let head = sql::advance(tx, project, count).await?;
    for (seq, event) in (head - count + 1..).zip(events) {
        let (kind, data) = event.parts()?;
        sql::insert(tx, project, seq, &kind, actor, event.subject(), &data, now_us()).await?;
    }
    Ok(head)
}

/// Locks a project's feed for the rest of a transaction, for what is decided by what it says.
///
/// # Errors
/// When the database refuses.
pub async fn lock(tx: &mut Tx, project: ProjectId) -> Result<()> {
    sql::advance(tx, project, 0).await.map(drop)
}

/// Takes out what the log says of something: its events keep their numbers and names, and say `data` instead.
///
/// # Errors
/// When the database refuses.
pub async fn redact(tx: &mut Tx, project: ProjectId, subject: uuid::Uuid, data: &Value) -> Result<()> {
    sql::redact(tx, project, subject, &data.to_string()).await
}

/// The number of the last event; 0 before the first.
///
/// # Errors
/// When the database fails.
pub async fn head(db: &Db, project: ProjectId) -> Result<i64> {
    Ok(sql::heads(db, &[project]).await?.first().map_or(0, |(_, head)| *head))
}

/// Events of the log, at most `limit`.
///
/// # Errors
/// When the database fails.
pub async fn read(db: &Db, project: ProjectId, wanted: &Wanted<'_>, limit: i64) -> Result<Vec<Entry>> {
    sql::read(db, project, wanted, limit).await
}
