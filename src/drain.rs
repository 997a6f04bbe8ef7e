//! A connection that is given up when its peer takes nothing of what is written to it for a while. Answers wait for their
//! readers, and would wait for ever for those who have stopped.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// The connection.
#[derive(Debug)]
pub struct Drain<S> {
    stream: S,
    /// How long the peer may take nothing.
    patience: Duration,
    /// For how long it still may; none while it takes what there is.
    left: Option<Pin<Box<Sleep>>>,
}

impl<S: AsyncWrite + Unpin> Drain<S> {
    /// Nothing waits to be taken yet; once something does, the peer is given up when it takes nothing for so long.
    pub fn new(stream: S, patience: Duration) -> Self {
        Self { stream, patience, left: None }
    }

    /// What became of a write: one that waits does so within bounds.
    fn bounded<T>(&mut self, context: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.left = None;
            return written;
        }
        let patience = self.patience;
        match self.left.get_or_insert_with(|| Box::pin(sleep(patience))).as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer reads nothing"))),
            Poll::Pending => Poll::Pending,
        }
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
        self.bounded(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.bounded(context, written)
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
    use tokio::time::{Instant, timeout};

    use super::*;

    const PATIENCE: Duration = Duration::from_millis(400);

    #[tokio::test]
    async fn who_takes_nothing_is_given_up_and_who_takes_a_little_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        let mut drain = Drain::new(ours, PATIENCE);
        let began = Instant::now();
        let writing = tokio::spawn(async move { drain.write_all(&[7; 4 * 1024]).await });
        let mut taken = [0; 1024];
        for _ in 0..3 {
            sleep(PATIENCE / 2).await;
            theirs.read_exact(&mut taken).await.unwrap();
        }
        writing.await.unwrap().unwrap();
        assert!(began.elapsed() > PATIENCE);

        let (ours, theirs) = tokio::io::duplex(1024);
        let refused = timeout(PATIENCE * 20, Drain::new(ours, PATIENCE).write_all(&[7; 4 * 1024])).await;
        assert_eq!(refused.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(theirs);
    }
}
