//! Where the followers of a project meet what is appended to its log: one task for each project that is followed reads
//! the log and shows it to all of them.
//!
//! It is rung by commits of this process, and by a poll that finds those of others. *Absent: anything that an append
//! hands over in memory; what is shown has been read back, so it is committed and in order.*

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use dashmap::DashMap;
use parking_lot::Mutex;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::follower::Follower;
use super::{Entry, Event, Signal, Wanted, sql};
use crate::db::{Db, Tx};
use crate::error::Result;
use crate::ids::{MessageId, ProjectId};
use crate::limits;

/// What a follower is shown.
#[derive(Debug, Clone)]
pub enum News {
    /// Something that happened.
    Event(Arc<Entry>),
    /// Something that is told once and not stored, with its JSON.
    Signal(Arc<(Signal, String)>),
}

impl News {
    /// As it is told.
    #[must_use]
    pub fn json(&self) -> &str {
        match self {
            Self::Event(entry) => entry.json(),
            Self::Signal(signal) => &signal.1,
        }
    }

    /// Its number; signals have none.
    #[must_use]
    pub fn seq(&self) -> Option<i64> {
        match self {
            Self::Event(entry) => Some(entry.seq),
            Self::Signal(_) => None,
        }
    }
}

/// The feeds of all projects; cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    db: Db,
    channels: DashMap<ProjectId, Arc<Channel>>,
    /// Messages that are being written here, as far as they were told.
    texts: Mutex<HashMap<MessageId, Text>>,
    /// Projects that were appended to here since somebody asked.
    appended: Mutex<BTreeSet<ProjectId>>,
    /// Rings for that.
    appending: Notify,
    shutdown: CancellationToken,
}

/// A text that is being written.
#[derive(Debug, Default)]
struct Text {
    said: String,
    /// Its length in UTF-16 units.
    units: u64,
    /// Whether its message was deleted, as followers here were told: nothing more is said of it then.
    is_gone: bool,
}

/// What the followers of one project share.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) project: ProjectId,
    /// The latest news. Bounded: who falls behind reads the log.
    pub(super) news: broadcast::Sender<News>,
    /// The last event that is in `news`, or was before it began; `None` until the log was first looked at. It moves
    /// before the events are shown, so who subscribed and then read it misses nothing above it.
    pub(super) head: watch::Sender<Option<i64>>,
    bell: Notify,
}

impl Feed {
    /// Nobody follows yet. It ends with `shutdown`.
    #[must_use]
    pub fn new(db: Db, shutdown: CancellationToken) -> Self {
        Self(Arc::new(Shared {
            db,
            channels: DashMap::new(),
            texts: Mutex::default(),
            appended: Mutex::default(),
            appending: Notify::new(),
            shutdown,
        }))
    }

    /// The database that holds the log.
    #[must_use]
    pub fn db(&self) -> &Db {
        &self.0.db
    }

    /// Commits a transaction that appended to a project's feed, and rings.
    ///
    /// # Errors
    /// When the database did not confirm it; it may be committed all the same, and then it is shown.
    pub async fn commit(&self, tx: Tx, project: ProjectId) -> Result<()> {
        let outcome = tx.commit().await;
        self.ring(project);
        Ok(outcome?)
    }

    /// Says that something was appended to a project's feed; after its commit.
    pub fn ring(&self, project: ProjectId) {
        if let Some(channel) = self.0.channels.get(&project) {
            channel.bell.notify_one();
        }
        self.0.appended.lock().insert(project);
        self.0.appending.notify_one();
    }

    /// The projects that were appended to in this process since this was answered last; waits for one. For one who
    /// looks after all of them.
    pub async fn appended(&self) -> BTreeSet<ProjectId> {
        loop {
            let appended = std::mem::take(&mut *self.0.appended.lock());
            if !appended.is_empty() {
                return appended;
            }
            self.0.appending.notified().await;
        }
    }

    /// Tells more of a message that is being written, and keeps it for who comes later; with nothing more to say, that it
    /// begins, to nobody.
    pub fn write(&self, project: ProjectId, id: MessageId, more: &str) {
        // Told under the lock, so that whoever follows and then reads what was said misses nothing in between.
        let mut texts = self.0.texts.lock();
        let text = texts.entry(id).or_default();
        if text.is_gone || more.is_empty() {
            return;
        }
        let offset = text.units;
        text.said.push_str(more);
        text.units += u64::try_from(more.encode_utf16().count()).unwrap_or(u64::MAX);
        self.signal(project, Signal::MessageDelta { id, offset, text: more.to_owned() });
    }

    /// What was told so far of a message that is being written here.
    #[must_use]
    pub fn written(&self, id: MessageId) -> Option<String> {
        self.0.texts.lock().get(&id).map(|text| text.said.clone())
    }

