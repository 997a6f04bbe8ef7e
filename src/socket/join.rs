//! How documents are joined on a socket: by its address, before anything else, or as its frames ask.

use std::pin::pin;
use std::sync::Arc;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout, timeout_at};

use super::admission;
use super::calm::Calm;
use super::connection::{Connection, Ending};
use super::dialect::Dialect;
use super::slot::{Open, Queue, Slot, Standing, Turn, input};
use crate::auth::Caller;
use crate::ids::UserId;
use crate::limits;
use crate::protocol::close::Close;
use crate::protocol::hocuspocus;
use crate::room::Attachment;

/// How a join went: the place in the room, and as what; no place for somebody who has one and showed a credential again.
pub(super) struct Joined {
    address: Arc<str>,
    turn: Turn,
    outcome: Result<(Option<Attachment>, Standing, Arc<Caller>), Close>,
}

impl Connection {
    /// What comes first: a stranger's turn, and where the address names the one document, its join.
    pub(super) async fn enter(&mut self) -> Result<(), Ending> {
        if self.caller.is_none() && !self.take_turn().await {
            return Err(Some(Close::TryAgain));
        }
        let Dialect::Yjs(name) = &self.dialect else { return Ok(()) };
        let address: Arc<str> = name.as_str().into();
        self.slots.insert(address.clone(), Slot::waiting(Queue::default(), self.turns));
        let mut joining = pin!(self.joining(address, self.turns, None, false));
        // Until it is let in, or takes long: to read a crowd twice would cost a tenth of its return.
        let mut unread = pin!(sleep(limits::JOIN_UNREAD));
        let joined = loop {
            tokio::select! {
                joined = &mut joining => break joined,
                () = self.state.shutdown.cancelled() => return Err(Some(Close::Restart)),
                // Who has gone is not kept; what the client says meanwhile waits.
                received = async { unread.as_mut().await; self.wire.receive().await } => self.receive(received)?,
            }
        };
        self.joined(joined).await.map_err(Some)?;
        // What the client asked meanwhile is answered with the greeting, in one flush.
        if let Some(received) = self.wire.receive_now() {
            self.receive(received)?;
            yield_now().await;
        }
        Ok(())
    }

    /// Waits until a stranger is read.
    async fn take_turn(&mut self) -> bool {
        let turn = timeout_at(self.opened + limits::ADMISSION_TIME, self.visit.strangers_turn());
        self.stranger = self.state.shutdown.run_until_cancelled(turn).await.and_then(Result::ok).flatten();
        self.stranger.is_some()
    }

    /// Begins to join the document at an address: with the token, or as whoever opened the socket. Who is in already
    /// stays meanwhile: what they say and hear goes on.
    pub(super) fn join(&mut self, address: String, token: Option<String>) -> Result<(), Close> {
        let address: Arc<str> = address.into();
        self.turns += 1;
        let turn = self.turns;
        let slot = match self.slots.remove(&address) {
            Some(Slot::Waiting(waiting)) => Slot::waiting(waiting.0, turn),
            Some(Slot::Open(mut open)) => {
                open.turn = turn;
                Slot::Open(open)
            }
            Some(Slot::Refused) => Slot::waiting(Queue::default(), turn),
            None if self.slots.len() >= limits::DOCUMENTS_PER_SOCKET => return Err(Close::TooLarge),
            None => Slot::waiting(Queue::default(), turn),
        };
        let is_in = matches!(slot, Slot::Open(..));
        self.slots.insert(address.clone(), slot);
        self.joins.spawn(self.joining(address, turn, token, is_in));
        Ok(())
    }

    /// Finds out what a caller may join at an address and, unless they are in already, joins it.
    fn joining(
        &self,
        address: Arc<str>,
        turn: Turn,
        token: Option<String>,
        is_in: bool,
    ) -> impl Future<Output = Box<Joined>> + Send + use<> {
        let (state, admissions, bell) = (self.state.clone(), self.admissions.clone(), self.bell.clone());
        let (caller, name) = (self.caller.clone(), self.dialect.name_in(&address).len());
        async move {
            let outcome = async {
                // Looking again at what is open is not kept waiting by those who come.
                let _turn = if is_in { None } else { state.door.join().await };
                let caller = match token.filter(|token| !token.is_empty()) {
                    // What is shown counts, and not who opened the socket, also where it is no good.
                    Some(token) => admissions.by_token(&state, &token).await.map_err(admission::away)?,
                    None => caller,
                };
                let caller = caller.ok_or(Close::Unauthorized)?;
                let admission = admissions.admit(&state, &caller, &address[..name]).await?;
                let (standing, caller) = (admission.standing(), admission.caller);
                if is_in {
                    return Ok((None, standing, caller));
                }
                let joined = state.rooms.join(standing.subject, admission.participant, standing.may_write, bell).await;
                joined.map(|attachment| (Some(attachment), standing, caller)).map_err(admission::away)
            };
            // The database hangs, or too many come at once.
            let outcome = timeout(limits::JOIN_TIME, outcome).await.unwrap_or(Err(Close::TryAgain));
            Box::new(Joined { address, turn, outcome })
        }
    }

