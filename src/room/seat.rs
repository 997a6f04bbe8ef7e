//! One connection's place in a room: what it may do, what of it waits, and what it is still owed.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use bytes::Bytes;

use super::debts::{Debt, DebtId, Debts};
use super::participant::Participant;
use super::presence::Millis;
use crate::gate::{Early, Refusal, State};
use crate::limits;
use crate::update::ClientId;

/// Counts the updates that a room admitted, in order; an edit is saved when the room has settled its ordinal.
pub(super) type Ordinal = u64;

/// A connection, as its room knows it.
#[derive(Debug)]
pub(super) struct Seat {
    /// Whose connection it is.
    pub(super) participant: Arc<Participant>,
    /// Whether the role allows edits.
    pub(super) may_write: bool,
    /// The last row when it came; it follows the ring from there.
    pub(super) joined: i64,
    /// What is owed for its SyncStep2s and Updates.
    pub(super) debts: Debts,
    /// ClientIDs whose writing ended with a refusal.
    pub(super) ended: HashSet<ClientId>,
    /// Edits that came too early.
    pub(super) parked: Vec<Parked>,
    parked_bytes: usize,
    /// When everything is asked for again, unless what came too early has gone on by then.
    pub(super) deadline: Option<Millis>,
    /// How often everything was asked for again since nothing waited last.
    pub(super) resyncs: u32,
    /// SyncStep2s that are to come because the room asked on its own account, and are owed nothing.
    pub(super) unowed: u32,
    /// The last of its own edits that was admitted.
    pub(super) last_admitted: Ordinal,
    /// Presence that keeps its place behind those edits.
    pub(super) held: Option<Held>,
}

/// An edit that came too early.
#[derive(Debug)]
pub(super) struct Parked {
    /// The edit.
    pub(super) update: Bytes,
    /// The clocks that must come first; see [`Early`].
    waits: HashMap<ClientId, u32>,
    /// What is owed for its frame.
    pub(super) debt: Option<DebtId>,
}

/// Presence that waits.
#[derive(Debug)]
pub(super) struct Held {
    /// Whose states are to be told.
    pub(super) clients: BTreeSet<ClientId>,
    /// The edit they wait for.
    pub(super) behind: Ordinal,
    /// When they are told anyway.
    pub(super) until: Millis,
}

impl Seat {
    /// A new connection's.
    #[must_use]
    pub(super) fn new(participant: Arc<Participant>, may_write: bool, joined: i64) -> Self {
        Self {
            participant,
            may_write,
            joined,
            debts: Debts::default(),
            ended: HashSet::new(),
            parked: Vec::new(),
            parked_bytes: 0,
            deadline: None,
            resyncs: 0,
            unowed: 0,
            last_admitted: 0,
            held: None,
        }
    }

    /// Keeps what came too early, unless that is too much: then everything is asked for again, at once if it was not yet.
    /// Answers what is owed for it.
    pub(super) fn park(&mut self, early: Early, debt: Option<DebtId>) -> Debt {
        let Early { update, waits, extent } = early;
        let bytes = update.len() + limits::EDIT_OVERHEAD;
        if self.parked_bytes + bytes <= limits::PARKED_BYTES {
            self.parked_bytes += bytes;
            self.parked.push(Parked { update, waits, debt });
        } else if self.resyncs == 0 {
            self.deadline = Some(0);
        }
        Debt::Early(Box::new(extent))
    }

    /// Takes out the parked edits that may go on after these clients have written.
    pub(super) fn take_due(&mut self, advanced: &[ClientId], state: &State) -> Vec<Parked> {
        let due: Vec<Parked> = self.parked.extract_if(.., |parked| parked.may_go_on(advanced, state)).collect();
        self.parked_bytes -= due.iter().map(|parked| parked.update.len() + limits::EDIT_OVERHEAD).sum::<usize>();
        due
    }

    /// Lets go of everything parked: it was asked for again, or is refused.
    pub(super) fn drop_parked(&mut self) {
        self.parked.clear();
        self.parked_bytes = 0;
    }

    /// Whether anything that came too early waits, or is owed for.
    pub(super) fn is_waiting(&self) -> bool {
        !self.parked.is_empty() || self.debts.has_early()
    }

    /// Sets the deadline if something waits and there is none, and takes it back if nothing does.
    pub(super) fn wait_until(&mut self, deadline: Millis) {
        if self.is_waiting() {
            self.deadline.get_or_insert(deadline);
        } else {
            self.deadline = None;
            self.resyncs = 0;
        }
    }

    /// Notes which of what came too early has come another way, and what of it never will.
    pub(super) fn settle_early(&mut self, state: &State, admitted: Ordinal) {
        if !self.debts.has_early() {
            return;
        }
        let ended = &self.ended;
        self.debts.change_all(|debt| {
            let Debt::Early(extent) = debt else { return None };
            if extent.is_covered(state) {
                return Some(Debt::Saved(admitted));
            }
            let lost = extent.lost(state, |client| ended.contains(&client));
            lost.map(|client| Debt::Refused(Refusal::Ended(client)))
        });
    }
}

impl Parked {
    fn may_go_on(&self, advanced: &[ClientId], state: &State) -> bool {
        advanced.iter().any(|&client| self.waits.get(&client).is_some_and(|&clock| clock < state.clocks.get(client)))
    }
}
