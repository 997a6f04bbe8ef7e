//! What one connection is owed: one answer for each of its SyncStep2s and Updates, in their order.

use std::collections::VecDeque;

use super::seat::Ordinal;
use crate::gate::{Extent, Refusal};

/// Names a debt among those of its connection, for good.
pub(super) type DebtId = u64;

/// What is owed for one frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Debt {
    /// "Saved", once this edit is settled.
    Commit(Ordinal),
    /// "Saved", once everything admitted up to here is settled; nothing in the frame was new.
    Known(Ordinal),
    /// Nothing yet: it came too early, in part or whole.
    Early(Box<Extent>),
    /// "Refused", whatever becomes of its other parts.
    Refused(Refusal),
}

/// The open debts of a connection.
#[derive(Debug, Default)]
pub(super) struct Debts {
    open: VecDeque<Debt>,
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
        self.open.push_back(debt);
        self.paid + self.open.len() as u64 - 1
    }

    /// Notes what became of a frame.
    pub(super) fn change(&mut self, id: DebtId, debt: Debt) {
        let at = id.checked_sub(self.paid).and_then(|at| usize::try_from(at).ok());
        if let Some(open) = at.and_then(|at| self.open.get_mut(at)) {
            replace(open, debt, &mut self.early);
        }
    }

    /// Changes those for which there is a change.
    pub(super) fn change_all(&mut self, change: impl Fn(&Debt) -> Option<Debt>) {
        for open in &mut self.open {
            if let Some(debt) = change(open) {
                replace(open, debt, &mut self.early);
            }
        }
    }

    /// Takes the first, if it is due when everything up to an edit is settled: saved, or why not.
    pub(super) fn pay(&mut self, settled: Ordinal) -> Option<Result<(), Refusal>> {
        match self.open.front()? {
            Debt::Early(_) => return None,
            Debt::Commit(ordinal) | Debt::Known(ordinal) if *ordinal > settled => return None,
            Debt::Commit(_) | Debt::Known(_) | Debt::Refused(_) => {}
        }
        self.paid += 1;
        match self.open.pop_front()? {
            Debt::Refused(refusal) => Some(Err(refusal)),
            _ => Some(Ok(())),
        }
    }
}

/// A refusal stays.
fn replace(open: &mut Debt, debt: Debt, early: &mut usize) {
    if !matches!(open, Debt::Refused(_)) {
        *early -= usize::from(matches!(open, Debt::Early(_)));
        *early += usize::from(matches!(debt, Debt::Early(_)));
        *open = debt;
    }
}
