//! A socket's end of its place in a room: it follows the ring by position, takes its own messages, and leaves when it
//! is dropped.

use std::sync::Arc;

use bytes::Bytes;

use super::Handle;
use super::machine::{Input, Message};
use super::outbox::Outbox;
use super::ring::{Frame, Lagged};
use crate::gate::Refusal;
use crate::ids::ConnectionId;
use crate::protocol::close::Close;

/// What is to be written to the socket, in order.
#[derive(Debug)]
pub enum Outgoing {
    /// The server's SyncStep1 for someone who came in.
    Welcome(Bytes),
    /// The server's SyncStep1 for someone who sent theirs.
    Question(Bytes),
    /// A message for this connection.
    Message(Bytes),
    /// A frame for everyone, with its encoding shared.
    Frame(Arc<Frame>),
    /// One SyncStep2 or Update of this connection is saved.
    Saved,
    /// One SyncStep2 or Update of this connection is refused.
    Refused(Refusal),
    /// This document ends here.
    Ended(Close),
}

/// One connection in one room.
#[derive(Debug)]
pub struct Attachment {
    room: Arc<Handle>,
    connection: ConnectionId,
    outbox: Arc<Outbox>,
    /// How far the ring was read.
    position: u64,
    /// The last row shown; `None` until the first answer, before which live edits would only be held back by the client.
    shown: Option<i64>,
    /// Whether the room was asked for what was missed.
    catching_up: bool,
}

impl Attachment {
    pub(super) fn new(room: Arc<Handle>, connection: ConnectionId, outbox: Arc<Outbox>) -> Self {
        Self { room, connection, outbox, position: 0, shown: None, catching_up: false }
    }

    /// The connection's id in the room.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.connection
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
            match delivery.message {
                Message::Welcome(question, everyone) => {
                    self.position = delivery.at;
                    out.push(Outgoing::Welcome(question));
                    out.extend(everyone.map(Outgoing::Message));
                }
                Message::Answer(question, answer) => {
                    self.shown = self.shown.max(Some(answer.seq));
                    out.push(Outgoing::Question(question));
                    out.extend(answer.first.map(Outgoing::Message));
                    out.push(Outgoing::Message(answer.last));
                }
                Message::CaughtUp(update, seq, everyone) => {
                    self.position = delivery.at;
                    self.catching_up = false;
                    self.shown = self.shown.max(Some(seq));
                    out.push(Outgoing::Message(update));
                    out.extend(everyone.map(Outgoing::Message));
                }
                Message::Other(message) => out.push(Outgoing::Message(message)),
                Message::Saved => out.push(Outgoing::Saved),
                Message::Refused(refusal) => out.push(Outgoing::Refused(refusal)),
                Message::Ended(close) => out.push(Outgoing::Ended(close)),
            }
        }
        self.follow(out)
    }

    fn follow(&mut self, out: &mut Vec<Outgoing>) -> Option<Input> {
        let mut shown = self.shown.filter(|_| !self.catching_up)?;
        let mut frames = Vec::new();
        match self.room.ring.read(self.position, &mut frames) {
            Ok(position) => self.position = position,
            Err(Lagged) => {
                self.catching_up = true;
                return Some(Input::CatchUp(self.connection, shown));
            }
        }
        for frame in frames {
            if let Some(seq) = frame.seq {
                if seq <= shown {
                    continue;
                }
                shown = seq;
            }
            if frame.from != Some(self.connection) {
                out.push(Outgoing::Frame(frame));
            }
        }
        self.shown = Some(shown);
        None
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.room.leave(self.connection);
    }
}
