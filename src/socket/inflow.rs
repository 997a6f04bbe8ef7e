//! What comes in on one socket, counted below the WebSocket: how much of a frame that is not complete yet has come, and
//! since when. A stranger's frame is cut off where it gets too long, not after it has come; and of frames that are large,
//! only so many come in at once in the whole process.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::PollSemaphore;

use crate::drain::Drain;
use crate::limits;

/// Large frames that may come in at once. Cheap to clone.
pub(super) type Large = Arc<Semaphore>;

/// The place of one large frame.
pub(super) type LargePlace = OwnedSemaphorePermit;

/// A stream that is counted.
#[derive(Debug)]
pub struct Inflow {
    stream: Drain<TcpStream>,
    /// What came with the request for the socket, and is not read yet.
    read: Bytes,
    /// Bytes since the last frame was complete.
    come: usize,
    /// When the first of them came.
    began: Option<Instant>,
    /// How many may come before a frame is complete.
    most: usize,
    large: PollSemaphore,
    place: Option<LargePlace>,
}

/// More came than this socket may send at once.
#[derive(Debug, thiserror::Error)]
#[error("more came than this socket may send at once")]
pub(super) struct TooMuch;

impl Inflow {
    /// A stranger's, of which so much was read with the request for the socket.
    pub(super) fn new(stream: Drain<TcpStream>, read: Bytes, large: Large) -> Self {
        let most = limits::UNADMITTED_BYTES + limits::FRAME_ENVELOPE;
        // An empty buffer of hyper's is none, but would be kept.
        let read = if read.is_empty() { Bytes::new() } else { read };
        Self { stream, read, come: 0, began: None, most, large: PollSemaphore::new(large), place: None }
    }

    /// Whoever sends is known now: the frame's own limit is enough.
    pub(super) fn admit(&mut self) {
        self.most = usize::MAX;
    }

    /// A message of data is complete; here is the place it took, if it was a large one.
    pub(super) fn complete(&mut self) -> Option<LargePlace> {
        self.come = 0;
        self.began = None;
        self.place.take()
    }

    /// A ping or pong of so many bytes came, perhaps between the fragments of a message.
    pub(super) fn beside(&mut self, bytes: usize) {
        self.come = self.come.saturating_sub(bytes + PING_HEAD);
        if self.come == 0 {
            self.began = None;
        }
    }

    /// When the frame that is coming must be complete.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.began.map(|began| began + limits::FRAME_TIME)
    }
}

impl AsyncRead for Inflow {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.come > self.most {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        if self.come > limits::LARGE_FRAME && self.place.is_none() {
            // It is never closed.
            self.place = ready!(self.large.poll_acquire(cx));
        }
        let before = buffer.filled().len();
        if self.read.is_empty() {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        } else {
            let now = self.read.len().min(buffer.remaining());
            buffer.put_slice(&self.read[..now]);
            self.read.advance(now);
            if self.read.is_empty() {
                self.read = Bytes::new();
            }
        }
        let read = buffer.filled().len() - before;
        if read > 0 {
            self.come += read;
            self.began.get_or_insert_with(Instant::now);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Inflow {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// What stands before the body of a client's ping, in bytes.
const PING_HEAD: usize = 6;
