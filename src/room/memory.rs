//! What all rooms keep in memory, in bytes, under one budget. Above it rooms that nobody is in are told to end, those first
//! that were asked for longest ago. *Absent: anything that ends a room with people in it.*

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

/// The memory of all rooms of one server.
#[derive(Debug)]
pub(super) struct Memory {
    /// The budget.
    most: usize,
    /// What all rooms keep.
    kept: AtomicUsize,
    idle: Mutex<Idle>,
}

/// Rooms that nobody is in.
#[derive(Debug, Default)]
struct Idle {
    /// In the order in which they were last asked for: what each keeps, and what tells it to end.
    rooms: BTreeMap<u64, (usize, Arc<Notify>)>,
    last: u64,
    /// What those keep that were told to end and have not ended yet.
    ending: usize,
}

/// One room's part.
#[derive(Debug)]
pub(super) struct Account {
    memory: Arc<Memory>,
    kept: usize,
    /// Its place among the idle rooms, and what it kept when that was noted.
    place: Option<(u64, usize)>,
    bell: Arc<Notify>,
}

impl Memory {
    /// No room keeps anything yet of so many bytes.
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { most, kept: AtomicUsize::new(0), idle: Mutex::default() })
    }

    /// What all rooms keep, in bytes.
    pub(super) fn kept(&self) -> usize {
        self.kept.load(Ordering::Relaxed)
    }

    /// Tells rooms to end until the rest is within the budget, or only rooms in use are left.
    fn relieve(&self) {
        if self.kept() <= self.most {
            return;
        }
        let mut idle = self.idle.lock();
        while self.kept().saturating_sub(idle.ending) > self.most
            && let Some((_, (kept, bell))) = idle.rooms.pop_first()
        {
            idle.ending += kept;
            bell.notify_one();
        }
    }
}

impl Account {
    /// A room that keeps nothing yet.
    pub(super) fn open(memory: &Arc<Memory>) -> Self {
        Self { memory: memory.clone(), kept: 0, place: None, bell: Arc::default() }
    }

    /// What is rung when the room is told to end; see [`Account::is_told`].
    pub(super) fn bell(&self) -> Arc<Notify> {
        self.bell.clone()
    }

    /// Whether the room was told to end since it was last noted as idle.
    pub(super) fn is_told(&self) -> bool {
        self.place.is_some_and(|(place, _)| !self.memory.idle.lock().rooms.contains_key(&place))
    }

    /// Notes what the room keeps while somebody is in it.
    pub(super) fn in_use(&mut self, bytes: usize) {
        self.leave();
        self.keep(bytes);
    }

    /// Notes what the room keeps while nobody is in it, and whether it was asked for since that was last noted.
    pub(super) fn idle(&mut self, bytes: usize, asked: bool) {
        match &mut self.place {
            Some((place, noted)) if !asked => {
                let before = std::mem::replace(noted, bytes);
                if before != bytes {
                    let mut idle = self.memory.idle.lock();
                    match idle.rooms.get_mut(place) {
                        Some((kept, _)) => *kept = bytes,
                        None => idle.ending = idle.ending + bytes - before,
                    }
                }
            }
            _ => {
                self.leave();
                let mut idle = self.memory.idle.lock();
                idle.last += 1;
                let place = idle.last;
                idle.rooms.insert(place, (bytes, self.bell.clone()));
                self.place = Some((place, bytes));
            }
        }
        self.keep(bytes);
    }

    fn keep(&mut self, bytes: usize) {
        let before = std::mem::replace(&mut self.kept, bytes);
        // Wraps where less is kept than before, as the sum does.
        self.memory.kept.fetch_add(bytes.wrapping_sub(before), Ordering::Relaxed);
        self.memory.relieve();
    }

    fn leave(&mut self) {
        if let Some((place, noted)) = self.place.take() {
            let mut idle = self.memory.idle.lock();
            if idle.rooms.remove(&place).is_none() {
                idle.ending -= noted;
            }
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.memory.kept.fetch_sub(self.kept, Ordering::Relaxed);
        self.leave();
        self.memory.relieve();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn room(memory: &Arc<Memory>, bytes: usize) -> Account {
        let mut room = Account::open(memory);
        room.idle(bytes, true);
        room
    }

    #[test]
    fn those_end_first_that_were_asked_for_longest_ago_and_only_as_many_as_must() {
        let memory = Memory::new(100);
        let [mut first, second, third] = [10, 30, 40].map(|bytes| room(&memory, bytes));
        first.idle(10, true);
        let mut used = Account::open(&memory);
        used.in_use(25);
        assert_eq!(memory.kept(), 105);
        assert_eq!(
            [&first, &second, &third].map(Account::is_told),
            [false, true, false],
            "the first was asked for since"
        );
        used.in_use(35);
        assert!(!first.is_told() && !third.is_told(), "what is about to end counts as gone");
        drop(second);
        assert_eq!(memory.kept(), 85);
        used.in_use(200);
        assert!(first.is_told() && third.is_told() && !used.is_told(), "whoever is in use stays");
        drop((first, third));
        assert_eq!(memory.kept(), 200);
        used.idle(200, false);
        assert!(used.is_told(), "and ends when nobody is left");
        drop(used);
        assert_eq!((memory.kept(), memory.idle.lock().ending), (0, 0));
    }

    #[test]
    fn who_is_asked_for_again_is_not_told_any_more_and_another_is() {
        let memory = Memory::new(100);
        let mut first = room(&memory, 60);
        let mut second = room(&memory, 30);
        second.idle(50, false);
        assert!(first.is_told() && !second.is_told());
        first.in_use(70);
        assert!(!first.is_told() && second.is_told());
        second.idle(20, false);
        assert!(second.is_told(), "however little it keeps by now");
        second.idle(20, true);
        assert!(!second.is_told());
        drop((first, second));
        assert_eq!((memory.kept(), memory.idle.lock().ending), (0, 0));
    }
}
