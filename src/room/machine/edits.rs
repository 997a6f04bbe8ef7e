//! How the machine takes an edit in, and how it answers for it.

use std::cell::Cell;

use bytes::Bytes;

use super::{Edit, EditKind, Effect, Machine, Message, millis};
use crate::gate::{self, Admitted, Context, Decision, Extent, Refusal, Writer};
use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol::close::Close;
use crate::room::debts::{Debt, DebtId, Unclear};
use crate::room::presence::Millis;
use crate::room::seat::{Ordinal, Seat};
use crate::update::{ClientId, Kind, StateVector, Struct, scan};

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
        let debt = (!unowed).then(|| seat.debts.owe(Debt::Saved(self.admitted)));
        let mut decision = self.decide(connection, update, gate::decide);
        if kind == EditKind::Posted && decision.parked.is_some() {
            decision = Decision { refused: Some(Refusal::Incomplete), ..Decision::default() };
        }
        self.count(&decision);
        let repeated = debt.filter(|_| may_repeat(&decision, update)).and_then(|_| self.repeated(update));
        let (through, rests) = repeated.unwrap_or_default();
        let known = decision.is_known().then_some(Debt::Saved(through));
        let deletions = std::mem::take(&mut decision.unclear);
        let seq = self.committed.head.seq;
        let unclear = (!deletions.is_empty()).then(|| Debt::Unclear(Box::new(Unclear { deletions, seq, through })));
        let standing = unclear.or(known);
        let advanced = self.take_in(connection, decision, debt);
        let mut asks = false;
        if let Some(seat) = self.seats.get_mut(&connection) {
            if let Some(debt) = debt {
                if !rests.is_empty() {
                    seat.debts.rest(debt, &rests);
                }
                if let Some(standing) = standing {
                    asks = matches!(standing, Debt::Unclear(_));
                    seat.debts.change(debt, standing);
                }
            }
            if unowed {
                seat.settle_early(&self.state, self.admitted);
            }
            seat.wait_until(now + millis(limits::PARKED_TIME));
        }
        if asks {
            self.clear_up(effects);
        }
        self.pay(connection, effects);
        self.retry_parked(advanced, now, effects);
    }

    fn decide(
        &self,
        connection: ConnectionId,
        update: &Bytes,
        decide: fn(&gate::State, &Writer<'_>, &Context<'_>, &Bytes) -> Decision,
    ) -> Decision {
        let Some(seat) = self.seats.get(&connection) else { return Decision::default() };
        let writer = Writer {
            user: seat.participant.user,
            merged: &seat.participant.merged,
            may_write: seat.may_write,
            ended: &seat.ended,
        };
        let context = Context { committed: &self.committed.clocks, announced: self.presence.announced() };
        self.within_quota(decide(&self.state, &writer, &context, update))
    }

    /// Refuses what the project has no room for. Deletions always have room: they are how it becomes smaller.
    fn within_quota(&self, decision: Decision) -> Decision {
        let (Some(share), Some(admitted)) = (&self.share, &decision.admitted) else { return decision };
        if admitted.clocks.is_empty() || share.has_room(admitted.update.len()) {
            return decision;
        }
        let refused = Some(Refusal::ProjectFull(share.most()));
        let grown = admitted.clocks.iter().map(|&(client, _)| client);
        let ended = decision.ended.iter().copied().chain(grown).collect();
        Decision { refused, ended, ..Decision::default() }
    }

    /// What an update repeats of the edits that are not committed, and the newest of these: what becomes of the others
    /// is nothing to it.
    fn repeated(&self, update: &Bytes) -> Option<(Ordinal, Extent)> {
        self.uncommitted().next()?;
        let scan = scan(update).ok()?;
        let mut extent = Extent::default();
        for section in &scan.sections {
            let content = scan.structs_of(section).iter().rfind(|one| one.kind != Kind::Skip);
            let end = content.map_or(0, Struct::end).min(self.state.clocks.get(section.client));
            if end > section.clock.max(self.committed.clocks.get(section.client)) {
                extent.clocks.raise(section.client, end);
            }
        }
        let mut newest = None;
        for edit in self.uncommitted() {
            let deleted = &edit.admitted.deleted;
            let common = deleted.subtract(&deleted.subtract(&scan.deletions));
            let writes = |&(client, _): &(ClientId, u32)| extent.clocks.get(client) > 0;
            if !common.is_empty() || edit.admitted.clocks.iter().any(writes) {
                extent.deletions.union(&common);
                newest = newest.max(Some(edit.ordinal));
            }
        }
        Some((newest?, extent))
    }

    /// Answers readers whose deletions may follow from the document itself, as far as it is known what does; asks for
    /// it where it is not.
    pub(super) fn clear_up(&mut self, effects: &mut Vec<Effect>) {
        let tally = &self.tally;
        let mut left = false;
        let implied = self.implied.as_ref();
        let mut cleared = Vec::new();
        for (&connection, seat) in &mut self.seats {
            let (open, unclear) = (Cell::new(false), Cell::new(false));
            seat.debts.change_all(|debt| {
                let Debt::Unclear(one) = debt else { return None };
                open.set(true);
                // What follows from a document follows from all that it becomes.
                if implied.is_some_and(|(_, implied)| implied.contains_all(&one.deletions)) {
                    tally.known.add();
                    return Some(Debt::Saved(one.through));
                }
                if implied.is_some_and(|&(seq, _)| one.seq <= seq) {
                    tally.refused.add();
                    return Some(Debt::Refused(Refusal::ReadOnly));
                }
                unclear.set(true);
                None
            });
            left |= unclear.get();
            cleared.extend(open.get().then_some(connection));
        }
        if left && !std::mem::replace(&mut self.implying, true) {
            effects.push(Effect::Imply(self.committed.question(StateVector::default())));
        }
        for connection in cleared {
            self.pay(connection, effects);
        }
    }

    fn count(&self, decision: &Decision) {
        let tally = &self.tally;
        for (happened, counter) in [
            (decision.admitted.is_some(), &tally.admitted),
            (decision.parked.is_some(), &tally.parked),
            (decision.is_known(), &tally.known),
        ] {
            if happened {
                counter.add();
            }
        }
        if let Some(refused) = &decision.refused {
            tally.refuse(refused.code());
        }
    }

    /// Carries a decision out, on a frame or on what was parked of one. Answers the clients that got further.
    fn take_in(&mut self, connection: ConnectionId, decision: Decision, debt: Option<DebtId>) -> Vec<ClientId> {
        let Some(seat) = self.seats.get_mut(&connection) else { return Vec::new() };
        let mut standing = Debt::Saved(self.admitted);
        let mut advanced = Vec::new();
        if let Some(admitted) = decision.admitted {
            self.admitted += 1;
            standing = Debt::Saved(self.admitted);
            seat.last_admitted = self.admitted;
            self.state.admit(&admitted);
            advanced = admitted.clocks.iter().map(|&(client, _)| client).collect();
            let participant = seat.participant.clone();
            let edit = Edit { ordinal: self.admitted, connection, debt, participant, admitted };
            self.pending_bytes += edit.bytes();
            self.pending.push_back(edit);
        }
        if let Some(early) = decision.parked {
            standing = seat.park(early, debt);
        }
        let refused = decision.refused.is_some();
        standing = decision.refused.map_or(standing, Debt::Refused);
        if let Some(debt) = debt {
            seat.debts.change(debt, standing);
        }
        if refused {
            seat.ended.extend(decision.ended);
            seat.settle_early(&self.state, self.admitted);
        }
        advanced
    }

    /// Decides again on parked edits that may go on now that these clients have written, until nothing gets further.
    pub(super) fn retry_parked(&mut self, mut advanced: Vec<ClientId>, now: Millis, effects: &mut Vec<Effect>) {
        while !advanced.is_empty() {
            let mut further = Vec::new();
            let waiting = |(&connection, seat): (&ConnectionId, &Seat)| (!seat.parked.is_empty()).then_some(connection);
            let connections: Vec<ConnectionId> = self.seats.iter().filter_map(waiting).collect();
            for connection in connections {
                let Some(seat) = self.seats.get_mut(&connection) else { continue };
                let due = seat.take_due(&advanced, &self.state);
                if due.is_empty() {
                    continue;
                }
                for parked in due {
                    let decision = self.decide(connection, &parked.update, gate::decide_again);
                    further.extend(self.take_in(connection, decision, parked.debt));
                }
                if let Some(seat) = self.seats.get_mut(&connection) {
                    seat.wait_until(now + millis(limits::PARKED_TIME));
                }
                self.pay(connection, effects);
            }
            advanced = further;
        }
    }

    /// Pays what is due to a connection, in order.
    pub(super) fn pay(&mut self, connection: ConnectionId, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        while let Some(due) = seat.debts.pay(self.settled) {
            let message = due.map_or_else(Message::Refused, |()| Message::Saved);
            effects.push(Effect::Send(connection, message));
        }
    }

    /// Notes that an edit will never be saved.
    pub(super) fn fail(&mut self, edit: &Edit, refusal: &Refusal) {
        if let Some(seat) = self.seats.get_mut(&edit.connection) {
            seat.ended.extend(edit.admitted.clocks.iter().map(|&(client, _)| client));
            if let Some(debt) = edit.debt {
                seat.debts.change(debt, Debt::Refused(refusal.clone()));
            }
        }
    }

    /// Refuses the frames that repeated what is lost with these edits, as those were refused that brought it.
    pub(super) fn refuse_lost(&mut self, failed: &[(Edit, Refusal)]) {
        if failed.is_empty() {
            return;
        }
        let state = &self.state;
        let lost = |extent: &Extent| {
            if extent.is_covered(state) {
                return None;
            }
            let clients: Vec<ClientId> = extent.missing(state).collect();
            let brought = |edit: &Edit| {
                let deleted = &edit.admitted.deleted;
                edit.admitted.clocks.iter().any(|(client, _)| clients.contains(client))
                    || deleted.subtract(&extent.deletions) != *deleted
            };
            let refusal = failed.iter().find(|(edit, _)| brought(edit)).map(|(_, refusal)| refusal.clone());
            Some((refusal.unwrap_or(Refusal::Incomplete), clients))
        };
        for seat in self.seats.values_mut() {
            let ended = seat.debts.refuse_lost(lost);
            seat.ended.extend(ended);
        }
    }

    /// Asks for everything again where something never came, and refuses it where that was in vain.
    pub(super) fn meet_deadline(&mut self, connection: ConnectionId, now: Millis, effects: &mut Vec<Effect>) {
        let Some(seat) = self.seats.get_mut(&connection) else { return };
        if seat.deadline.is_none_or(|deadline| deadline > now) {
            return;
        }
        seat.settle_early(&self.state, self.admitted);
        if seat.is_waiting() && seat.resyncs < limits::RESYNCS {
            seat.drop_parked();
            seat.resyncs += 1;
            seat.unowed += 1;
            seat.deadline = Some(now + millis(limits::PARKED_TIME));
            self.tally.resyncs.add();
            let question = self.question();
            effects.push(Effect::Send(connection, Message::Other(question)));
        } else {
            seat.drop_parked();
            let incomplete = || Some(Debt::Refused(Refusal::Incomplete));
            seat.debts.change_all(|debt| matches!(debt, Debt::Early(_)).then(incomplete).flatten());
            seat.deadline = None;
            seat.resyncs = 0;
        }
        self.pay(connection, effects);
    }
}

/// Whether an update may hold anything that the document had before: not if all of it is new, or all is refused.
fn may_repeat(decision: &Decision, update: &Bytes) -> bool {
    let whole = |admitted: &Admitted| std::ptr::eq(admitted.update.as_ptr(), update.as_ptr());
    decision.refused.is_none() && !decision.admitted.as_ref().is_some_and(whole)
}
