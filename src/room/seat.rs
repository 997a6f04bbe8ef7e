//! One connection's place in a room: what it may do, and what it is still owed.

use std::collections::{BTreeSet, HashSet, VecDeque};

use super::participant::Participant;
use super::presence::Millis;
use crate::gate::{Early, Refusal};
use crate::update::ClientId;

/// Counts the updates that a room admitted, in order; an edit is saved when the room has settled its ordinal.
pub(super) type Ordinal = u64;

/// A connection, as its room knows it.
#[derive(Debug)]
pub(super) struct Seat {
    /// Whose connection it is.
    pub(super) participant: Participant,
    /// Whether the role allows edits.
    pub(super) may_write: bool,
    /// What is owed for each SyncStep2 and Update, in order.
    pub(super) debts: VecDeque<Debt>,
    /// ClientIDs whose writing ended with a refusal.
    pub(super) ended: HashSet<ClientId>,
    /// Edits that came too early.
    pub(super) parked: Vec<Parked>,
    /// How often it was asked to send everything again since something of it was last admitted.
    pub(super) resyncs: u32,
    /// SyncStep2s that are to come because the room asked on its own account, and are owed nothing.
    pub(super) unowed: u32,
    /// The last of its own edits that was admitted.
    pub(super) last_admitted: Ordinal,
    /// Presence that keeps its place behind those edits.
    pub(super) held: Option<Held>,
}

/// What is owed for one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Debt {
    /// "Saved", once this edit is settled.
    Commit(Ordinal),
    /// "Saved", once everything admitted up to here is settled; nothing in the frame was new.
    Known(Ordinal),
    /// "Saved", once what came too early is covered and settled.
    Covered(Box<Early>),
    /// "Refused".
    Refused(Refusal),
}

/// An edit that came too early.
#[derive(Debug)]
pub(super) struct Parked {
    /// The edit.
    pub(super) early: Early,
    /// When everything is to be asked for again.
    pub(super) expires_at: Millis,
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
    pub(super) fn new(participant: Participant, may_write: bool) -> Self {
        Self {
            participant,
            may_write,
            debts: VecDeque::new(),
            ended: HashSet::new(),
            parked: Vec::new(),
            resyncs: 0,
            unowed: 0,
            last_admitted: 0,
            held: None,
        }
    }

    /// Bytes parked.
    #[must_use]
    pub(super) fn parked_bytes(&self) -> usize {
        self.parked.iter().map(|parked| parked.early.update.len()).sum()
    }
}
