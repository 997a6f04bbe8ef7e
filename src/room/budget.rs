//! What was taken in and is not settled yet, in bytes: bounded for each document and for the whole process. Beyond a bound
//! the sockets that bring more are not read; nothing is dropped.
//!
//! What an edit takes is given back with the last slice of its bytes: when it is committed, refused, or its room ends.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::limits;

/// A bound in bytes.
#[derive(Debug, Clone)]
pub(super) struct Budget {
    places: Arc<Semaphore>,
    most: usize,
}

/// Bytes that are counted until this is dropped.
#[derive(Debug)]
pub struct Charge(#[allow(dead_code, reason = "held, not read")] [OwnedSemaphorePermit; 2]);

/// Bytes with their charge.
struct Charged {
    bytes: Bytes,
    _charge: Charge,
}

impl Budget {
    /// Nothing is taken yet of so many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self { places: Arc::new(Semaphore::new(most)), most }
    }

    /// What is taken.
    pub(super) fn taken(&self) -> usize {
        self.most - self.places.available_permits()
    }

    /// What an edit of so many bytes takes; one alone always has a place.
    fn price(&self, bytes: usize) -> u32 {
        u32::try_from((bytes + limits::EDIT_OVERHEAD).min(self.most)).unwrap_or(u32::MAX)
    }
}

impl Charge {
    /// Counts so many bytes towards both, if there is room in both now.
    pub(super) fn now(document: &Budget, node: &Budget, bytes: usize) -> Option<Self> {
        let first = document.places.clone().try_acquire_many_owned(document.price(bytes)).ok()?;
        let second = node.places.clone().try_acquire_many_owned(node.price(bytes)).ok()?;
        Some(Self([first, second]))
    }

    /// Counts so many bytes towards both once there is room, in the order of asking. Room in the document is waited for
    /// first, so that who waits for one document takes nothing of the node's from others.
    pub(super) async fn later(document: Budget, node: Budget, bytes: usize) -> Option<Self> {
        let (in_document, in_node) = (document.price(bytes), node.price(bytes));
        // They are never closed.
        let first = document.places.acquire_many_owned(in_document).await.ok()?;
        let second = node.places.acquire_many_owned(in_node).await.ok()?;
        Some(Self([first, second]))
    }

    /// The same bytes, counted until the last slice of them is dropped.
    #[must_use]
    pub fn on(self, bytes: Bytes) -> Bytes {
        Bytes::from_owner(Charged { bytes, _charge: self })
    }
}

impl AsRef<[u8]> for Charged {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn bytes_count_until_their_last_slice_is_dropped() {
        let (document, node) = (Budget::new(10_000), Budget::new(100_000));
        let charge = Charge::now(&document, &node, 9_000).unwrap();
        let bytes = charge.on(Bytes::from(vec![7; 9_000]));
        let slice = bytes.slice(10..20);
        drop(bytes);
        assert_eq!(document.taken(), 9_000 + limits::EDIT_OVERHEAD);
        assert!(Charge::now(&document, &node, 1_000).is_none());
        assert_eq!(node.taken(), 9_000 + limits::EDIT_OVERHEAD, "what was not granted is not taken");
        let mut waiting = Box::pin(Charge::later(document.clone(), node.clone(), 1_000));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        drop(slice);
        drop(waiting.await.unwrap());
        assert_eq!((document.taken(), node.taken()), (0, 0));
        assert!(Charge::now(&document, &node, 1_000_000).is_some(), "one alone always has a place");
    }
}
