//! One follower of a project's feed: by number, live while it keeps up, from the log when it does not.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::hub::{Channel, News};
use super::{Entry, Wanted, sql};
use crate::db::Db;
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
}

impl Follower {
    pub(super) fn new(db: Db, channel: Arc<Channel>, shutdown: CancellationToken, after: Option<i64>) -> Self {
        let live = channel.news.subscribe();
        Self { db, channel, live, shutdown, behind: after.is_some(), after, page: VecDeque::new() }
    }

    /// The number after which it follows; waits until that is known.
    pub async fn position(&mut self) -> i64 {
        let head = self.head().await;
        // Who remembers more than there is, from before a backup was restored, begins where it ends.
        let after = self.after.filter(|after| *after <= head || !self.behind).unwrap_or(head);
        *self.after.insert(after)
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
                self.after = Some(entry.seq);
                return News::Event(Arc::new(entry));
            }
            let after = self.position().await;
            if self.behind {
                let wanted = Wanted { after, ..Wanted::default() };
                match sql::read(&self.db, self.channel.project, &wanted, limits::FEED_PAGE).await {
                    Ok(entries) => {
                        self.behind = !entries.is_empty();
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
                Ok(News::Event(entry)) if entry.seq == after + 1 => {
                    self.after = Some(entry.seq);
                    return News::Event(entry);
                }
                Ok(News::Event(_)) | Err(RecvError::Lagged(_)) => self.behind = true,
                Ok(News::Signal(signal)) => return News::Signal(signal),
                // The channel is held here, so it is never closed.
                Err(RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}
