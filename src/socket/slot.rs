//! One document on a socket: being joined, with what the client said meanwhile, or joined.

use std::sync::Arc;

use super::calm::Calm;
use super::news::Stay;
use crate::auth::Caller;
use crate::ids::{ConnectionId, ProjectId, UserId};
use crate::limits;
use crate::protocol::ClientMessage;
use crate::protocol::close::Close;
use crate::room::machine::{EditKind, Input};
use crate::room::{Attachment, Subject};

/// A document on a socket. What it holds is boxed, since a table of them has more places than entries.
#[derive(Debug)]
pub(super) enum Slot {
    /// The client spoke about it before it was let in. Providers do not wait for the answer to their token.
    Waiting(Box<(Queue, Turn)>),
    /// In the room.
    Open(Box<Open>),
    /// Not let in, or at its end: what the client says is ignored until it shows a credential anew.
    Refused,
}

/// A document that is joined.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) attachment: Attachment,
    pub(super) standing: Standing,
    /// The join that it is open by.
    pub(super) turn: Turn,
    /// The credential that it is open on.
    pub(super) caller: Arc<Caller>,
    pub(super) _stay: Stay,
    pub(super) calm: Calm,
}

impl Slot {
    /// Not joined yet.
    pub(super) fn waiting(queue: Queue, turn: Turn) -> Self {
        Self::Waiting(Box::new((queue, turn)))
    }
}

/// Tells a join from those before it at the same address: only the outcome of the latest counts.
pub(super) type Turn = u64;

/// As what somebody is in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) project: ProjectId,
    pub(super) subject: Subject,
    pub(super) user: UserId,
    pub(super) may_write: bool,
}

/// What waits for somebody to be let in.
#[derive(Debug, Default)]
pub(super) struct Queue {
    messages: Vec<ClientMessage>,
    bytes: usize,
}

impl Queue {
    /// Keeps a message until the join.
    ///
    /// # Errors
    /// When more came than anyone who is not let in may leave here.
    pub(super) fn push(&mut self, message: ClientMessage) -> Result<(), Close> {
        self.bytes += size(&message) + limits::MESSAGE_OVERHEAD;
        if self.bytes > limits::UNADMITTED_BYTES {
            return Err(Close::TooLarge);
        }
        self.messages.push(message);
        Ok(())
    }

    /// The messages, in order.
    pub(super) fn into_messages(self) -> Vec<ClientMessage> {
        self.messages
    }
}

fn size(message: &ClientMessage) -> usize {
    match message {
        ClientMessage::SyncStep1(body)
        | ClientMessage::SyncStep2(body)
        | ClientMessage::Update(body)
        | ClientMessage::Awareness(body) => body.len(),
        ClientMessage::QueryAwareness => 0,
    }
}

/// What a client's message is to its room.
pub(super) fn input(connection: ConnectionId, message: ClientMessage) -> Input {
    match message {
        ClientMessage::SyncStep1(vector) => Input::Ask(connection, vector),
        ClientMessage::SyncStep2(update) => Input::Update(connection, EditKind::Sync, update),
        ClientMessage::Update(update) => Input::Update(connection, EditKind::Live, update),
        ClientMessage::Awareness(entries) => Input::Awareness(connection, entries),
        ClientMessage::QueryAwareness => Input::QueryAwareness(connection),
    }
}