    pub(super) async fn joined(&mut self, joined: Box<Joined>) -> Result<(), Close> {
        let Joined { address, turn, outcome } = *joined;
        let latest = match self.slots.get(&address) {
            Some(Slot::Waiting(waiting)) => waiting.1 == turn,
            Some(Slot::Open(open)) => open.turn == turn,
            Some(Slot::Refused) | None => false,
        };
        if !latest {
            // Detached meanwhile, or asked for anew: the attachment is dropped, and with it the place in the room.
            return Ok(());
        }
        match outcome {
            Ok((attachment, standing, caller)) => {
                if let Some(Slot::Open(open)) = self.slots.get(&address)
                    && open.standing != standing
                {
                    // Providers take in what another standing brings with a new socket only.
                    return Err(Close::TryAgain);
                }
                if !self.sits_as(standing.user) {
                    self.is_no_stranger();
                    return self.put_out(address, Close::TooManySockets).await;
                }
                if matches!(self.dialect, Dialect::Hocuspocus) {
                    let message = hocuspocus::authenticated(
                        standing.may_write && !self.is_damaged(&address, attachment.as_ref()),
                    );
                    let frame = hocuspocus::addressed(&address, &message).into();
                    self.write(vec![frame]).await.map_err(|_| Close::TryAgain)?;
                }
                if let Some(attachment) = attachment
                    && let Some(Slot::Waiting(waiting)) = self.slots.remove(&address)
                {
                    for message in waiting.0.into_messages() {
                        let input = input(attachment.connection(), message);
                        self.unsent.push(attachment.room(), input);
                    }
                    self.looks.expect(caller.expires_us());
                    let stay = self.news.stay(&self.state, &address, standing, &caller.user);
                    let open = Open { attachment, standing, turn, caller, _stay: stay, calm: Calm::default() };
                    self.slots.insert(address, Slot::Open(Box::new(open)));
                    self.is_no_stranger();
                    self.wire.admit();
                }
                if self.looks.take_missed() {
                    self.look_again(None);
                }
                self.unsent.send();
                Ok(())
            }
            Err(close) => {
                if close != Close::Unauthorized && !close.is_transient() {
                    self.is_no_stranger();
                }
                self.put_out(address, close).await
            }
        }
    }

    /// Notes that somebody showed who they are, whatever became of it.
    fn is_no_stranger(&mut self) {
        self.is_known = true;
        self.stranger = None;
    }

    /// Counts the socket as this user's, unless it is already; false when they have too many.
    fn sits_as(&mut self, user: UserId) -> bool {
        if self.sittings.iter().any(|sitting| sitting.user() == user) {
            return true;
        }
        let sitting = self.state.door.sit(user);
        let sits = sitting.is_some();
        // Nearly always the only one.
        self.sittings.reserve_exact(1);
        self.sittings.extend(sitting);
        sits
    }

    /// Whether what is stored of a document is damaged, so that nobody can write.
    fn is_damaged(&self, address: &str, joined: Option<&Attachment>) -> bool {
        let open = || match self.slots.get(address) {
            Some(Slot::Open(open)) => Some(&open.attachment),
            _ => None,
        };
        joined.or_else(open).is_some_and(|attachment| attachment.room().damage.is_some())
    }

    /// Ends a document on this socket, or the socket where that is all there is to end.
    pub(super) async fn put_out(&mut self, address: Arc<str>, close: Close) -> Result<(), Close> {
        if matches!(self.dialect, Dialect::Yjs(_)) || close.is_transient() {
            return Err(close);
        }
        let message = hocuspocus::permission_denied(close.reason());
        let frame = hocuspocus::addressed(&address, &message).into();
        let ended = self.slots.insert(address, Slot::Refused);
        self.note_end_of(ended.as_ref());
        self.write(vec![frame]).await.map_err(|_| Close::TryAgain)
    }
}
