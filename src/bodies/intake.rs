//! Bodies of requests: they count from before the first byte is read until the request is answered. Small ones are counted
//! apart, so that large ones never keep them waiting; of the large ones nobody has more than a share.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::time::timeout;

use super::share::{Holder, Place, Shares};
use crate::error::{Error, Result};
use crate::limits;

/// What may come in at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Intake {
    small: Shares,
    large: Shares,
}

/// What one request has taken of it, given back when the last of these is dropped.
#[derive(Debug, Clone, Default)]
pub struct Taken(Arc<Mutex<Option<Place>>>);

impl Default for Intake {
    fn default() -> Self {
        Self {
            small: Shares::new(limits::SMALL_BODIES_BYTES, limits::SMALL_BODIES_BYTES),
            large: Shares::new(limits::LARGE_BODIES_BYTES, limits::LARGE_BODIES_SHARE),
        }
    }
}

impl Intake {
    /// What is taken, in bytes.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.small.taken() + self.large.taken()
    }

    /// Waits for the place of somebody's body. `bytes` is the most that it can be: what its sender says, or what the
    /// address takes.
    ///
    /// # Errors
    /// 503 when there is none for a while.
    pub async fn take(&self, holders: &[Holder], bytes: Option<u64>) -> Result<Place> {
        let said = bytes.and_then(|bytes| usize::try_from(bytes).ok());
        // Archives, which are larger than all else, must say what they are.
        let bytes = said.map_or(limits::CONTENT_BODY_BYTES, |bytes| bytes.min(limits::ARCHIVE_BYTES));
        let price = bytes + limits::BODY_OVERHEAD;
        let place = if bytes <= limits::BODY_BYTES {
            timeout(limits::BODY_WAIT, self.small.take(&[], price)).await
        } else {
            timeout(limits::BODY_WAIT, self.large.take(holders, price)).await
        };
        place.map_err(|_| Error::unavailable("too much is being sent to this server at once, try again"))
    }
}

impl Taken {
    /// Keeps a place until the request is answered.
    pub fn keep(&self, place: Place) {
        *self.0.lock() = Some(place);
    }
}
