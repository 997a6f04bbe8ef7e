//! What one connection is owed: one answer for each of its SyncStep2s and Updates, in their order.

use std::collections::VecDeque;

use super::seat::Ordinal;
use crate::gate::{Extent, Refusal};
use crate::update::{ClientId, IdSet};

/// Names a debt among those of its connection, for good.
pub(super) type DebtId = u64;

/// What is owed for one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Debt {
    /// "Saved", once everything admitted up to this edit is settled.
    Saved(Ordinal),
    /// Nothing yet: it came too early, in part or whole.
    Early(Box<Extent>),
    /// Nothing yet: a reader's deletions, of which it is asked whether they follow from the document itself.
    Unclear(Box<Unclear>),
    /// "Refused", whatever becomes of its other parts.
    Refused(Refusal),
}

/// Deletions that a reader sent and that may be no news.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unclear {
    /// The ids.
    pub(super) deletions: IdSet,
    /// The last row when they came: all that the reader can have seen.
    pub(super) seq: i64,
    /// The edit that "saved" waits for if they are none.
    pub(super) through: Ordinal,
}

#[derive(Debug)]
struct Open {
    debt: Debt,
    /// What of the frame came to the room in other frames and was not committed yet: if that is lost, so is this.
    rests: Option<Box<Extent>>,
}

/// The open debts of a connection.
#[derive(Debug, Default)]
pub(super) struct Debts {
    open: VecDeque<Open>,
    /// How many were paid: the id of the first that is open.
    paid: DebtId,
    /// How many of them came too early.
    early: usize,
}

impl Debts {
    /// How many are open.
    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether something that came too early is owed for.
    pub(super) fn has_early(&self) -> bool {
        self.early > 0
    }

    /// Owes for one more frame.
    pub(super) fn owe(&mut self, debt: Debt) -> DebtId {
        self.early += usize::from(matches!(debt, Debt::Early(_)));
        self.open.push_back(Open { debt, rests: None });
        self.paid + self.open.len() as u64 - 1
    }

    fn find(&mut self, id: DebtId) -> Option<&mut Open> {
        let at = usize::try_from(id.checked_sub(self.paid)?).ok()?;
        self.open.get_mut(at)
    }

    /// Notes what became of a frame.
    pub(super) fn change(&mut self, id: DebtId, debt: Debt) {
        let mut early = self.early;
        if let Some(open) = self.find(id) {
            open.replace(debt, &mut early);
        }
        self.early = early;
    }

    /// Notes that a frame repeats what is not committed yet.
    pub(super) fn rest(&mut self, id: DebtId, on: &Extent) {
        if let Some(open) = self.find(id) {
            open.rest(on);
        }
    }

    /// Changes those for which there is a change.
    pub(super) fn change_all(&mut self, change: impl Fn(&Debt) -> Option<Debt>) {
        for open in &mut self.open {
            if let Some(debt) = change(&open.debt) {
                open.replace(debt, &mut self.early);
            }
        }
    }

    /// Refuses those that rest on what was lost. Answers the clients of whom something was.
    pub(super) fn refuse_lost(&mut self, lost: impl Fn(&Extent) -> Option<(Refusal, Vec<ClientId>)>) -> Vec<ClientId> {
        let mut clients = Vec::new();
        for open in &mut self.open {
            if let Some((refusal, of)) = open.rests.as_deref().and_then(&lost) {
                open.replace(Debt::Refused(refusal), &mut self.early);
                open.rests = None;
                clients.extend(of);
            }
        }
        clients
    }

    /// Takes the first, if it is due when everything up to an edit is settled: saved, or why not.
    pub(super) fn pay(&mut self, settled: Ordinal) -> Option<Result<(), Refusal>> {
        match self.open.front()?.debt {
            Debt::Early(_) | Debt::Unclear(_) => return None,
            Debt::Saved(ordinal) if ordinal > settled => return None,
            Debt::Saved(_) | Debt::Refused(_) => {}
        }
        self.paid += 1;
        match self.open.pop_front()?.debt {
            Debt::Refused(refusal) => Some(Err(refusal)),
            _ => Some(Ok(())),
        }
    }
}

impl Open {
    /// A refusal stays. What came too early has come when it is to be saved, in this frame or another.
    fn replace(&mut self, debt: Debt, early: &mut usize) {
        if matches!(self.debt, Debt::Refused(_)) {
            return;
        }
        *early += usize::from(matches!(debt, Debt::Early(_)));
        let before = std::mem::replace(&mut self.debt, debt);
        if let Debt::Early(extent) = before {
            *early -= 1;
            if matches!(self.debt, Debt::Saved(_)) {
                self.rest(&extent);
            }
        }
    }

    fn rest(&mut self, on: &Extent) {
        self.rests.get_or_insert_default().union(on);
    }
}
