//! How the machine commits: one append in flight, and what its outcome means.

use std::collections::HashSet;

use bytes::Bytes;

use super::rows::{PlannedRow, plan_rows};
use super::{Edit, Effect, Machine, Message};
use crate::gate::{self, Context, Owner, Refusal, Writer};
use crate::head::Head;
use crate::ids::{BatchId, ConnectionId};
use crate::journal::{Append, Loaded, Outcome, Row};
use crate::protocol;
use crate::protocol::close::Close;
use crate::room::committed::Committed;
use crate::room::presence::Millis;
use crate::room::ring::Frame;
use crate::room::seat::Ordinal;

/// The append that is being committed.
#[derive(Debug)]
pub(super) struct InFlight {
    edits: Vec<Edit>,
    rows: Vec<PlannedRow>,
    through: Ordinal,
}

impl Machine {
    /// Sends the next append on its way, if none is and there is anything to append. Call it when no further input is
    /// at hand: what arrived together is committed together.
    pub fn dispatch(&mut self, effects: &mut Vec<Effect>) {
        if self.in_flight.is_some() || self.reloading || self.pending.is_empty() {
            return;
        }
        let count = self.next_edits.min(self.pending.len());
        let edits: Vec<Edit> = self.pending.drain(..count).collect();
        let through = if self.pending.is_empty() { self.admitted } else { edits[count - 1].ordinal };
        let rows = plan_rows(&edits);
        effects.push(Effect::Append(Append {
            document: self.document,
            batch: BatchId::of_attempt(),
            expected: self.committed.head,
            rows: rows.iter().map(|row| Row { author: row.author, update: row.update.clone() }).collect(),
            claims: edits
                .iter()
                .flat_map(|edit| {
                    let user = edit.participant.user;
                    edit.admitted.claims.iter().map(move |&(client, owner)| (client, user, owner))
                })
                .collect(),
        }));
        self.in_flight = Some(InFlight { edits, rows, through });
    }

    pub(super) fn settle(&mut self, outcome: Outcome, effects: &mut Vec<Effect>) {
        let Some(flight) = self.in_flight.take() else { return };
        match outcome {
            Outcome::Committed => {
                self.show(flight, effects);
                self.look_again(effects);
            }
            Outcome::Conflict => {
                self.tally.conflicts.add();
                self.put_back(flight.edits);
                self.ask_reload(effects);
            }
            Outcome::Refused if flight.edits.len() > 1 => {
                self.next_edits = flight.edits.len() / 2;
                self.put_back(flight.edits);
            }
            Outcome::Refused => {
                self.tally.unstorable.add();
                self.next_edits = usize::MAX;
                self.unstorable = flight.edits.into_iter().next();
                self.ask_reload(effects);
            }
        }
    }

    /// Everything admitted that is not committed.
    pub(super) fn uncommitted(&self) -> impl Iterator<Item = &Edit> {
        let in_flight = self.in_flight.iter().flat_map(|flight| &flight.edits);
        in_flight.chain(&self.pending).chain(&self.unstorable)
    }

    /// Reads what someone else appended. What is on its way may have been decided before that or after: an append in
    /// flight is in conflict or came first, and a log that is being read may have been read just before.
    pub(super) fn look(&mut self, effects: &mut Vec<Effect>) {
        self.looked = true;
        if self.in_flight.is_none() && !self.reloading {
            self.ask_reload(effects);
        }
    }

    fn look_again(&mut self, effects: &mut Vec<Effect>) {
        if self.looked {
            self.ask_reload(effects);
        }
    }

    fn ask_reload(&mut self, effects: &mut Vec<Effect>) {
        self.looked = false;
        self.reloading = true;
        effects.push(Effect::Reload);
    }

    fn put_back(&mut self, edits: Vec<Edit>) {
        for edit in edits.into_iter().rev() {
            self.pending.push_front(edit);
        }
    }

    /// Shows what is committed to everyone, and tells its authors that it is saved.
    fn show(&mut self, flight: InFlight, effects: &mut Vec<Effect>) {
        self.forget_answers();
        for row in flight.rows {
            self.tally.rows.add();
            let message = protocol::update(&row.update);
            // Not the row's own bytes, which may be a small part of a frame and count as unsettled.
            let update = message.slice(message.len() - row.update.len()..);
            if let Some(share) = &self.share {
                share.committed(update.len());
            }
            self.committed.push(update, row.clocks);
            effects.push(Effect::Publish(Frame::new(row.from, Some(self.committed.head.seq), message)));
        }
        self.settled = flight.through;
        self.next_edits = usize::MAX;
        for edit in &flight.edits {
            self.pending_bytes -= edit.bytes();
        }
        self.pay_all(effects);
    }

