//! A connection that is given up when its peer takes nothing of what is written to it for a while, or next to nothing for
//! longer. Answers wait for their readers, and would wait for ever for those who have stopped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

use crate::limits;

/// How slowly a peer may take what is written to it.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long it may take nothing.
    pub patience: Duration,
    /// How long it may keep us waiting, in all, until it is looked at what it took.
    pub window: Duration,
    /// What it is to have taken by then, in bytes.
    pub least: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            patience: limits::SOCKET_WRITE_TIMEOUT,
            window: limits::SOCKET_WRITE_WINDOW,
            least: limits::SOCKET_WRITE_LEAST,
        }
    }
}

/// The connection.
#[derive(Debug)]
pub struct Drain<S> {
    stream: S,
    pace: Pace,
    /// The wait that goes on: since when, and until when it may; none while the peer takes what there is.
    wait: Option<(Instant, Pin<Box<Sleep>>)>,
    /// How long the peer has kept us waiting since it was looked at what it took. Who takes all at once never does.
    waited: Duration,
    /// What it took since, in bytes.
    taken: usize,
}

impl<S: AsyncWrite + Unpin> Drain<S> {
    /// Nothing waits to be taken yet; once something does, the peer is given up when it takes too little of it.
    pub fn new(stream: S, pace: Pace) -> Self {
        Self { stream, pace, wait: None, waited: Duration::ZERO, taken: 0 }
    }

    /// What became of a write of which so many bytes were taken: one that waits does so within bounds.
    fn bounded<T>(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<io::Result<T>>,
        taken: usize,
    ) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.taken = self.taken.saturating_add(taken);
            let Some((since, _)) = self.wait.take() else { return written };
            self.waited += since.elapsed();
            if self.waited < self.pace.window {
                return written;
            }
            let is_slow = self.taken < self.pace.least;
            (self.waited, self.taken) = (Duration::ZERO, 0);
            return if is_slow { Poll::Ready(Err(given_up("the peer reads too slowly"))) } else { written };
        }
        let patience = self.pace.patience;
        let (_, over) = self.wait.get_or_insert_with(|| (Instant::now(), Box::pin(sleep(patience))));
        match over.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(given_up("the peer reads nothing"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

fn given_up(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, why)
}

/// What a write took, as far as it is over.
fn taken(written: &Poll<io::Result<usize>>) -> usize {
    match written {
        Poll::Ready(Ok(taken)) => *taken,
        Poll::Ready(Err(_)) | Poll::Pending => 0,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Drain<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Drain<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        let taken = taken(&written);
        self.bounded(context, written, taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        let taken = taken(&written);
        self.bounded(context, written, taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::time::timeout;

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(400);

    fn pace(window: Duration, least: usize) -> Pace {
        Pace { patience: PATIENCE, window, least }
    }

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_who_takes_a_little_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut drain = Drain::new(ours, pace(PATIENCE * 2, 1024));
        let began = Instant::now();
        let writing = tokio::spawn(async move { drain.write_all(&[7; 6 * 1024]).await });
        let mut taken = [0; 1024];
        for _ in 0..5 {
            sleep(PATIENCE / 2).await;
            theirs.read_exact(&mut taken).await.unwrap();
        }
        writing.await.unwrap().unwrap();
        assert!(began.elapsed() > PATIENCE * 2);

        let (ours, theirs) = tokio::io::duplex(1024);
        let mut drain = Drain::new(ours, pace(PATIENCE * 2, 1024));
        let refused = timeout(PATIENCE * 20, drain.write_all(&[7; 4 * 1024])).await;
        assert_eq!(refused.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }

    #[tokio::test]
    async fn who_takes_next_to_nothing_for_long_is_given_up() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut drain = Drain::new(ours, pace(PATIENCE, 4 * 1024));
        let writing = tokio::spawn(async move { drain.write_all(&[7; 1024 * 1024]).await });
        let trickling = async {
            let mut taken = [0; 16];
            loop {
                sleep(PATIENCE / 20).await;
                if theirs.read_exact(&mut taken).await.is_err() {
                    break;
                }
            }
        };
        timeout(PATIENCE * 20, trickling).await.expect("it is given up");
        assert_eq!(writing.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_pause_in_which_there_is_nothing_to_take_does_not_count() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut drain = Drain::new(ours, pace(PATIENCE, 4 * 1024));
        for _ in 0..6 {
            let writing = tokio::spawn(async move {
                drain.write_all(&[7; 1100]).await.unwrap();
                drain
            });
            // It waits a little each time, and takes what there is.
            sleep(PATIENCE / 40).await;
            theirs.read_exact(&mut [0; 1100]).await.unwrap();
            drain = writing.await.unwrap();
            sleep(PATIENCE / 2).await;
        }
    }
}
