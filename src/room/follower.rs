//! One connection's way through a room's frames: by position in the ring, by row in the log, and with a detour over the
//! log when the ring has moved on without it.

use std::sync::Arc;

use bytes::Bytes;

use super::machine::{Input, Message, Notice};
use super::ring::{Frame, Lagged, Ring};
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
    /// Something beside the document that people should know.
    Notice(Notice),
    /// This document ends here.
    Ended(Close),
}

impl Outgoing {
    /// Whether it answers for an edit.
    #[must_use]
    pub fn settles(&self) -> bool {
        matches!(self, Self::Saved | Self::Refused(_))
    }
}

/// Where one connection stands in what its room shows.
#[derive(Debug)]
pub struct Follower {
    connection: ConnectionId,
    /// How far the ring was read.
    position: u64,
    /// The last row shown; `None` until the first answer, before which live edits would only be held back by the client.
    shown: Option<i64>,
    /// Whether the room was asked for what was missed.
    catching_up: bool,
}

impl Follower {
    /// A connection that was shown nothing yet.
    #[must_use]
    pub fn new(connection: ConnectionId) -> Self {
        Self { connection, position: 0, shown: None, catching_up: false }
    }

    /// Which connection.
    #[must_use]
    pub fn connection(&self) -> ConnectionId {
        self.connection
    }

    /// Takes what the connection alone is told; `at` is the ring's head when it was said.
    pub fn take(&mut self, at: u64, message: Message, out: &mut Vec<Outgoing>) {
        match message {
            Message::Welcome(question, everyone) => {
                self.position = at;
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
                self.position = at;
                self.catching_up = false;
                self.shown = self.shown.max(Some(seq));
                out.push(Outgoing::Message(update));
                out.extend(everyone.map(Outgoing::Message));
            }
            Message::Other(message) => out.push(Outgoing::Message(message)),
            Message::Saved => out.push(Outgoing::Saved),
            Message::Refused(refusal) => out.push(Outgoing::Refused(refusal)),
            Message::Notice(notice) => out.push(Outgoing::Notice(notice)),
            Message::Ended(close) => out.push(Outgoing::Ended(close)),
        }
    }

    /// Takes what is new in the ring. Answers an input that must reach the room when the ring has moved on.
    #[must_use]
    pub fn follow(&mut self, ring: &Ring, out: &mut Vec<Outgoing>) -> Option<Input> {
        let mut shown = self.shown.filter(|_| !self.catching_up)?;
        let mut frames = Vec::new();
        match ring.read(self.position, &mut frames) {
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
