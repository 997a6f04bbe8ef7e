//! A project's feed on a socket: what happens, as frames beside the project's room; and the part in the project's session.

use std::future::pending;
use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::slot::Standing;
use super::wire::Out;
use crate::auth::User;
use crate::feed::{Feed, Follower};
use crate::ids::ProjectId;
use crate::limits;
use crate::protocol::hocuspocus::{addressed, stateless};
use crate::room::Subject;
use crate::session::Attendance;
use crate::state::Shared;

/// A frame, and the address it is for.
type Told = (Arc<str>, Bytes);

/// What the feeds tell one socket, from the first project's room on: a channel is large, and many sockets have only documents.
/// Bounded: a socket that takes nothing holds its followers back, which then catch up from the log.
#[derive(Debug, Default)]
pub(super) struct News(Option<(mpsc::Sender<Told>, mpsc::Receiver<Told>)>);

/// What lasts as long as somebody is in a room: their part in the session, and the feed where they follow it.
#[derive(Debug)]
pub(super) struct Stay {
    _attendance: Attendance,
    following: Option<AbortHandle>,
}

impl News {
    /// Notes that somebody is in a room. In a project's, its feed is told from now on.
    pub(super) fn stay(&mut self, state: &Shared, address: &Arc<str>, standing: Standing, user: &User) -> Stay {
        let following = match standing.subject {
            Subject::Document(_) => None,
            Subject::Project(project) => Some(self.follow(&state.feed, project, address.clone())),
        };
        Stay { _attendance: state.sessions.arrive(standing.project, standing.user, &user.name), following }
    }

    fn follow(&mut self, feed: &Feed, project: ProjectId, address: Arc<str>) -> AbortHandle {
        let (tell, _) = self.0.get_or_insert_with(|| mpsc::channel(limits::FEED_FRAMES));
        tokio::spawn(show(feed.follow(project, None), address, tell.clone())).abort_handle()
    }

    /// Waits for something to be told.
    pub(super) async fn told(&mut self) -> Told {
        let Some((_, told)) = &mut self.0 else { return pending().await };
        match told.recv().await {
            Some(told) => told,
            // A sender is kept here.
            None => pending().await,
        }
    }

    /// What is told now, beginning with `first`; what came for a room that was left is dropped.
    pub(super) fn frames(&mut self, first: Told, is_open: impl Fn(&str) -> bool) -> Vec<Out> {
        let mut frames = Vec::new();
        let mut next = Some(first);
        while let Some((address, frame)) = next {
            if is_open(&address) {
                frames.push(frame.into());
            }
            next = if frames.len() < limits::FEED_FRAMES {
                self.0.as_mut().and_then(|(_, told)| told.try_recv().ok())
            } else {
                None
            };
        }
        frames
    }
}

/// Tells one follower's news: first the number after which they begin.
async fn show(mut follower: Follower, address: Arc<str>, tell: mpsc::Sender<Told>) {
    let frame = |json: &str| (address.clone(), addressed(&address, &stateless(json)));
    let after = follower.position().await;
    let mut next = frame(&json!({ "type": "feed.following", "after": after }).to_string());
    while tell.send(next).await.is_ok() {
        let Some(news) = follower.next().await else { return };
        next = frame(news.json());
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(following) = &self.following {
            following.abort();
        }
    }
}
