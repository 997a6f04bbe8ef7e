//! Bodies of HTTP requests, bounded in bytes for the whole process: they count from before the first byte is read until
//! the request is answered. Small ones are counted apart, so that large ones never keep them waiting.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::error::{Error, Result};
use crate::limits;

/// What may come in at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    small: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// What one request has taken of it, given back when the last of these is dropped.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<Mutex<Option<OwnedSemaphorePermit>>>);

impl Default for Intake {
    fn default() -> Self {
        Self {
            small: Arc::new(Semaphore::new(limits::SMALL_BODIES_BYTES)),
            large: Arc::new(Semaphore::new(limits::LARGE_BODIES_BYTES)),
        }
    }
}

impl Intake {
    /// What is taken, in bytes.
    #[must_use]
    pub fn taken(&self) -> usize {
        let left = self.small.available_permits() + self.large.available_permits();
        limits::SMALL_BODIES_BYTES + limits::LARGE_BODIES_BYTES - left
    }

    /// Waits for the place of a body. `bytes` is the most that it can be: what its sender says, or what the address takes.
    ///
    /// # Errors
    /// 503 when there is none for a while.
    pub async fn take(&self, bytes: Option<u64>) -> Result<OwnedSemaphorePermit> {
        let said = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        // Archives, which are larger than all else, must say what they are.
        let bytes = said.map_or(limits::CONTENT_BODY_BYTES, |bytes| bytes.min(limits::ARCHIVE_BYTES));
        let places = if bytes <= limits::BODY_BYTES { &self.small } else { &self.large };
        let price = u32::try_from(bytes + limits::BODY_OVERHEAD).unwrap_or(u32::MAX);
        let place = timeout(limits::BODY_WAIT, places.clone().acquire_many_owned(price)).await;
        // They are never closed.
        let place = place.ok().and_then(std::result::Result::ok);
        place.ok_or_else(|| Error::unavailable("too much is being sent to this server at once, try again"))
    }
}

impl Taken {
    /// Keeps a place until the request is answered.
    pub fn keep(&self, place: OwnedSemaphorePermit) {
        *self.0.lock() = Some(place);
    }
}
