//! The recent frames of a room, shared by all who follow it. There is no queue per follower: each remembers the
//! position it has read to, and one that fell behind the ring is told so and brought back from the log.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use parking_lot::RwLock;

use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol::hocuspocus;

/// One message for everyone in the room.
#[derive(Debug)]
pub struct Frame {
    /// The only connection whose own content this is; it need not be told.
    pub from: Option<ConnectionId>,
    /// The number of the log row, for edits.
    pub seq: Option<i64>,
    /// The message, as all dialects share it.
    pub message: Bytes,
    /// The message with an address in front, for the first address that asked; nearly always that of all.
    addressed: OnceLock<(Box<str>, Bytes)>,
}

impl Frame {
    /// A frame that carries `message`.
    #[must_use]
    pub fn new(from: Option<ConnectionId>, seq: Option<i64>, message: Bytes) -> Self {
        Self { from, seq, message, addressed: OnceLock::new() }
    }

    /// The message to `address`, encoded once for all who use the same one.
    #[must_use]
    pub fn addressed(&self, address: &str) -> Bytes {
        let encode = || hocuspocus::addressed(address, &self.message);
        let (first, bytes) = self.addressed.get_or_init(|| (address.into(), encode()));
        if **first == *address { bytes.clone() } else { encode() }
    }
}

/// The follower is behind the oldest frame kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lagged;

/// The frames of a room by position.
#[derive(Debug, Default)]
pub struct Ring {
    /// The position after the newest frame; readable without the lock.
    head: AtomicU64,
    /// What is kept; readable without the lock.
    bytes: AtomicUsize,
    kept: RwLock<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    /// The position of the oldest frame kept.
    first: u64,
    frames: VecDeque<Arc<Frame>>,
    bytes: usize,
}

impl Ring {
    /// The position after the newest frame.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// Adds a frame, and lets the oldest go where the bound in bytes demands it. A frame above the bound is not kept
    /// at all, so that every follower fetches it from the log.
    pub fn push(&self, frame: Frame) {
        let mut kept = self.kept.write();
        let len = frame.message.len() + FRAME_OVERHEAD;
        kept.bytes += len;
        kept.frames.push_back(Arc::new(frame));
        while kept.bytes > limits::RING_BYTES {
            let Some(oldest) = kept.frames.pop_front() else { break };
            kept.bytes -= oldest.message.len() + FRAME_OVERHEAD;
            kept.first += 1;
        }
        self.bytes.store(kept.bytes, Ordering::Relaxed);
        self.head.store(kept.first + kept.frames.len() as u64, Ordering::Release);
    }

    /// Lets everything go: what comes next does not follow on what was kept.
    pub fn skip(&self) {
        self.let_go(1);
    }

    /// Lets everything go that nobody follows.
    pub fn clear(&self) {
        if self.bytes.load(Ordering::Relaxed) > 0 {
            self.let_go(0);
        }
    }

    fn let_go(&self, skipped: u64) {
        let mut kept = self.kept.write();
        kept.first += kept.frames.len() as u64 + skipped;
        kept.frames = VecDeque::new();
        kept.bytes = 0;
        self.bytes.store(0, Ordering::Relaxed);
        self.head.store(kept.first, Ordering::Release);
    }

    /// What the frames take, in bytes, with the copy of each that has an address in front.
    #[must_use]
    pub fn memory(&self) -> usize {
        2 * self.bytes.load(Ordering::Relaxed)
    }

    /// Appends every frame from `position` on to `out` and returns the position after them.
    ///
    /// # Errors
    /// [`Lagged`] when the frame at `position` is no longer kept.
    pub fn read(&self, position: u64, out: &mut Vec<Arc<Frame>>) -> Result<u64, Lagged> {
        if position == self.head() {
            return Ok(position);
        }
        let kept = self.kept.read();
        let behind = position.checked_sub(kept.first).ok_or(Lagged)?;
        let start = usize::try_from(behind).unwrap_or(usize::MAX).min(kept.frames.len());
        out.extend(kept.frames.range(start..).cloned());
        Ok(kept.first + kept.frames.len() as u64)
    }
}

/// What a frame costs beside its message, in bytes; so that a flood of tiny frames is bounded too.
const FRAME_OVERHEAD: usize = 128;
