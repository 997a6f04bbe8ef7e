//! The feed as server-sent events, for as long as its reader may read.

use std::convert::Infallible;

use axum::response::Sse;
use axum::response::sse::{self, KeepAlive};
use futures_util::{Stream, stream};
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::{Instant, sleep_until};

use crate::access::{self, Access};
use crate::auth::Caller;
use crate::door::{Sitting, Visit};
use crate::feed::{Follower, News, Wanted};
use crate::ids::ProjectId;
use crate::limits;
use crate::rights::Change;
use crate::state::AppState;

/// One reader.
struct Reader {
    state: AppState,
    project: ProjectId,
    caller: Caller,
    follower: Follower,
    rights: broadcast::Receiver<Option<Change>>,
    /// When to look again whether the reader may read; some rights end without a bell.
    look_at: Instant,
    greeted: bool,
    _seat: Seat,
}

/// As what a stream counts: towards the address it came from, unless its connection does, and towards whose it is.
pub(super) type Seat = (Option<Visit>, Sitting);

/// Streams the events after a number that are wanted, then what happens. The first event says after which number it begins.
pub(super) fn follow(
    state: AppState,
    access: Access,
    after: Option<i64>,
    wanted: &Wanted<'_>,
    seat: Seat,
) -> Sse<impl Stream<Item = Result<sse::Event, Infallible>> + use<>> {
    let reader = Reader {
        project: access.project,
        caller: access.caller,
        follower: state.feed.follow_some(access.project, after, wanted),
        _seat: seat,
        rights: state.rights.follow(),
        look_at: Instant::now() + limits::FEED_RIGHTS,
        greeted: false,
        state,
    };
    let events = stream::unfold(reader, |mut reader| async move {
        let event = reader.next().await?;
        Some((Ok(event), reader))
    });
    Sse::new(events).keep_alive(KeepAlive::new().interval(limits::KEEP_ALIVE))
}

impl Reader {
    /// The next event; `None` when the reader may read no more, or the server stops.
    async fn next(&mut self) -> Option<sse::Event> {
        if !self.greeted {
            self.greeted = true;
            let after = self.follower.position().await;
            let told = json!({ "type": "feed.following", "after": after });
            return Some(sse::Event::default().id(after.to_string()).data(told.to_string()));
        }
        loop {
            tokio::select! {
                // Rights first: what happens after they ended is not for this reader.
                biased;
                changed = self.rights.recv() => {
                    let change = changed.ok().flatten();
                    let concerned = change.is_none_or(|change| self.caller.is_concerned(change, self.project));
                    if concerned && !self.may_read().await {
                        return None;
                    }
                }
                () = sleep_until(self.look_at) => {
                    if !self.may_read().await {
                        return None;
                    }
                }
                news = self.follower.next() => return news.map(|news| told(&news)),
            }
        }
    }

    async fn may_read(&mut self) -> bool {
        self.look_at = Instant::now() + limits::FEED_RIGHTS;
        match access::recheck(&self.state.db, &self.caller, self.project).await {
            Ok((_, role)) => role.can_read(),
            Err(error) => {
                tracing::debug!(%error, "rights cannot be looked up; a stream of events ends");
                false
            }
        }
    }
}

fn told(news: &News) -> sse::Event {
    let event = sse::Event::default().data(news.json());
    match news.seq() {
        Some(seq) => event.id(seq.to_string()),
        None => event,
    }
}
