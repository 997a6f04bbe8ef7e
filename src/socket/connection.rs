//! The loop of one socket: it writes all that waits and flushes once, hands on what the client says, and reads no
//! further while a room has no place for it.

use std::collections::HashMap;
use std::pin::{Pin, pin};
use std::sync::Arc;

use bytes::Bytes;
use tokio::task::{JoinSet, yield_now};
use tokio::time::{Instant, Sleep, sleep_until};

use super::admission::Admissions;
use super::dialect::{Dialect, Part};
use super::entrance::Opening;
use super::inflow::LargePlace;
use super::join::Joined;
use super::look::Looks;
use super::news::News;
use super::pace::Pace;
use super::slot::{Open, Queue, Slot, Turn, input};
use super::unsent::Unsent;
use super::wire::{Out, Received, Unwritten, Wire};
use crate::auth::Caller;
use crate::door::{self, Sitting, Visit};
use crate::limits;
use crate::meters;
use crate::protocol::ClientMessage;
use crate::protocol::close::Close;
use crate::protocol::hocuspocus;
use crate::room::Bell;
use crate::room::machine::Input;
use crate::state::AppState;

/// One socket.
pub struct Connection {
    pub(super) state: AppState,
    pub(super) admissions: Admissions,
    pub(super) wire: Wire,
    pub(super) dialect: Dialect,
    /// Who opened the socket, by its cookie or query; a frame may bring a better credential for its document.
    pub(super) caller: Option<Arc<Caller>>,
    pub(super) slots: HashMap<Arc<str>, Slot>,
    pub(super) joins: JoinSet<Box<Joined>>,
    pub(super) turns: Turn,
    /// Rung by every room of this socket.
    pub(super) bell: Arc<Bell>,
    /// Whether the holders of what is open may still be there.
    pub(super) looks: Looks,
    /// What the feeds of this socket's projects tell.
    pub(super) news: News,
    /// Inputs that their rooms had no place for. While there are any, the socket is not read.
    pub(super) unsent: Unsent,
    pub(super) pace: Pace,
    /// Whether somebody showed in a frame who they are, and was not let in all the same.
    pub(super) is_known: bool,
    /// The turn of a stranger, until somebody says who they are.
    pub(super) stranger: Option<door::Turn>,
    /// As whose it counts while it lasts: its address's, among all that are open, and of each whom it was opened as.
    pub(super) visit: Arc<Visit>,
    _counted: meters::Open,
    pub(super) sittings: Vec<Sitting>,
    pub(super) answers_pings: bool,
    /// Fires at the next deadline or before; setting it anew at each turn of the loop would cost more than that.
    pub(super) timer: Pin<Box<Sleep>>,
    pub(super) opened: Instant,
    /// Since when it has no document open, while it has none.
    pub(super) empty: Instant,
    pub(super) last_sent: Instant,
    pub(super) last_received: Instant,
}

/// Why the loop ends: the close to send, or nothing when the client has gone.
pub(super) type Ending = Option<Close>;

impl Connection {
    /// The socket that was agreed to, over a wire.
    pub(super) fn new(opening: Opening, wire: Wire) -> Self {
        let Opening { state, admissions, dialect, caller, visit, counted } = opening;
        let now = Instant::now();
        Self {
            looks: Looks::new(state.rights.follow()),
            state,
            admissions,
            wire,
            dialect,
            caller,
            slots: HashMap::new(),
            joins: JoinSet::new(),
            turns: 0,
            bell: Arc::new(Bell::default()),
            news: News::default(),
            unsent: Unsent::default(),
            pace: Pace::new(now),
            is_known: false,
            stranger: None,
            visit,
            _counted: counted,
            sittings: Vec::new(),
            answers_pings: false,
            timer: Box::pin(sleep_until(now + limits::KEEP_ALIVE)),
            opened: now,
            empty: now,
            last_sent: now,
            last_received: now,
        }
    }

    /// Serves the socket until either side ends it.
    pub async fn serve(mut self: Box<Self>) {
        let ending = match Box::pin(self.enter()).await {
            Ok(()) => self.run().await,
            Err(ending) => ending,
        };
        tracing::debug!(close = ?ending, lasted = ?self.opened.elapsed(), "a socket ends");
        // Leaves every room before the goodbye, which may take a while.
        self.slots.clear();
        if let Some(close) = ending {
            Box::pin(self.hold_back(close)).await;
            Box::pin(self.wire.say_goodbye(close)).await;
        }
    }

    /// What is rare waits in boxes, so that an idle socket has no room for it.
    async fn run(&mut self) -> Ending {
        let mut shutdown = pin!(self.state.shutdown.clone().cancelled_owned());
        loop {
            if let Err(ending) = self.write_waiting().await {
                return ending;
            }
            self.set_timer();
            tokio::select! {
                () = &mut shutdown => return Some(Close::Restart),
                () = self.bell.heard() => {}
                heard = self.looks.heard() => {
                    if let Err(close) = Box::pin(self.look(heard)).await {
                        return Some(close);
                    }
                }
                first = self.news.told() => {
                    let is_open = |address: &str| matches!(self.slots.get(address), Some(Slot::Open(..)));
                    let frames = self.news.frames(first, is_open);
                    if let Err(ending) = self.write(frames).await {
                        return ending;
                    }
                }
                Some(joined) = self.joins.join_next(), if !self.joins.is_empty() => {
                    let Ok(joined) = joined else { return Some(Close::Failed) };
                    if let Err(close) = Box::pin(self.joined(joined)).await {
                        return Some(close);
                    }
                    // The room may answer what the client asked meanwhile: that goes out with its greeting, in one flush.
                    yield_now().await;
                }
                () = self.unsent.first(), if !self.unsent.is_empty() => self.unsent.send(),
                received = self.wire.receive(), if self.may_read() => {
                    if let Err(ending) = self.receive(received) {
                        return ending;
                    }
                }
                () = &mut self.timer => {
                    if let Err(ending) = Box::pin(self.meet_deadlines()).await {
                        return ending;
                    }
                }
            }
        }
    }

