//! Sessions: the live meetings of projects, from the first participant to come until the last has left.
//!
//! Sockets say who comes and goes (`arrive`, and the drop of what it answers). One task writes that down, some time
//! later and again if the database is away; a short absence is none. A run of a server says every few seconds who is
//! there; what a killed one left open is closed by any other, at the moment it was last seen.

mod sql;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::db::{Db, micros, now_us};
use crate::error::Result;
use crate::feed::{self, Actor, Event, Feed, Person};
use crate::filter::By;
use crate::ids::{ProjectId, SessionId, UserId};
use crate::limits;
use crate::page::{Page, PageQuery};
use crate::timestamp::Timestamp;

/// Who is in which project, as this process sees it; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sessions(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    feed: Feed,
    /// This run of the server.
    run: Uuid,
    here: Mutex<HashMap<(ProjectId, UserId), Here>>,
    bell: Notify,
    shutdown: CancellationToken,
}

/// Somebody who is in a project, or was a moment ago.
#[derive(Debug)]
struct Here {
    name: String,
    connections: usize,
    /// The row of this stay.
    stay: Uuid,
    /// Whether that row is written.
    written: bool,
    joined_us: i64,
    /// When the last connection went, and when that counts.
    left: Option<(i64, Instant)>,
}

/// Somebody's place in a session. Dropped, it is given up.
#[derive(Debug)]
pub struct Attendance {
    sessions: Sessions,
    project: ProjectId,
    user: UserId,
}

/// A stay that is to be written down.
#[derive(Debug, Clone)]
struct Stay {
    id: Uuid,
    user: Person,
    joined_us: i64,
}

/// What is to be written down of one project.
#[derive(Debug, Default)]
struct Change {
    joined: Vec<Stay>,
    /// With the moment of leaving.
    left: Vec<(Stay, i64)>,
}

/// A session as the API tells it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    id: SessionId,
    started_at: Timestamp,
    /// Null while it lasts.
    #[schema(required)]
    ended_at: Option<Timestamp>,
    participants: Vec<ParticipantView>,
}

/// Somebody who took part: from first coming to last going.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ParticipantView {
    #[serde(flatten)]
    user: Actor,
    joined_at: Timestamp,
    /// Null while they are there.
    #[schema(required)]
    left_at: Option<Timestamp>,
}

