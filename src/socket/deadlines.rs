//! What time brings to one socket: presence that waited, keep-alive, silence, and frames or joins that do not come on.

use tokio::time::{Instant, sleep_until};

use super::connection::{Connection, Ending};
use super::dialect::Dialect;
use super::slot::{Slot, input};
use super::wire::{Out, Unwritten};
use crate::limits;
use crate::protocol::ClientMessage;
use crate::protocol::close::Close;

impl Connection {
    pub(super) fn set_timer(&mut self) {
        let deadline = self.next_deadline();
        if self.timer.is_elapsed() || deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
    }

    fn next_deadline(&self) -> Instant {
        let silence = (self.last_sent + limits::KEEP_ALIVE).min(self.last_received + limits::SOCKET_SILENCE);
        // While it is not read, a frame that does not come on is not the client's fault.
        let presence = self.slots.values().filter_map(|slot| match slot {
            Slot::Open(open) => open.calm.next(),
            Slot::Waiting(..) | Slot::Refused => None,
        });
        let others = [presence.min(), self.frame_deadline(), self.looks.due(), self.pace.rests_until(Instant::now())];
        let silence = others.into_iter().flatten().fold(silence, Instant::min);
        if self.is_admitted() { silence } else { silence.min(self.empty + self.admission_time()) }
    }

    pub(super) fn may_read(&self) -> bool {
        self.unsent.is_empty() && self.pace.rests_until(Instant::now()).is_none()
    }

    fn frame_deadline(&self) -> Option<Instant> {
        self.wire.deadline().filter(|_| self.unsent.is_empty())
    }

    /// How long the socket may be open without a document. Providers come back as soon as it is closed, so who is known and
    /// was refused is not made to try over and over.
    fn admission_time(&self) -> std::time::Duration {
        if self.caller.is_some() || self.is_known { limits::SOCKET_SILENCE } else { limits::ADMISSION_TIME }
    }

    pub(super) async fn meet_deadlines(&mut self) -> Result<(), Ending> {
        let now = Instant::now();
        self.tell_presence(now);
        if self.looks.take_due(now) {
            self.look_again(None);
        }
        if !self.is_admitted() && self.empty + self.admission_time() <= now {
            return Err(Some(Close::AuthTimeout));
        }
        if self.last_received + limits::SOCKET_SILENCE <= now {
            // Neither data nor the answer to a ping: the peer is gone without a word.
            return Err(None);
        }
        if self.frame_deadline().is_some_and(|deadline| deadline <= now) {
            return Err(Some(Close::TryAgain));
        }
        if self.last_sent + limits::KEEP_ALIVE <= now {
            let address =
                self.slots.iter().find(|(_, slot)| matches!(slot, Slot::Open(..))).map(|(address, _)| address);
            let data = self.dialect.keep_alive(address.map(|address| &**address), self.answers_pings);
            // The ping is for the peer's WebSocket, which answers it; the data is for its page.
            self.wire.ping().await.map_err(|Unwritten| None)?;
            self.last_sent = now;
            self.write(data.into_iter().map(Out::from).collect()).await?;
        }
        Ok(())
    }

    /// Hands presence on that waited for its time.
    fn tell_presence(&mut self, now: Instant) {
        for slot in self.slots.values_mut() {
            if let Slot::Open(open) = slot
                && let Some(body) = open.calm.due(now)
            {
                let input = input(open.attachment.connection(), ClientMessage::Awareness(body));
                self.unsent.push(open.attachment.room(), input);
            }
        }
        self.unsent.send();
    }

    /// Notes that what was there is open no more. What never was open gives nobody more time.
    pub(super) fn note_end_of(&mut self, slot: Option<&Slot>) {
        if matches!(slot, Some(Slot::Open(_))) {
            self.empty = Instant::now();
        }
    }

    /// Keeps a socket that ends early open for a while: stable y-websocket comes back from every close at once, and
    /// only by being slow can a server slow it down.
    pub(super) async fn hold_back(&mut self, close: Close) {
        if matches!(self.dialect, Dialect::Hocuspocus) || close == Close::Restart {
            return;
        }
        tokio::select! {
            () = self.wire.until_gone() => {}
            () = self.state.shutdown.cancelled() => {}
            () = sleep_until(self.opened + limits::SOCKET_LIFE_MIN) => {}
        }
    }
}
