//! A socket's end of its place in a room: it takes its own messages, follows the ring, and leaves when it is dropped.

use std::sync::Arc;

use super::Handle;
use super::follower::{Follower, Outgoing};
use super::machine::Input;
use super::outbox::Outbox;
use crate::ids::ConnectionId;

/// One connection in one room.
#[derive(Debug)]
pub struct Attachment {
    room: Arc<Handle>,
    outbox: Arc<Outbox>,
    follower: Follower,
}

impl Attachment {
    pub(super) fn new(room: Arc<Handle>, connection: ConnectionId, outbox: Arc<Outbox>) -> Self {
        Self { room, outbox, follower: Follower::new(connection) }
    }

    /// The connection's id in the room.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.follower.connection()
    }

    /// The room, to send inputs to.
    #[must_use]
    pub fn room(&self) -> &Arc<Handle> {
        &self.room
    }

    /// Appends everything that waits to be written. Answers an input that must reach the room when the follower fell
    /// off the ring.
    pub fn drain(&mut self, out: &mut Vec<Outgoing>) -> Option<Input> {
        while let Some(delivery) = self.outbox.take() {
            self.follower.take(delivery.at, delivery.message, out);
        }
        self.follower.follow(&self.room.ring, out)
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.room.leave(self.connection());
    }
}
