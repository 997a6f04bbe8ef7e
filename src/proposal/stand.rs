//! Where a hunk and a proposal stand. What a proposal is follows from its hunks alone.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a hunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum HunkState {
    /// It waits for a decision.
    Pending,
    /// It was written.
    Accepted,
    /// It was not wanted.
    Rejected,
    /// It could not be written any more.
    Stale,
    /// It was written, and taken back.
    Undone,
}

/// Why a hunk cannot be written any more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stale {
    /// What it was made from does not stand there any more.
    #[default]
    Changed,
    /// Its file was deleted.
    Deleted,
    /// Its file was moved by somebody else.
    Moved,
    /// Something else is where its file was to be.
    PathTaken,
}

/// Where a proposal stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = ProposalState)]
pub enum State {
    /// Nothing of it was written yet, and something still may be.
    Pending,
    /// All of it was written.
    Accepted,
    /// Some of it was written; some was not, or still waits.
    Partly,
    /// Nothing of it was wanted.
    Rejected,
    /// Nothing of it could be written any more.
    Stale,
    /// What was written of it was taken back.
    Undone,
}

impl HunkState {
    const ALL: [Self; 5] = [Self::Pending, Self::Accepted, Self::Rejected, Self::Stale, Self::Undone];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
            Self::Undone => "undone",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

impl Stale {
    const ALL: [Self; 4] = [Self::Changed, Self::Deleted, Self::Moved, Self::PathTaken];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Moved => "moved",
            Self::PathTaken => "path_taken",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|why| why.word() == word)
    }

    /// In words for people.
    #[must_use]
    pub fn said(self) -> &'static str {
        match self {
            Self::Changed => "the text it was made from has changed since",
            Self::Deleted => "its file was deleted",
            Self::Moved => "its file was moved meanwhile",
            Self::PathTaken => "there is another file at its path",
        }
    }
}

impl State {
    const ALL: [Self; 6] = [Self::Pending, Self::Accepted, Self::Partly, Self::Rejected, Self::Stale, Self::Undone];

    /// The word for it in the API and in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Accepted => "accepted",
            Self::Partly => "partly",
            Self::Rejected => "rejected",
            Self::Stale => "stale",
            Self::Undone => "undone",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// What a proposal is whose hunks stand so.
    pub(super) fn of(hunks: impl Iterator<Item = HunkState> + Clone) -> Self {
        let any = |state| hunks.clone().any(|hunk| hunk == state);
        if any(HunkState::Accepted) {
            if hunks.clone().all(|hunk| hunk == HunkState::Accepted) { Self::Accepted } else { Self::Partly }
        } else if any(HunkState::Undone) {
            Self::Undone
        } else if any(HunkState::Pending) {
            Self::Pending
        } else if any(HunkState::Rejected) {
            Self::Rejected
        } else {
            Self::Stale
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proposal_is_follows_from_its_hunks() {
        use HunkState::{Accepted, Pending, Rejected, Stale, Undone};
        for (hunks, state) in [
            (&[Pending, Pending][..], State::Pending),
            (&[Pending, Rejected, Stale], State::Pending),
            (&[Accepted, Accepted], State::Accepted),
            (&[Accepted, Pending], State::Partly),
            (&[Accepted, Stale], State::Partly),
            (&[Accepted, Undone], State::Partly),
            (&[Rejected, Stale], State::Rejected),
            (&[Stale, Stale], State::Stale),
            (&[Undone, Rejected], State::Undone),
        ] {
            assert_eq!(State::of(hunks.iter().copied()), state, "{hunks:?}");
        }
    }

    #[test]
    fn words_go_both_ways() {
        assert!(HunkState::ALL.iter().all(|state| HunkState::from_word(state.word()) == Some(*state)));
        assert!(Stale::ALL.iter().all(|why| Stale::from_word(why.word()) == Some(*why)));
        assert!(State::ALL.iter().all(|state| State::from_word(state.word()) == Some(*state)));
    }
}
