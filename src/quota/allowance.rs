//! What the rooms of one project go by when they decide whether there is room for an edit.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use super::Usage;

/// What a project may still take, shared by its rooms.
#[derive(Debug)]
pub struct Allowance {
    most: AtomicI64,
    /// What was stored when it was last read.
    stored: AtomicI64,
    /// What rooms committed since then.
    committed: AtomicI64,
    /// What rooms have admitted and not committed.
    waiting: AtomicI64,
}

impl Allowance {
    /// As the database says.
    #[must_use]
    pub fn new(usage: Usage) -> Self {
        Self {
            most: AtomicI64::new(usage.most),
            stored: AtomicI64::new(usage.used),
            committed: AtomicI64::new(0),
            waiting: AtomicI64::new(0),
        }
    }

    /// What rooms committed since the database was last read; to be noted before it is read again.
    #[must_use]
    pub fn committed(&self) -> i64 {
        self.committed.load(Ordering::Relaxed)
    }

    /// Takes over what the database says. What was committed after `counted` was noted may be in it, and then counts twice
    /// until the next look: too much rather than too little.
    pub fn learn(&self, usage: Usage, counted: i64) {
        self.most.store(usage.most, Ordering::Relaxed);
        self.stored.store(usage.used, Ordering::Relaxed);
        self.committed.fetch_sub(counted, Ordering::Relaxed);
    }

    fn left(&self) -> i64 {
        let taken = [&self.stored, &self.committed, &self.waiting].map(|part| part.load(Ordering::Relaxed));
        self.most.load(Ordering::Relaxed).saturating_sub(taken.iter().sum())
    }
}

/// One room's part in it. Dropped, what waits there waits no more.
#[derive(Debug)]
pub struct Share {
    allowance: Arc<Allowance>,
    waiting: i64,
}

impl Share {
    /// The part of a room that has nothing yet.
    #[must_use]
    pub fn new(allowance: Arc<Allowance>) -> Self {
        Self { allowance, waiting: 0 }
    }

    /// Whether the project may take so many bytes more.
    #[must_use]
    pub fn has_room(&self, bytes: usize) -> bool {
        signed(bytes) <= self.allowance.left()
    }

    /// What the project may take in all.
    #[must_use]
    pub fn most(&self) -> i64 {
        self.allowance.most.load(Ordering::Relaxed)
    }

    /// Notes how much waits for its commit in this room, in bytes.
    pub fn waits(&mut self, bytes: usize) {
        let now = signed(bytes);
        self.allowance.waiting.fetch_add(now - self.waiting, Ordering::Relaxed);
        self.waiting = now;
    }

    /// Notes that so many bytes were committed.
    pub fn committed(&self, bytes: usize) {
        self.allowance.committed.fetch_add(signed(bytes), Ordering::Relaxed);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.waits(0);
    }
}

fn signed(bytes: usize) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_of_one_project_take_from_one_allowance() {
        let allowance = Arc::new(Allowance::new(Usage { used: 10, most: 100 }));
        let (mut first, second) = (Share::new(allowance.clone()), Share::new(allowance.clone()));
        assert!(first.has_room(90) && !first.has_room(91));
        first.waits(50);
        assert!(second.has_room(40) && !second.has_room(41));
        first.committed(50);
        first.waits(0);
        assert!(second.has_room(40) && !second.has_room(41));
        // Read with what was committed; something more is committed before that is known.
        let counted = allowance.committed();
        second.committed(5);
        allowance.learn(Usage { used: 60, most: 100 }, counted);
        assert!(second.has_room(35) && !second.has_room(36));
        first.waits(30);
        drop(first);
        assert!(second.has_room(35), "a room that is gone holds nothing");
        allowance.learn(Usage { used: 60, most: 10 }, allowance.committed());
        assert!(!second.has_room(1) && second.most() == 10);
    }
}
