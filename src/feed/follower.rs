//! One follower of a project's feed: by number, live while it keeps up, from the log when it does not.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::hub::{Channel, News};
use super::{Entry, Wanted, sql};
use crate::db::Db;
use crate::error::Result;
use crate::ids::UserId;
use crate::limits;

/// Follows one project. Dropped, it stops.
#[derive(Debug)]
pub struct Follower {
    db: Db,
    channel: Arc<Channel>,
    live: broadcast::Receiver<News>,
    shutdown: CancellationToken,
    /// The last event shown; `None` until it is known where "now" is.
    after: Option<i64>,
    /// Whether the log holds more than was shown: at the beginning, and after falling behind.
    behind: bool,
    /// A page of the log that is being shown.
    page: VecDeque<Entry>,
    /// Whether only some events are wanted. Which is asked of the log, so what comes live is read there again.
    some: bool,
    subject: Option<Uuid>,
    folder: Option<String>,
    actor: Option<UserId>,
}

impl Follower {
    pub(super) fn new(
        db: Db,
        channel: Arc<Channel>,
        shutdown: CancellationToken,
        after: Option<i64>,
        wanted: &Wanted<'_>,
    ) -> Self {
        let live = channel.news.subscribe();
        let &Wanted { subject, folder, actor, .. } = wanted;
        let some = subject.is_some() || folder.is_some() || actor.is_some();
        let (folder, page) = (folder.map(str::to_owned), VecDeque::new());
        Self { db, channel, live, shutdown, behind: after.is_some(), after, page, some, subject, folder, actor }
    }

    /// The number after which it follows; waits until that is known.
    pub async fn position(&mut self) -> i64 {
        let head = self.head().await;
        // Who remembers more than there is, from before a backup was restored, begins where it ends.
        let after = self.after.filter(|after| *after <= head || !self.behind).unwrap_or(head);
        *self.after.insert(after)
    }

    /// The next page of the log: its last number, if there is one, and those of it that are wanted.
    async fn read(&self, after: i64) -> Result<(Option<i64>, Vec<Entry>)> {
        let (db, project) = (&self.db, self.channel.project);
        let all = sql::read(db, project, &Wanted { after, ..Wanted::default() }, limits::FEED_PAGE).await?;
        let Some(last) = all.last().map(|entry| entry.seq) else { return Ok((None, all)) };
        if !self.some {
            return Ok((Some(last), all));
        }
        let (subject, folder, actor) = (self.subject, self.folder.as_deref(), self.actor);
        let wanted = Wanted { after, before: None, subject, folder, actor };
        let mut some = sql::read(db, project, &wanted, limits::FEED_PAGE).await?;
        some.retain(|entry| entry.seq <= last);
        Ok((Some(last), some))
    }

    /// Where the channel stands, once that is known.
    async fn head(&self) -> i64 {
        let mut head = self.channel.head.subscribe();
        // The channel keeps the sender, so this does not fail.
        head.wait_for(Option::is_some).await.ok().and_then(|head| *head).unwrap_or_default()
    }

    /// The next event or signal, every event once and in order; `None` when the server stops. May be broken off at any
    /// time without losing anything.
    pub async fn next(&mut self) -> Option<News> {
        let shutdown = self.shutdown.clone();
        tokio::select! {
            () = shutdown.cancelled() => None,
            news = self.follow() => Some(news),
        }
    }

    async fn follow(&mut self) -> News {
        loop {
            if let Some(entry) = self.page.pop_front() {
                self.after = self.after.max(Some(entry.seq));
                return News::Event(Arc::new(entry));
            }
            let after = self.position().await;
            if self.behind {
                match self.read(after).await {
                    Ok((last, entries)) => {
                        self.behind = last.is_some();
                        if self.some {
                            self.after = self.after.max(last);
                        }
                        self.page = entries.into();
                    }
                    Err(error) => {
                        tracing::warn!(project = %self.channel.project, %error, "a follower cannot read; trying again");
                        sleep(limits::FEED_RETRY).await;
                    }
                }
                continue;
            }
            match self.live.recv().await {
                Ok(News::Event(entry)) if entry.seq <= after => {}
                Ok(News::Event(entry)) if entry.seq == after + 1 && !self.some => {
                    self.after = Some(entry.seq);
                    return News::Event(entry);
                }
                Ok(News::Event(_)) | Err(RecvError::Lagged(_)) => self.behind = true,
                Ok(News::Signal(_)) if self.some => {}
                Ok(News::Signal(signal)) => return News::Signal(signal),
                // The channel is held here, so it is never closed.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
