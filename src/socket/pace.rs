//! When a socket that brought edits is read again.
//!
//! What comes while an edit is being committed waits in the system's buffers: it cannot be committed before, and read
//! together it costs one turn of the socket and one of its room. Whoever brought several at once rests a while longer, the
//! more the longer commits take: a server that always has all rooms in the queue makes each wait for all others, twice. Who
//! waits for each edit to be saved before the next is never kept waiting. What is never answered for (an
//! update that repeats what the server asked for, one of a document that is detached) costs one pause.

use std::time::Duration;

use tokio::time::Instant;

use crate::limits;

/// How one socket is read.
#[derive(Debug)]
pub(super) struct Pace {
    /// Edits that were read and are neither saved nor refused.
    unsettled: usize,
    /// Edits that were read together.
    together: usize,
    read: Instant,
    next: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { unsettled: 0, together: 0, read: now, next: now }
    }

    /// Notes that something is read. Edits that were not settled in time are not waited for again.
    pub(super) fn read(&mut self, now: Instant) {
        *self = Self { unsettled: 0, together: 0, read: now, next: now };
    }

    /// Notes an edit in what was read.
    pub(super) fn edit(&mut self) {
        self.unsettled += 1;
        self.together += 1;
        self.next = self.read + limits::READ_PAUSE;
    }

    /// Notes that an edit is saved or refused.
    pub(super) fn settle(&mut self, now: Instant) {
        if self.unsettled == 0 {
            return;
        }
        self.unsettled -= 1;
        if self.unsettled == 0 {
            let rest = if self.together > 1 { (now - self.read) * limits::READ_REST } else { Duration::ZERO };
            self.next = (now + rest.min(limits::READ_REST_LONGEST)).min(self.read + limits::READ_PAUSE);
        }
    }

    /// Until when the socket is not read, if it is not.
    pub(super) fn rests_until(&self, now: Instant) -> Option<Instant> {
        (now < self.next).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOOK: Duration = Duration::from_millis(2);

    #[test]
    fn a_socket_rests_while_its_edits_are_committed_and_three_times_as_long_after() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        assert_eq!(pace.rests_until(began), None, "what is no edit is not waited for");
        pace.edit();
        pace.edit();
        let saved = began + TOOK;
        pace.settle(saved);
        assert!(pace.rests_until(saved).is_some(), "one is not settled");
        pace.settle(saved);
        let rested = saved + TOOK * limits::READ_REST;
        assert_eq!(pace.rests_until(saved), Some(rested));
        assert_eq!(pace.rests_until(rested), None);
    }

    #[test]
    fn who_brings_one_edit_after_the_other_does_not_rest() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        pace.edit();
        let saved = began + TOOK;
        pace.settle(saved);
        assert_eq!(pace.rests_until(saved), None);
    }

    #[test]
    fn no_rest_is_longer_than_its_limit() {
        let began = Instant::now();
        let mut pace = Pace::new(began);
        pace.edit();
        let late = began + limits::READ_PAUSE;
        assert_eq!(pace.rests_until(late), None, "what is not settled in time is not waited for");
        pace.settle(late);
        assert_eq!(pace.rests_until(late), None);
        pace.read(began);
        pace.edit();
        pace.edit();
        let saved = began + limits::READ_PAUSE / 2;
        pace.settle(saved);
        pace.settle(saved);
        assert_eq!(pace.rests_until(saved), Some(saved + limits::READ_REST_LONGEST));
    }
}
