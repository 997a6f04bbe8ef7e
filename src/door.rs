//! How much of the server anybody may hold: open connections of one address, how many of them have not asked anything
//! yet, how many sockets have not said who they are, and how many one user has.
//!
//! The bounds on strangers make others of that address wait, never those of another; so a crowd behind one router comes in one
//! after the other, and somebody who opens sockets and says nothing holds up themselves.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::ClientAddress;
use crate::ids::UserId;
use crate::limits;

/// Who is at the door. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Door(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    places: Mutex<HashMap<ClientAddress, Place>>,
    users: Mutex<HashMap<UserId, usize>>,
    joins: Arc<Semaphore>,
    per_address: usize,
    per_user: usize,
}

/// One address.
#[derive(Debug)]
struct Place {
    open: usize,
    silent: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// One open connection; it counts until this is dropped.
#[derive(Debug)]
pub struct Visit {
    door: Door,
    address: ClientAddress,
    silent: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// Says of a request that its connection does not count towards the address it came from, since it is a proxy's.
#[derive(Debug, Clone, Copy)]
pub struct Uncounted;

/// One open socket of a user; it counts until this is dropped.
#[derive(Debug)]
pub struct Sitting {
    door: Door,
    user: UserId,
}

/// Somebody's turn; the next has it when this is dropped.
#[derive(Debug)]
pub struct Turn(#[allow(dead_code, reason = "held, not read")] OwnedSemaphorePermit);

impl Door {
    /// Nobody is here yet. One address may have so many connections (the machine itself any number, since a proxy on it
    /// speaks for everyone), and one user so many sockets.
    #[must_use]
    pub fn new(per_address: usize, per_user: usize) -> Self {
        let joins = Arc::new(Semaphore::new(limits::JOINS_AT_ONCE));
        Self(Arc::new(Shared { places: Mutex::default(), users: Mutex::default(), joins, per_address, per_user }))
    }

    /// Counts one more socket of a user; `None` when they have too many.
    #[must_use]
    pub fn sit(&self, user: UserId) -> Option<Sitting> {
        let mut users = self.0.users.lock();
        let open = users.entry(user).or_default();
        if *open >= self.0.per_user {
            return None;
        }
        *open += 1;
        Some(Sitting { door: self.clone(), user })
    }

    /// Counts one more connection of an address; `None` when it has too many.
    #[must_use]
    pub fn visit(&self, address: ClientAddress) -> Option<Visit> {
        let mut places = self.0.places.lock();
        let place = places.entry(address).or_insert_with(|| Place {
            open: 0,
            silent: Arc::new(Semaphore::new(limits::STRANGERS_PER_ADDRESS)),
            strangers: Arc::new(Semaphore::new(limits::STRANGERS_PER_ADDRESS)),
        });
        if place.open >= self.0.per_address && !address.is_local() {
            return None;
        }
        place.open += 1;
        let (silent, strangers) = (place.silent.clone(), place.strangers.clone());
        Some(Visit { door: self.clone(), address, silent, strangers })
    }

    /// Waits for the turn to join a document: a crowd that comes back is let in at the rate at which it can be served.
    pub async fn join(&self) -> Option<Turn> {
        // It is never closed.
        self.0.joins.clone().acquire_owned().await.ok().map(Turn)
    }

    /// Connections that are counted now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.0.places.lock().values().map(|place| place.open).sum()
    }
}

impl Visit {
    /// Waits for the turn of a connection that did not ask anything yet.
    pub async fn silent_turn(&self) -> Option<Turn> {
        // It is never closed.
        self.silent.clone().acquire_owned().await.ok().map(Turn)
    }

    /// Waits for the turn of a socket that did not say yet who it is.
    pub async fn strangers_turn(&self) -> Option<Turn> {
        // It is never closed.
        self.strangers.clone().acquire_owned().await.ok().map(Turn)
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        if let Entry::Occupied(mut place) = self.door.0.places.lock().entry(self.address) {
            place.get_mut().open -= 1;
            if place.get().open == 0 {
                place.remove();
            }
        }
    }
}

impl Sitting {
    /// Whose it is.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        if let Entry::Occupied(mut open) = self.door.0.users.lock().entry(self.user) {
            *open.get_mut() -= 1;
            if *open.get() == 0 {
                open.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> ClientAddress {
        ClientAddress::new(text.parse().unwrap())
    }

    #[test]
    fn one_address_has_so_many_connections_and_others_are_not_asked() {
        let door = Door::new(2, 9);
        let first = door.visit(address("192.0.2.1")).unwrap();
        let _second = door.visit(address("192.0.2.1")).unwrap();
        assert!(door.visit(address("192.0.2.1")).is_none());
        assert!(door.visit(address("192.0.2.2")).is_some());
        drop(first);
        assert!(door.visit(address("192.0.2.1")).is_some());
        let local: Vec<Visit> = (0..9).map(|_| door.visit(address("127.0.0.1")).unwrap()).collect();
        drop(local);
        assert_eq!(door.open(), 1);
    }

    #[test]
    fn one_user_has_so_many_sockets_and_others_are_not_asked() {
        let door = Door::new(9, 2);
        let (ann, bob) = (UserId::new(), UserId::new());
        let first = door.sit(ann).unwrap();
        let _second = door.sit(ann).unwrap();
        assert!(door.sit(ann).is_none() && door.sit(bob).is_some());
        drop(first);
        assert!(door.sit(ann).is_some());
        assert_eq!(door.0.users.lock().len(), 1, "who has none is forgotten");
    }

    #[tokio::test]
    async fn strangers_of_one_address_wait_for_each_other() {
        let door = Door::new(1_000, 9);
        let visit = door.visit(address("192.0.2.1")).unwrap();
        let mut turns = Vec::new();
        for _ in 0..limits::STRANGERS_PER_ADDRESS {
            turns.push(visit.strangers_turn().await.unwrap());
        }
        let another = door.visit(address("192.0.2.1")).unwrap();
        let mut waiting = Box::pin(another.strangers_turn());
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let elsewhere = door.visit(address("192.0.2.2")).unwrap();
        assert!(elsewhere.strangers_turn().await.is_some());
        assert!(another.silent_turn().await.is_some());
        turns.pop();
        assert!(waiting.await.is_some());
    }
}
