//! Bodies of answers that are large: they count until their last byte was written, or their reader was given up. Small ones
//! are bounded by the number of connections.

use tokio::time::timeout;

use super::share::{Holder, Place, Shares};
use crate::error::{Error, Result};
use crate::limits;

/// What may wait for its readers at once. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outflow(Shares);

/// Marks an answer whose bytes were counted before they were fetched.
#[derive(Debug, Clone, Copy)]
pub struct Weighed;

impl Default for Outflow {
    fn default() -> Self {
        Self(Shares::new(limits::OUTGOING_BYTES, limits::OUTGOING_SHARE))
    }
}

impl Outflow {
    /// What is taken, in bytes.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.0.taken()
    }

    /// Waits for the place of an answer that is not there yet.
    ///
    /// # Errors
    /// 503 when there is none for a while.
    pub async fn place(&self, holders: &[Holder], bytes: usize) -> Result<Place> {
        timeout(limits::BODY_WAIT, self.0.take(holders, bytes)).await.map_err(|_| full())
    }

    /// Takes the place of an answer that is there: if it waited, it would take its memory all the same.
    ///
    /// # Errors
    /// 503 when there is none now.
    pub fn place_now(&self, holders: &[Holder], bytes: usize) -> Result<Place> {
        self.0.take_now(holders, bytes).ok_or_else(full)
    }
}

fn full() -> Error {
    Error::unavailable("too much is being read from this server at once; read what you asked for, and try again")
}
