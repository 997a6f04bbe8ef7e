//! How the machine takes an edit in, and how it answers for it.

use std::sync::Arc;

use bytes::Bytes;

use super::{Edit, EditKind, Effect, Machine, Message, millis};
use crate::gate::{self, Context, Decision, Early, Refusal, Writer};
use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol::close::Close;
use crate::room::presence::Millis;
use crate::room::seat::{Debt, Ordinal, Parked, Seat};
use crate::update::ClientId;

impl Machine {
    pub(super) fn update(
        &mut self,
        connection: ConnectionId,
        kind: EditKind,
        update: &Bytes,
        now: Millis,
        effects: &mut Vec<Effect>,
    ) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        if seat.debts.len() >= limits::DEBTS {
            effects.push(Effect::Send(connection, Message::Ended(Close::TryAgain)));
            self.seats.remove(&connection);
            return;
        }
        let unowed = kind == EditKind::Sync && seat.unowed > 0;
        seat.unowed -= u32::from(unowed);
        let Some(seat) = self.seats.get(&connection) else { return };
        let mut decision = self.decide(seat, update);
        if kind == EditKind::Posted && decision.parked.is_some() {
            decision = Decision { refused: Some(Refusal::Incomplete), ..Decision::default() };
        }
        self.count(&decision);
        let advanced = self.take_in(connection, decision, Some(Came { at: now, owed: !unowed }));
        self.pay(connection, effects);
        if let Some(clients) = advanced {
            self.retry_parked(clients, effects);
        }
    }

    fn decide(&self, seat: &Seat, update: &Bytes) -> Decision {
        let writer = Writer {
            user: seat.participant.user,
            merged: &seat.participant.merged,
            may_write: seat.may_write,
            ended: &seat.ended,
        };
        let context = Context { committed: &self.committed.clocks, announced: self.presence.announced() };
        gate::decide(&self.state, &writer, &context, update)
    }

    fn count(&self, decision: &Decision) {
        let tally = &self.tally;
        for (happened, counter) in [
            (decision.admitted.is_some(), &tally.admitted),
            (decision.parked.is_some(), &tally.parked),
            (decision.refused.is_some(), &tally.refused),
            (decision.is_known(), &tally.known),
        ] {
            if happened {
                counter.add();
            }
        }
    }

    /// Carries a decision out, on a frame that `came` or, without that, on what was parked. Answers the clients that got
    /// further.
    fn take_in(&mut self, connection: ConnectionId, decision: Decision, came: Option<Came>) -> Option<Vec<ClientId>> {
        let seat = self.seats.get_mut(&connection)?;
        let mut advanced = None;
        if let Some(admitted) = decision.admitted {
            self.admitted += 1;
            seat.last_admitted = self.admitted;
            seat.resyncs = 0;
            self.state.admit(&admitted);
            self.pending_bytes += admitted.update.len();
            advanced = Some(admitted.clocks.iter().map(|&(client, _)| client).collect());
            let participant = Arc::new(seat.participant.clone());
            self.pending.push_back(Edit { ordinal: self.admitted, connection, participant, admitted });
        }
        seat.ended.extend(decision.ended);
        match came {
            Some(came) => seat.owe(came, decision.refused, decision.parked, advanced.is_some(), self.admitted),
            None => decision.refused.iter().for_each(|refusal| seat.fail_uncovered(refusal)),
        }
        advanced
    }

    /// Decides again on parked edits that wait for any of these clients, until nothing gets further.
    pub(super) fn retry_parked(&mut self, clients: Vec<ClientId>, effects: &mut Vec<Effect>) {
        let mut advanced = clients;
        while !advanced.is_empty() {
            let waits = |parked: &Parked| advanced.iter().any(|client| parked.early.waits.contains(client));
            let due: Vec<ConnectionId> = self
                .seats
                .iter()
                .filter(|(_, seat)| seat.parked.iter().any(waits))
                .map(|(&connection, _)| connection)
                .collect();
            let mut further = Vec::new();
            for connection in due {
                let Some(seat) = self.seats.get_mut(&connection) else { continue };
                let (again, rest) = std::mem::take(&mut seat.parked).into_iter().partition(waits);
                seat.parked = rest;
                further.extend(self.decide_again(connection, again));
                self.pay(connection, effects);
            }
            advanced = further;
        }
    }

    fn decide_again(&mut self, connection: ConnectionId, again: Vec<Parked>) -> Vec<ClientId> {
        let mut further = Vec::new();
        for parked in again {
            let Some(seat) = self.seats.get(&connection) else { break };
            let mut decision = self.decide(seat, &parked.early.update);
            let still = decision.parked.take();
            further.extend(self.take_in(connection, decision, None).into_iter().flatten());
            if let (Some(early), Some(seat)) = (still, self.seats.get_mut(&connection)) {
                seat.parked.push(Parked { early, expires_at: parked.expires_at });
            }
        }
        further
    }

    /// Pays what is due to a connection, in order.
    pub(super) fn pay(&mut self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        while let Some(debt) = seat.debts.front_mut() {
            if let Debt::Covered(early) = debt {
                if !early.is_covered(&self.state) {
                    break;
                }
                *debt = Debt::Known(self.admitted);
            }
            let message = match debt {
                Debt::Commit(ordinal) | Debt::Known(ordinal) if *ordinal > self.settled => break,
                Debt::Refused(refusal) => Message::Refused(refusal.clone()),
                Debt::Commit(_) | Debt::Known(_) | Debt::Covered(_) => Message::Saved,
            };
            effects.push(Effect::Send(connection, message));
            seat.debts.pop_front();
        }
    }

    /// Notes that an edit will never be saved. Frames that were known because of it may be wrong about that, so what
    /// is owed for them becomes a refusal too.
    pub(super) fn fail(&mut self, edit: &Edit, refusal: &Refusal) {
        for (connection, seat) in &mut self.seats {
            let own = *connection == edit.connection;
            if own {
                seat.ended.extend(edit.admitted.clocks.iter().map(|&(client, _)| client));
            }
            for debt in &mut seat.debts {
                let lost = match debt {
                    Debt::Commit(ordinal) => own && *ordinal == edit.ordinal,
                    Debt::Known(ordinal) => *ordinal >= edit.ordinal,
                    Debt::Covered(_) | Debt::Refused(_) => false,
                };
                if lost {
                    *debt = Debt::Refused(refusal.clone());
                }
            }
        }
    }

    pub(super) fn expire_parked(&mut self, connection: ConnectionId, now: Millis, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        if !seat.parked.iter().any(|parked| parked.expires_at <= now) {
            return;
        }
        seat.parked.clear();
        if seat.resyncs == limits::RESYNCS {
            seat.fail_uncovered(&Refusal::Incomplete);
            self.pay(connection, effects);
            return;
        }
        seat.resyncs += 1;
        seat.unowed += 1;
        self.tally.resyncs.add();
        let question = self.question();
        effects.push(Effect::Send(connection, Message::Other(question)));
    }
}