    /// Writes everything that every room has for this socket, in one flush.
    async fn write_waiting(&mut self) -> Result<(), Ending> {
        let mut frames = Vec::new();
        let mut outgoing = Vec::new();
        let mut ended = Vec::new();
        for (address, slot) in &mut self.slots {
            let Slot::Open(open) = slot else { continue };
            let attachment = &mut open.attachment;
            if let Some(request) = attachment.drain(&mut outgoing) {
                self.unsent.push(attachment.room(), request);
            }
            for one in outgoing.drain(..) {
                if one.settles() {
                    self.pace.settle(Instant::now());
                }
                if let Some(close) = self.dialect.encode(address, one, &mut frames) {
                    ended.push((address.clone(), close));
                }
            }
        }
        self.write(frames).await?;
        for (address, close) in ended {
            let ended = self.slots.insert(address.clone(), Slot::Refused);
            self.note_end_of(ended.as_ref());
            let alone = matches!(self.dialect, Dialect::Yjs(_));
            // What is over for good ends one document; what may come back ends the socket, since providers return
            // to a document only with a new one.
            if alone || close.is_transient() {
                return Err(Some(close));
            }
            self.write(vec![hocuspocus::addressed(&address, &hocuspocus::close(close.reason())).into()]).await?;
        }
        self.unsent.send();
        Ok(())
    }

    pub(super) async fn write(&mut self, frames: Vec<Out>) -> Result<(), Ending> {
        if frames.is_empty() {
            return Ok(());
        }
        // Gone, or not reading: a goodbye would not arrive.
        Box::pin(self.wire.write(frames)).await.map_err(|Unwritten| None)?;
        self.last_sent = Instant::now();
        Ok(())
    }

    /// Takes in a frame, and those that came with it.
    pub(super) fn receive(&mut self, received: Received) -> Result<(), Ending> {
        self.last_received = Instant::now();
        self.pace.read(self.last_received);
        let mut next = Some(received);
        let mut frames = 0;
        while let Some(received) = next.take() {
            match received {
                Received::Frame(frame, place) => self.take_frame(&frame, place).map_err(Some)?,
                Received::Life => {}
                Received::Wrong(close) => return Err(Some(close)),
                Received::Gone => return Err(None),
            }
            frames += 1;
            if frames < limits::FRAMES_AT_ONCE && self.unsent.is_empty() {
                next = self.wire.receive_now();
            }
        }
        if frames == limits::FRAMES_AT_ONCE {
            // There is more: no rest before that.
            self.pace.read(self.last_received);
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: &Bytes, place: Option<LargePlace>) -> Result<(), Close> {
        if !self.is_admitted() && frame.len() > limits::UNADMITTED_BYTES {
            return Err(Close::TooLarge);
        }
        self.unsent.keep(place);
        for part in self.dialect.decode(frame).map_err(|_| Close::Malformed)? {
            match part {
                Part::Message(address, message) => self.take_message(address, message)?,
                Part::Token(address, token, answers_pings) => {
                    self.answers_pings |= answers_pings;
                    self.join(address, Some(token))?;
                }
                Part::Detach(address) => {
                    let left = self.slots.remove(address.as_str());
                    self.note_end_of(left.as_ref());
                }
            }
        }
        self.unsent.send();
        Ok(())
    }

    fn take_message(&mut self, address: String, message: ClientMessage) -> Result<(), Close> {
        let full = self.slots.len() >= limits::DOCUMENTS_PER_SOCKET;
        match self.slots.get_mut(address.as_str()) {
            Some(Slot::Open(open)) => {
                let Open { attachment, calm, .. } = &mut **open;
                let message = match message {
                    ClientMessage::Awareness(body) => {
                        let told = calm.take(body, &attachment.room().clocks, Instant::now());
                        // What cannot be read is the room's to refuse.
                        match told.map_err(|_| Close::Malformed)? {
                            Some(body) => ClientMessage::Awareness(body),
                            None => return Ok(()),
                        }
                    }
                    other => other,
                };
                let input = input(attachment.connection(), message);
                if matches!(input, Input::Update(..)) {
                    self.pace.edit();
                }
                self.unsent.push(attachment.room(), input);
                Ok(())
            }
            Some(Slot::Waiting(waiting)) => waiting.0.push(message),
            Some(Slot::Refused) => Ok(()),
            None if full => Err(Close::TooLarge),
            None => {
                // Providers of old send no token when they have none; a login may let them in all the same.
                let mut queue = Queue::default();
                queue.push(message)?;
                self.turns += 1;
                self.slots.insert(address.as_str().into(), Slot::waiting(queue, self.turns));
                if self.caller.is_some() {
                    self.join(address, None)?;
                }
                Ok(())
            }
        }
    }

    pub(super) fn is_admitted(&self) -> bool {
        self.slots.values().any(|slot| matches!(slot, Slot::Open(..)))
    }
}