    /// Nothing more is told of a message that is being written here: the next thing that is told is that it was deleted.
    fn take_back(&self, id: MessageId) {
        if let Some(text) = self.0.texts.lock().get_mut(&id) {
            *text = Text { is_gone: true, ..Text::default() };
        }
    }

    /// Lets go of what was told of a message; it is stored by then.
    pub fn written_down(&self, id: MessageId) {
        self.0.texts.lock().remove(&id);
    }

    /// Tells those who follow a project now, and nobody else.
    pub fn signal(&self, project: ProjectId, signal: Signal) {
        if let Some(channel) = self.0.channels.get(&project)
            && let Ok(json) = serde_json::to_string(&signal)
        {
            // Nobody may be listening.
            let _ = channel.news.send(News::Signal(Arc::new((signal, json))));
        }
    }

    /// Follows a project from after an event; from now on if none is named.
    #[must_use]
    pub fn follow(&self, project: ProjectId, after: Option<i64>) -> Follower {
        self.follow_some(project, after, &Wanted::default())
    }

    /// As [`Feed::follow`], but only what is about the subject, in the folder and by the actor that are wanted, where any of
    /// these is; then there are no signals.
    #[must_use]
    pub fn follow_some(&self, project: ProjectId, after: Option<i64>, wanted: &Wanted<'_>) -> Follower {
        // Subscribed under the map's lock, so that the channel is not dropped as one that nobody follows.
        let channel = self.0.channels.entry(project).or_insert_with(|| {
            let channel = Arc::new(Channel {
                project,
                news: broadcast::Sender::new(limits::FEED_RECENT),
                head: watch::Sender::new(None),
                bell: Notify::new(),
            });
            tokio::spawn(tail(self.clone(), channel.clone()));
            channel
        });
        Follower::new(self.0.db.clone(), channel.clone(), self.0.shutdown.clone(), after, wanted)
    }

    /// Lets go of a channel that nobody follows; false while somebody does.
    fn forget(&self, channel: &Channel) -> bool {
        let nobody = |_: &ProjectId, kept: &Arc<Channel>| kept.news.receiver_count() == 0;
        self.0.channels.remove_if(&channel.project, nobody).is_some()
    }
}

/// Shows the events of one project until nobody follows it.
async fn tail(feed: Feed, channel: Arc<Channel>) {
    loop {
        let pause = match show(&feed, &channel).await {
            Ok(()) => limits::FEED_IDLE,
            Err(error) => {
                tracing::warn!(project = %channel.project, %error, "a feed cannot be read; trying again");
                limits::FEED_RETRY
            }
        };
        tokio::select! {
            () = feed.0.shutdown.cancelled() => return,
            rung = timeout(pause, channel.bell.notified()) => {
                if rung.is_err() && feed.forget(&channel) {
                    return;
                }
            }
        }
    }
}

/// Shows what was appended since the last look.
async fn show(feed: &Feed, channel: &Channel) -> Result<()> {
    let db = &feed.0.db;
    let shown = *channel.head.borrow();
    let Some(mut shown) = shown else {
        let head = super::head(db, channel.project).await?;
        channel.head.send_replace(Some(head));
        return Ok(());
    };
    loop {
        let wanted = Wanted { after: shown, ..Wanted::default() };
        let entries = sql::read(db, channel.project, &wanted, limits::FEED_PAGE).await?;
        let Some(last) = entries.last() else { return Ok(()) };
        shown = last.seq;
        channel.head.send_replace(Some(shown));
        for entry in entries {
            if let Some(Event::MessageDeleted { id, .. }) = deletion(&entry) {
                feed.take_back(id);
            }
            let _ = channel.news.send(News::Event(Arc::new(entry)));
        }
    }
}

/// The event, where it tells that a message was deleted.
fn deletion(entry: &Entry) -> Option<Event> {
    if entry.kind() == "message.deleted" { entry.event() } else { None }
}

/// Looks for what other processes appended to feeds that are followed here, until the server stops.
pub async fn run(feed: Feed) {
    loop {
        tokio::select! {
            () = feed.0.shutdown.cancelled() => return,
            () = sleep(limits::FEED_POLL) => {}
        }
        let followed: Vec<ProjectId> = feed.0.channels.iter().map(|channel| channel.project).collect();
        for projects in followed.chunks(limits::FEED_POLL_PROJECTS) {
            match sql::heads(&feed.0.db, projects).await {
                Ok(heads) => heads.into_iter().for_each(|(project, head)| feed.look(project, head)),
                // Those who read find out for themselves, and say so.
                Err(error) => tracing::debug!(%error, "feeds cannot be polled"),
            }
        }
    }
}

impl Feed {
    fn look(&self, project: ProjectId, head: i64) {
        if let Some(channel) = self.0.channels.get(&project)
            && channel.head.borrow().is_none_or(|shown| shown < head)
        {
            channel.bell.notify_one();
        }
    }
}
