//! What one connection alone is told by its room, until its socket takes it. Bounded by what the connection itself
//! sends: each of its frames is answered by one message at most, and a socket with answers waiting is not read.

use std::collections::VecDeque;
use std::sync::Arc;

use parking_lot::Mutex;

use super::bell::Bell;
use super::machine::Message;

/// A message, and the position of the ring at which it was sent.
#[derive(Debug)]
pub(super) struct Delivery {
    /// The ring's head when the message was sent.
    pub(super) at: u64,
    /// The message.
    pub(super) message: Message,
}

/// The messages for one connection, and the bell of its socket.
#[derive(Debug)]
pub(super) struct Outbox {
    deliveries: Mutex<VecDeque<Delivery>>,
    bell: Arc<Bell>,
}

impl Outbox {
    /// An empty outbox. `bell` is rung for messages and for new frames in the ring; one socket's attachments share it.
    #[must_use]
    pub(super) fn new(bell: Arc<Bell>) -> Self {
        Self { deliveries: Mutex::default(), bell }
    }

    /// Leaves a message and rings.
    pub(super) fn send(&self, at: u64, message: Message) {
        self.deliveries.lock().push_back(Delivery { at, message });
        self.bell.ring();
    }

    /// Rings: the ring has new frames.
    pub(super) fn ring(&self) {
        self.bell.ring();
    }

    /// Takes the next message.
    #[must_use]
    pub(super) fn take(&self) -> Option<Delivery> {
        let mut deliveries = self.deliveries.lock();
        let delivery = deliveries.pop_front();
        if deliveries.is_empty() && delivery.is_some() {
            // Most connections are told nothing for long.
            *deliveries = VecDeque::new();
        }
        delivery
    }
}
