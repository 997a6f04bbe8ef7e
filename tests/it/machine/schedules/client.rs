//! A person's tab: a replica, the connection it has or has not, and what it was promised.

use std::collections::VecDeque;

use bytes::Bytes;

use coterie::ids::{ConnectionId, UserId};
use coterie::protocol::{ClientMessage, yjs};
use coterie::room::machine::{EditKind, Input, Message};
use coterie::room::{Follower, Outgoing};

use super::replica::Replica;
use crate::machine::room::Room;

pub(super) struct Client {
    pub(super) user: UserId,
    /// The guest this user was.
    pub(super) guest: Option<UserId>,
    pub(super) may_write: bool,
    /// Whether its frames may come in any order.
    pub(super) sloppy: bool,
    pub(super) replica: Replica,
    pub(super) link: Option<Link>,
    /// Whether something of it may be refused, by what the schedule did to it.
    pub(super) suspect: bool,
}

/// One connection.
pub(super) struct Link {
    pub(super) connection: ConnectionId,
    follower: Follower,
    /// On the way to the room.
    pub(super) queue: VecDeque<(EditKind, Bytes)>,
    /// Received by the room, and not answered yet.
    pub(super) owed: VecDeque<Bytes>,
    /// SyncStep2s that the room asked for on its own account and that have not come.
    pub(super) unowed: usize,
    /// On the way from the room.
    pub(super) inbox: VecDeque<(u64, Message)>,
}

impl Link {
    pub(super) fn new(connection: ConnectionId) -> Self {
        Self {
            connection,
            follower: Follower::new(connection),
            queue: VecDeque::new(),
            owed: VecDeque::new(),
            unowed: 0,
            inbox: VecDeque::new(),
        }
    }
}

impl Client {
    /// Leaves an edit to be sent, if there is a connection; without one it stays in the replica.
    pub(super) fn send(&mut self, update: Bytes) {
        if let Some(link) = &mut self.link {
            link.queue.push_back((EditKind::Live, update));
        }
    }

    /// Reads all that came. Answers what the room must be asked for.
    pub(super) fn read(&mut self, room: &Room) -> Option<Input> {
        let link = self.link.as_mut()?;
        let mut out = Vec::new();
        for (at, message) in link.inbox.drain(..) {
            link.follower.take(at, message, &mut out);
        }
        let request = link.follower.follow(&room.ring, &mut out);
        for one in out {
            let message = match one {
                Outgoing::Welcome(message) | Outgoing::Message(message) => message,
                Outgoing::Frame(frame) => frame.message.clone(),
                Outgoing::Question(_) => continue,
                other => panic!("{other:?} is read at once"),
            };
            for message in yjs::decode(&message).expect("well-formed") {
                match message {
                    ClientMessage::SyncStep1(vector) => {
                        link.queue.push_back((EditKind::Sync, self.replica.since(&vector)));
                    }
                    ClientMessage::SyncStep2(update) | ClientMessage::Update(update) => self.replica.apply(&update),
                    _ => {}
                }
            }
        }
        request
    }
}
