//! One WebSocket, as the loop of a connection uses it: frames in, frames out, and an end that is told. Data goes out past the
//! library's buffer, which would keep a copy of what was last written for each socket.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use axum::body::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{self, Message};

use super::inflow::{Inflow, LargePlace, TooMuch};
use super::packed::Packed;
use crate::limits;
use crate::protocol::close::Close;

/// The socket.
pub(super) struct Wire {
    socket: WebSocketStream<Inflow>,
    /// What comes cannot be read as frames any more.
    broken: bool,
    /// Nothing that follows would be read as a frame: what went ended inside one, or the client has said goodbye.
    is_over: bool,
}

/// What came.
#[derive(Debug)]
pub(super) enum Received {
    /// A frame, and its place among the large ones.
    Frame(Bytes, Option<LargePlace>),
    /// A sign of life.
    Life,
    /// Something that ends the socket.
    Wrong(Close),
    /// The client has gone.
    Gone,
}

/// A frame to be written: an address that is this connection's own, and a body that may be everybody's.
#[derive(Debug, Clone)]
pub(super) struct Out {
    pub(super) address: Bytes,
    pub(super) body: Bytes,
}

impl From<Bytes> for Out {
    fn from(body: Bytes) -> Self {
        Self { address: Bytes::new(), body }
    }
}

/// The peer has gone, or reads nothing.
#[derive(Debug)]
pub(super) struct Unwritten;

impl Wire {
    pub(super) fn new(socket: WebSocketStream<Inflow>) -> Self {
        Self { socket, broken: false, is_over: false }
    }

    /// Lets frames be as large as a document.
    pub(super) fn admit(&mut self) {
        self.socket.get_mut().admit();
    }

    /// When the frame that is coming must be complete.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.socket.get_ref().deadline()
    }

    /// The next frame. Nothing is lost when it is not waited for to the end.
    pub(super) async fn receive(&mut self) -> Received {
        let mut next = self.socket.next().await;
        if let Some(Ok(Message::Close(_))) = next {
            // The library answers it when it is asked for more, and there is no more once that is written.
            self.is_over = true;
            next = self.socket.next().await;
        }
        match next {
            Some(Ok(Message::Binary(frame))) => Received::Frame(frame, self.socket.get_mut().complete()),
            Some(Ok(Message::Ping(body) | Message::Pong(body))) => {
                self.socket.get_mut().beside(body.len());
                Received::Life
            }
            Some(Ok(Message::Text(_))) => Received::Wrong(Close::Malformed),
            Some(Ok(Message::Close(_) | Message::Frame(_))) | None => Received::Gone,
            Some(Err(error)) => {
                self.broken = true;
                if is_too_much(&error) { Received::Wrong(Close::TooLarge) } else { Received::Gone }
            }
        }
    }

    /// The next frame, if it has come.
    pub(super) fn receive_now(&mut self) -> Option<Received> {
        self.receive().now_or_never()
    }

    /// Writes frames, with one call to the system where it takes them all.
    ///
    /// # Errors
    /// When the peer takes nothing for [`limits::SOCKET_WRITE_TIMEOUT`], or has gone.
    pub(super) async fn write(&mut self, frames: Vec<Out>) -> Result<(), Unwritten> {
        let written = self.write_all(Packed::new(frames)).await;
        self.is_over |= written.is_err();
        written
    }

    async fn write_all(&mut self, mut packed: Packed) -> Result<(), Unwritten> {
        // What the library says by itself, such as the answer to a ping, may be half written.
        in_time(self.socket.flush()).await?;
        if self.is_over {
            return Err(Unwritten);
        }
        while !packed.is_written() {
            in_time(poll_fn(|context| packed.poll_write(Pin::new(self.socket.get_mut()), context))).await?;
        }
        Ok(())
    }

    /// Sends a ping, which the peer's WebSocket answers.
    pub(super) async fn ping(&mut self) -> Result<(), Unwritten> {
        in_time(self.socket.send(Message::Ping(Bytes::new()))).await
    }

    /// Reads on, without looking, until the client has gone.
    pub(super) async fn until_gone(&mut self) {
        while !self.broken {
            match self.socket.next().await {
                Some(Ok(_)) => drop(self.socket.get_mut().complete()),
                Some(Err(_)) => self.broken = true,
                None => return,
            }
        }
        // What is on its way is read as bytes.
        self.socket.get_mut().admit();
        drop(self.socket.get_mut().complete());
        let mut rest = self.socket.get_mut().take(limits::GOODBYE_BYTES);
        // Who breaks off has gone as well.
        let _ = tokio::io::copy(&mut rest, &mut tokio::io::sink()).await;
    }

    /// Sends the close and waits for the peer's, reading on: a socket dropped with unread bytes would take the close
    /// frame with it.
    pub(super) async fn say_goodbye(mut self, close: Close) {
        let frame = CloseFrame { code: close.code().into(), reason: close.reason().into() };
        let goodbye = async {
            if !self.is_over && self.socket.send(Message::Close(Some(frame))).await.is_ok() {
                self.until_gone().await;
            }
        };
        // Who does not answer is dropped.
        let _ = timeout(limits::GOODBYE, goodbye).await;
    }
}

async fn in_time<E>(writing: impl Future<Output = Result<(), E>>) -> Result<(), Unwritten> {
    let mut writing = pin!(writing);
    // Nearly always the system takes it at once, and no time needs to be kept.
    if let Poll::Ready(written) = poll_fn(|context| Poll::Ready(writing.as_mut().poll(context))).await {
        return written.map_err(|_| Unwritten);
    }
    match timeout(limits::SOCKET_WRITE_TIMEOUT, writing).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(Unwritten),
    }
}

/// Whether reading failed because a frame was above the limit.
fn is_too_much(error: &tungstenite::Error) -> bool {
    match error {
        tungstenite::Error::Capacity(_) => true,
        tungstenite::Error::Io(error) => error.get_ref().is_some_and(|inner| inner.is::<TooMuch>()),
        _ => false,
    }
}
