//! When a socket that brought edits is read again.
//!
//! What comes while an edit is being committed waits in the system's buffers: it cannot be committed before, and read
//! together it costs one turn of the socket and one of its room. The longer commits take, the longer the rest before the
//! next: a server that always has all rooms in the queue makes each wait for all others, twice.

use tokio::time::Instant;

use crate::limits;

/// How one socket is read.
#[derive(Debug)]
pub(super) struct Pace {
    /// Edits that were read and are neither saved nor refused.
    unsettled: usize,
    read: Instant,
    next: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { unsettled: 0, read: now, next: now }
    }

    /// Notes that something is read. Edits that were not settled in time are not waited for again.
    pub(super) fn read(&mut self, now: Instant) {
        *self = Self { unsettled: 0, read: now, next: now };
    }

    /// Notes an edit in what was read.
    pub(super) fn edit(&mut self) {
        self.unsettled += 1;
        self.next = self.read + limits::READ_PAUSE;
    }

    /// Notes that an edit is saved or refused.
    pub(super) fn settle(&mut self) {
        if self.unsettled == 0 {
            return;
        }
        self.unsettled -= 1;
        if self.unsettled == 0 {
            let now = Instant::now();
            let took = now - self.read;
            self.next = now + (took * limits::READ_REST).min(limits::READ_REST_LONGEST);
        }
    }

    /// Until when the socket is not read, if it is not.
    pub(super) fn rests_until(&self) -> Option<Instant> {
        (self.read < self.next && Instant::now() < self.next).then_some(self.next)
    }
}