impl Sessions {
    /// Nobody is anywhere yet. It ends with `shutdown`.
    #[must_use]
    pub fn new(feed: Feed, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Shared { feed, run: Uuid::now_v7(), here: Mutex::default(), bell: Notify::new(), shutdown }))
    }

    /// Somebody came into a project, by one connection of perhaps several.
    #[must_use]
    pub fn arrive(&self, project: ProjectId, user: UserId, name: &str) -> Attendance {
        let mut here = self.0.here.lock();
        let entry = here.entry((project, user)).or_insert_with(|| Here {
            name: name.to_owned(),
            connections: 0,
            stay: Uuid::now_v7(),
            written: false,
            joined_us: now_us(),
            left: None,
        });
        entry.connections += 1;
        entry.left = None;
        if !entry.written {
            self.0.bell.notify_one();
        }
        Attendance { sessions: self.clone(), project, user }
    }

    fn depart(&self, project: ProjectId, user: UserId) {
        if let Some(entry) = self.0.here.lock().get_mut(&(project, user)) {
            entry.connections = entry.connections.saturating_sub(1);
            if entry.connections == 0 {
                entry.left = Some((now_us(), Instant::now() + limits::SESSION_GRACE));
            }
        }
    }

    /// What is to be written down now, project by project.
    fn due(&self) -> HashMap<ProjectId, Change> {
        let now = Instant::now();
        let mut changes: HashMap<ProjectId, Change> = HashMap::new();
        self.0.here.lock().retain(|&(project, user), entry| {
            let stay = || Stay {
                id: entry.stay,
                user: Person { id: user, name: entry.name.clone() },
                joined_us: entry.joined_us,
            };
            match entry.left {
                None if !entry.written => changes.entry(project).or_default().joined.push(stay()),
                Some((at_us, counts)) if counts <= now => {
                    // Who came and went before it was written down was never there.
                    if !entry.written {
                        return false;
                    }
                    changes.entry(project).or_default().left.push((stay(), at_us));
                }
                Some(_) | None => {}
            }
            true
        });
        changes
    }

    /// Notes what was written down.
    fn done(&self, project: ProjectId, change: &Change) {
        let mut here = self.0.here.lock();
        for stay in &change.joined {
            if let Some(entry) = here.get_mut(&(project, stay.user.id)) {
                entry.written = true;
            }
        }
        for (stay, _) in &change.left {
            let key = (project, stay.user.id);
            if here.get(&key).is_some_and(|entry| entry.connections == 0) {
                here.remove(&key);
            } else if let Some(entry) = here.get_mut(&key) {
                // Back again meanwhile: another stay.
                (entry.stay, entry.written, entry.joined_us) = (Uuid::now_v7(), false, now_us());
            }
        }
    }

    async fn write_down(&self) {
        for (project, change) in self.due() {
            match record(&self.0.feed, self.0.run, project, &change).await {
                Ok(()) => self.done(project, &change),
                Err(error) => tracing::warn!(%project, %error, "who is there cannot be written down; trying again"),
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let db = self.0.feed.db();
        sql::beat(db, self.0.run, now_us()).await?;
        for (project, id, user, joined_us, seen_us) in sql::unseen(db, now_us() - micros(limits::SESSION_LOST)).await? {
            let change = Change { joined: Vec::new(), left: vec![(Stay { id, user, joined_us }, seen_us)] };
            record(&self.0.feed, self.0.run, project, &change).await?;
        }
        Ok(())
    }
}

impl Drop for Attendance {
    fn drop(&mut self) {
        self.sessions.depart(self.project, self.user);
    }
}

/// Writes down who comes and goes until the server stops. What is open then stays so: who comes back to the server that
/// follows goes on in the same session, the others are found missing by it.
pub async fn run(sessions: Sessions) {
    let mut beat_at = Instant::now();
    loop {
        if beat_at <= Instant::now() {
            beat_at = Instant::now() + limits::SESSION_BEAT;
            if let Err(error) = sessions.beat().await {
                tracing::warn!(%error, "it cannot be written down who is still there");
            }
        }
        tokio::select! {
            () = sessions.0.shutdown.cancelled() => return,
            // Those who come together are written down together.
            () = async { sessions.0.bell.notified().await; sleep(limits::SESSION_GATHER).await } => {}
            () = sleep(limits::SESSION_LOOK) => {}
        }
        sessions.write_down().await;
    }
}

/// Writes down who came and went in one project, and tells it.
async fn record(feed: &Feed, run: Uuid, project: ProjectId, change: &Change) -> Result<()> {
    let mut tx = feed.db().begin().await?;
    // Servers take turns here, so there is one session and each coming and going is told once.
    feed::lock(&mut tx, project).await?;
    let mut events = Vec::new();
    let mut session = sql::open_session(&mut tx, project).await?;
    for stay in &change.joined {
        let session_id = match session {
            Some(session) => session,
            None => *session.insert(sql::begin(&mut tx, project, stay.joined_us).await?),
        };
        if !sql::is_there(&mut tx, session_id, stay.user.id).await? {
            events.push((stay.user.id, Event::PersonJoined { user: stay.user.clone(), session_id }));
        }
        sql::insert_stay(&mut tx, session_id, run, stay, now_us()).await?;
    }
    for (stay, left_us) in &change.left {
        let Some(session_id) = sql::end_stay(&mut tx, stay.id, *left_us).await? else { continue };
        if !sql::is_there(&mut tx, session_id, stay.user.id).await? {
            events.push((stay.user.id, Event::PersonLeft { user: stay.user.clone(), session_id }));
        }
        sql::end_if_empty(&mut tx, session_id).await?;
    }
    for (user, event) in events {
        feed::append(&mut tx, project, Some(user), &[event]).await?;
    }
    feed.commit(tx, project).await
}

/// Who is in a project's session now, at any server; nobody where none is.
///
/// # Errors
/// When the database fails.
pub async fn people(db: &Db, project: ProjectId) -> Result<Vec<UserId>> {
    sql::people(db, project).await
}

/// The sessions of a project, the latest first; with an author, those that they took part in.
///
/// # Errors
/// `bad_limit`, `bad_cursor`, or when the database fails.
pub async fn list(db: &Db, project: ProjectId, page: &PageQuery, by: By) -> Result<Page<SessionView>> {
    let limit = page.limit()?;
    let sessions = sql::sessions(db, project, page.after()?, by.author, limit + 1).await?;
    let mut page = Page::cut(sessions, limit, |session| session.id);
    sql::participants(db, &mut page.items).await?;
    Ok(page)
}
