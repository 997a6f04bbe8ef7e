//! Frames as they go over the wire: heads and small bodies copied together, large bodies as they are. A socket never holds a
//! copy of a document.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use tokio::io::AsyncWrite;
use tokio_tungstenite::tungstenite::protocol::frame::FrameHeader;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};

use super::wire::Out;
use crate::limits;

/// What is left to be written.
#[derive(Debug)]
pub(super) struct Packed(VecDeque<Bytes>);

impl Packed {
    /// Packs frames, in order.
    pub(super) fn new(frames: Vec<Out>) -> Self {
        let is_copied = |body: &Bytes| body.len() <= limits::COPIED_BYTES;
        let mut together = Vec::new();
        let mut pieces = VecDeque::with_capacity(1);
        for Out { address, body } in frames {
            let header = FrameHeader { opcode: OpCode::Data(Data::Binary), ..FrameHeader::default() };
            let length = address.len() + body.len();
            together.reserve(FRAME_HEAD + address.len() + if is_copied(&body) { body.len() } else { 0 });
            // Nothing fails that is written to memory.
            let _ = header.format(length as u64, &mut together);
            together.extend_from_slice(&address);
            if is_copied(&body) {
                together.extend_from_slice(&body);
            } else {
                pieces.push_back(std::mem::take(&mut together).into());
                pieces.push_back(body);
            }
        }
        if !together.is_empty() {
            pieces.push_back(together.into());
        }
        Self(pieces)
    }

    /// Whether all is written.
    pub(super) fn is_written(&self) -> bool {
        self.0.is_empty()
    }

    /// Writes as much as the stream takes now, and at least something.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        mut stream: Pin<&mut S>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        let mut written = match &self.0.as_slices() {
            ([one], []) => ready!(stream.as_mut().poll_write(context, one))?,
            (first, second) => {
                let mut slices = [IoSlice::new(&[]); PIECES_AT_ONCE];
                let pieces = first.iter().chain(*second);
                let count = slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
                ready!(stream.as_mut().poll_write_vectored(context, &slices[..count]))?
            }
        };
        if written == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        while let Some(first) = self.0.front_mut().filter(|_| written > 0) {
            let now = written.min(first.len());
            first.advance(now);
            written -= now;
            if first.is_empty() {
                self.0.pop_front();
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// What stands before the body of a frame at most, unmasked, in bytes.
const FRAME_HEAD: usize = 10;
/// Pieces that one call hands to the system; the most it takes at once is 1,024.
const PIECES_AT_ONCE: usize = 16;

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Message, WebSocket};

    use super::*;

    /// Takes a few bytes at a time.
    struct Slow {
        taken: Vec<u8>,
        most: usize,
    }

    impl AsyncWrite for Slow {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            let now = bytes.len().min(self.most);
            self.taken.extend_from_slice(&bytes[..now]);
            Poll::Ready(Ok(now))
        }

        fn poll_write_vectored(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            pieces: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            let all = pieces.iter().flat_map(|piece| piece.iter().copied());
            let now: Vec<u8> = all.take(self.most).collect();
            self.taken.extend_from_slice(&now);
            Poll::Ready(Ok(now.len()))
        }

        fn is_write_vectored(&self) -> bool {
            true
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn frames_of_every_size_arrive_whole_and_in_order_whatever_is_taken_at_once() {
        let sizes = [0, 1, 125, 126, limits::COPIED_BYTES, limits::COPIED_BYTES + 1, 65_535, 65_536, 200_000, 3];
        for most in [7, 4_096, 70_001, usize::MAX] {
            for addressed in [false, true] {
                let address = if addressed { Bytes::from_static(b"to somebody") } else { Bytes::new() };
                let body = |size: usize| Bytes::from(vec![u8::try_from(size % 251).unwrap(); size]);
                let frames: Vec<Out> =
                    sizes.iter().map(|&size| Out { address: address.clone(), body: body(size) }).collect();
                let mut slow = Slow { taken: Vec::new(), most };
                let mut packed = Packed::new(frames);
                while !packed.is_written() {
                    poll_fn(|context| packed.poll_write(Pin::new(&mut slow), context)).await.unwrap();
                }
                let config = WebSocketConfig::default();
                let mut client = WebSocket::from_raw_socket(io::Cursor::new(slow.taken), Role::Client, Some(config));
                for size in sizes {
                    let Message::Binary(read) = client.read().unwrap() else { panic!("it is binary") };
                    assert!(read[..] == [&address[..], &body(size)[..]].concat()[..], "{size} of {most} at once");
                }
                assert!(client.read().is_err(), "there is no more");
            }
        }
    }

    #[test]
    fn what_is_large_is_not_copied_and_what_is_small_is_one_piece() {
        let large = Bytes::from(vec![7; 100_000]);
        let small = Bytes::from_static(b"small");
        let of = |bodies: &[&Bytes]| Packed::new(bodies.iter().map(|body| Out::from((*body).clone())).collect());
        assert_eq!(of(&[&small, &small, &small]).0.len(), 1);
        let packed = of(&[&small, &large, &small]);
        assert_eq!(packed.0.len(), 3);
        assert_eq!(packed.0[1].as_ptr(), large.as_ptr());
    }
}
