//! Places counted in bytes, for all together and for each holder: nobody takes all of them, however much they ask for.
//!
//! Who has taken their share waits for themselves, and takes nothing of the others' meanwhile.

use std::collections::HashMap;
use std::sync::{Arc, Weak};

use bytes::Bytes;
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::address::ClientAddress;
use crate::ids::UserId;

/// Who holds places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Holder {
    /// Somebody who said who they are.
    User(UserId),
    /// Whoever asks from there. The machine itself holds nothing, since a proxy on it speaks for everyone.
    Address(ClientAddress),
}

/// The places; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Shares {
    all: Arc<Semaphore>,
    most: usize,
    /// What one holder may have.
    share: usize,
    /// Of those who hold or wait for anything now.
    holders: Arc<Mutex<HashMap<Holder, Weak<Semaphore>>>>,
}

/// Places that are taken until this is dropped.
#[derive(Debug)]
pub struct Place(#[allow(dead_code, reason = "held, not read")] Vec<OwnedSemaphorePermit>);

/// Bytes that take their place until the last slice of them is dropped.
struct Placed {
    bytes: Bytes,
    _place: Place,
}

impl Shares {
    /// Nothing is taken yet of so many bytes, of which one holder may have `share`.
    pub(super) fn new(most: usize, share: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(most)), most, share, holders: Arc::default() }
    }

    /// What is taken, in bytes.
    pub(super) fn taken(&self) -> usize {
        self.most - self.all.available_permits()
    }

    /// Takes the place of so many bytes, in the order of asking; what is larger than a share takes a whole one.
    pub(super) async fn take(&self, holders: &[Holder], bytes: usize) -> Place {
        let price = self.price(bytes);
        let mut permits = Vec::with_capacity(holders.len() + 1);
        // The holders' own first: who waits for one of these keeps nobody else waiting.
        for places in self.of(holders).into_iter().chain([self.all.clone()]) {
            // They are never closed.
            permits.extend(places.acquire_many_owned(price).await.ok());
        }
        Place(permits)
    }

    /// Takes it if it is free now.
    pub(super) fn take_now(&self, holders: &[Holder], bytes: usize) -> Option<Place> {
        let price = self.price(bytes);
        let places = self.of(holders).into_iter().chain([self.all.clone()]);
        places.map(|places| places.try_acquire_many_owned(price).ok()).collect::<Option<_>>().map(Place)
    }

    fn price(&self, bytes: usize) -> u32 {
        u32::try_from(bytes.min(self.share)).unwrap_or(u32::MAX)
    }

    fn of(&self, holders: &[Holder]) -> Vec<Arc<Semaphore>> {
        let is_counted = |holder: &&Holder| !matches!(holder, Holder::Address(address) if address.is_local());
        let mut known = self.holders.lock();
        known.retain(|_, places| places.strong_count() > 0);
        let of = |holder: &Holder| {
            let kept = known.entry(*holder).or_default();
            kept.upgrade().unwrap_or_else(|| {
                let places = Arc::new(Semaphore::new(self.share));
                *kept = Arc::downgrade(&places);
                places
            })
        };
        holders.iter().filter(is_counted).map(of).collect()
    }
}

impl Place {
    /// The same bytes, which have this place until the last slice of them is dropped.
    #[must_use]
    pub fn on(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Placed { bytes, _place: self })
    }
}

impl AsRef<[u8]> for Placed {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    #[tokio::test]
    async fn nobody_takes_more_than_their_share_or_keeps_others_waiting() {
        let (ann, bob) = (Holder::User(UserId::new()), Holder::User(UserId::new()));
        let shares = Shares::new(100, 60);
        let first = shares.take(&[ann], 40).await;
        assert!(shares.take_now(&[ann], 21).is_none() && shares.take_now(&[ann], 20).is_some());
        let hers = [ann];
        let mut waiting = Box::pin(shares.take(&hers, 30));
        assert!(poll!(&mut waiting).is_pending());
        let his = shares.take_now(&[bob], 60).unwrap();
        assert_eq!(shares.taken(), 100);
        assert!(poll!(&mut waiting).is_pending());
        drop(first);
        drop((waiting.await, his));
        assert_eq!(shares.taken(), 0);
        drop(shares.take(&[bob], 1_000).await);
        assert_eq!(shares.holders.lock().len(), 1, "who holds nothing is forgotten");
    }

    #[tokio::test]
    async fn bytes_have_their_place_until_the_last_slice_is_dropped() {
        let shares = Shares::new(100, 60);
        let address = |text: &str| Holder::Address(ClientAddress::new(text.parse().unwrap()));
        let bytes = shares.take_now(&[address("192.0.2.1")], 50).unwrap().on(Bytes::from(vec![7; 50]));
        let slice = bytes.slice(1..2);
        drop(bytes);
        assert_eq!(shares.taken(), 50);
        assert!(shares.take_now(&[address("192.0.2.1")], 20).is_none());
        assert!(shares.take_now(&[address("127.0.0.1")], 50).is_some(), "the machine itself has no share");
        drop(slice);
        assert_eq!(shares.taken(), 0);
    }
}