    /// Takes over what the document was folded to: the same, in fewer bytes.
    pub fn adopt(&mut self, head: Head, folded: Bytes) {
        if self.committed.adopt(head, folded) {
            self.forget_answers();
        }
    }

    /// Forgets what was answered for an earlier head.
    fn forget_answers(&mut self) {
        self.question = None;
        self.answers.clear();
        self.answers_bytes = 0;
        self.catch_ups.clear();
    }

    fn pay_all(&mut self, effects: &mut Vec<Effect>) {
        let owing: Vec<ConnectionId> = self
            .seats
            .iter()
            .filter(|(_, seat)| seat.debts.len() > 0 || seat.held.is_some())
            .map(|(&connection, _)| connection)
            .collect();
        let settled = self.settled;
        for connection in owing {
            self.pay(connection, effects);
            self.release_held(connection, |held| held.behind <= settled, effects);
        }
    }

    /// Goes on from what the log really holds: everything admitted but not committed is decided on again.
    pub(super) fn reload(&mut self, loaded: Loaded, now: Millis, effects: &mut Vec<Effect>) {
        self.reloading = false;
        if loaded.head.epoch != self.committed.head.epoch {
            return self.end(Close::Replaced, effects);
        }
        let shown = self.committed.head.seq;
        let news = rows_after(&loaded, shown);
        let Ok((committed, state)) = Committed::new(loaded) else { return self.end(Close::Failed, effects) };
        self.committed = committed;
        self.state = state;
        self.forget_answers();
        match news {
            Some(rows) => effects.extend(
                rows.into_iter()
                    .zip(shown + 1..)
                    .map(|(row, seq)| Effect::Publish(Frame::new(None, Some(seq), protocol::update(&row)))),
            ),
            // Folded already.
            None => effects.push(Effect::Skip),
        }
        let mut failed = Vec::new();
        if let Some(edit) = self.unstorable.take() {
            self.pending_bytes -= edit.bytes();
            self.fail(&edit, &Refusal::Unstorable);
            failed.push((edit, Refusal::Unstorable));
        }
        let none = HashSet::new();
        for mut edit in std::mem::take(&mut self.pending) {
            let writer = Writer {
                user: edit.participant.user,
                merged: &edit.participant.merged,
                may_write: true,
                ended: self.seats.get(&edit.connection).map_or(&none, |seat| &seat.ended),
            };
            // Whose a client is was settled when the edit came, whoever announced it since.
            let user = edit.participant.user;
            let claims = edit.admitted.claims.iter();
            let own = claims.filter(|(_, owner)| *owner != Owner::Closed).map(|&(client, _)| (client, user)).collect();
            let context = Context { committed: &self.committed.clocks, announced: &own };
            let decision = gate::decide(&self.state, &writer, &context, &edit.admitted.update);
            self.pending_bytes -= edit.bytes();
            if let Some(refusal) = decision.refused.or(decision.parked.map(|_| Refusal::Incomplete)) {
                self.fail(&edit, &refusal);
                failed.push((edit.clone(), refusal));
            }
            if let Some(admitted) = decision.admitted {
                self.state.admit(&admitted);
                edit.admitted = admitted;
                self.pending_bytes += edit.bytes();
                self.pending.push_back(edit);
            }
        }
        if self.pending.is_empty() {
            self.settled = self.admitted;
        }
        self.refuse_lost(&failed);
        for seat in self.seats.values_mut() {
            seat.settle_early(&self.state, self.admitted);
        }
        self.pay_all(effects);
        self.retry_parked(self.state.clocks.iter().map(|(client, _)| client).collect(), now, effects);
        self.look_again(effects);
    }

    /// Ends the room: its document's history has ended.
    pub(super) fn end(&mut self, close: Close, effects: &mut Vec<Effect>) {
        self.ended = Some(close);
        self.in_flight = None;
        self.unstorable = None;
        self.pending.clear();
        self.pending_bytes = 0;
        for (connection, seat) in std::mem::take(&mut self.seats) {
            for _ in 0..seat.debts.len() {
                effects.push(Effect::Send(connection, Message::Refused(Refusal::Gone)));
            }
            effects.push(Effect::Send(connection, Message::Ended(close)));
        }
    }
}

/// The rows after row `seq`; `None` where a snapshot holds some of them.
fn rows_after(loaded: &Loaded, seq: i64) -> Option<Vec<Bytes>> {
    let after = usize::try_from(loaded.head.seq - seq).ok()?;
    let from = loaded.rows.len().checked_sub(after)?;
    Some(loaded.rows[from..].to_vec())
}