/// How a frame came.
#[derive(Debug, Clone, Copy)]
struct Came {
    at: Millis,
    /// Whether it is answered for.
    owed: bool,
}

impl Seat {
    /// Notes what is owed for a frame, and parks what of it came too early.
    fn owe(&mut self, came: Came, refused: Option<Refusal>, parked: Option<Early>, admitted: bool, ordinal: Ordinal) {
        if came.owed {
            self.debts.push_back(match (refused, &parked) {
                (Some(refusal), _) => Debt::Refused(refusal),
                (None, Some(early)) => Debt::Covered(Box::new(early.clone())),
                (None, None) if admitted => Debt::Commit(ordinal),
                (None, None) => Debt::Known(ordinal),
            });
        }
        if let Some(mut early) = parked {
            let mut wait = millis(limits::PARKED_TIME);
            if self.parked_bytes() + early.update.len() > limits::PARKED_BYTES {
                // Not kept: everything is asked for again at once.
                early.update = Bytes::new();
                early.waits.clear();
                wait = 0;
            }
            self.parked.push(Parked { early, expires_at: came.at + wait });
        }
    }

    /// What came too early and will never be complete.
    fn fail_uncovered(&mut self, refusal: &Refusal) {
        for debt in self.debts.iter_mut().filter(|debt| matches!(debt, Debt::Covered(_))) {
            *debt = Debt::Refused(refusal.clone());
        }
    }
}
