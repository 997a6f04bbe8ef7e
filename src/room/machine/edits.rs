//! How the machine takes an edit in, and how it answers for it.

use bytes::Bytes;

use super::{Edit, EditKind, Effect, Machine, Message, millis};
use crate::gate::{self, Admitted, Context, Decision, Refusal, Writer};
use crate::ids::ConnectionId;
use crate::limits;
use crate::protocol::close::Close;
use crate::room::debts::{Debt, DebtId};
use crate::room::presence::Millis;
use crate::room::seat::{Ordinal, Seat};
use crate::update::{ClientId, scan};

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
        let debt = (!unowed).then(|| seat.debts.owe(Debt::Known(self.admitted)));
        let mut decision = self.decide(connection, update);
        if kind == EditKind::Posted && decision.parked.is_some() {
            decision = Decision { refused: Some(Refusal::Incomplete), ..Decision::default() };
        }
        self.count(&decision);
        let repeated = decision.is_known().then(|| self.newest_repeated(update));
        let advanced = self.take_in(connection, decision, debt);
        if let Some(seat) = self.seats.get_mut(&connection) {
            if let (Some(ordinal), Some(debt)) = (repeated, debt) {
                seat.debts.change(debt, Debt::Known(ordinal));
            }
            if unowed {
                seat.settle_early(&self.state, self.admitted);
            }
            seat.wait_until(now + millis(limits::PARKED_TIME));
        }
        self.pay(connection, effects);
        self.retry_parked(advanced, now, effects);
    }

    fn decide(&self, connection: ConnectionId, update: &Bytes) -> Decision {
        let Some(seat) = self.seats.get(&connection) else { return Decision::default() };
        let writer = Writer {
            user: seat.participant.user,
            merged: &seat.participant.merged,
            may_write: seat.may_write,
            ended: &seat.ended,
        };
        let context = Context { committed: &self.committed.clocks, announced: self.presence.announced() };
        gate::decide(&self.state, &writer, &context, update)
    }

    /// The newest edit of which a known update repeats something that is not committed; 0 if there is none, and what
    /// becomes of the edits under way is nothing to it.
    fn newest_repeated(&self, update: &Bytes) -> Ordinal {
        if self.is_settled() {
            return 0;
        }
        let Ok(scan) = scan(update) else { return self.admitted };
        let repeats = |admitted: &Admitted| {
            let writes = |&(client, _): &(ClientId, u32)| {
                scan.section(client).is_some_and(|section| section.end > self.committed.clocks.get(client))
            };
            admitted.clocks.iter().any(writes) || scan.deletions.subtract(&admitted.deleted) != scan.deletions
        };
        self.uncommitted().filter(|edit| repeats(&edit.admitted)).map(|edit| edit.ordinal).max().unwrap_or(0)
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

    /// Carries a decision out, on a frame or on what was parked of one. Answers the clients that got further.
    fn take_in(&mut self, connection: ConnectionId, decision: Decision, debt: Option<DebtId>) -> Vec<ClientId> {
        let Some(seat) = self.seats.get_mut(&connection) else { return Vec::new() };
        let mut standing = Debt::Known(self.admitted);
        let mut advanced = Vec::new();
        if let Some(admitted) = decision.admitted {
            self.admitted += 1;
            standing = Debt::Commit(self.admitted);
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
                    let decision = self.decide(connection, &parked.update);
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

    /// Notes that an edit will never be saved. Frames that were known because of it may be wrong about that, so what
    /// is owed for them becomes a refusal too.
    pub(super) fn fail(&mut self, edit: &Edit, refusal: &Refusal) {
        if let Some(seat) = self.seats.get_mut(&edit.connection) {
            seat.ended.extend(edit.admitted.clocks.iter().map(|&(client, _)| client));
            if let Some(debt) = edit.debt {
                seat.debts.change(debt, Debt::Refused(refusal.clone()));
            }
        }
        for seat in self.seats.values_mut() {
            seat.debts.change_all(|debt| match debt {
                Debt::Known(ordinal) if *ordinal >= edit.ordinal => Some(Debt::Refused(refusal.clone())),
                _ => None,
            });
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
