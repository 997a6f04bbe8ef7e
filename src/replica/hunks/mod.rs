//! What a worker does for proposals: it cuts the way from one text to another into hunks, finds out whether they still fit
//! what a document says, applies them, and takes back what was applied.
//!
//! A hunk is held by the ids of its first and its last unit, so it follows its text wherever that goes. It fits while what
//! stands between them is what it was made from; one that replaces nothing is held by its two neighbours.

mod apply;
mod propose;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use yrs::block::ClientID;
use yrs::{Assoc, ID, IndexedSequence, ReadTxn, StickyIndex, TextRef};

pub(super) use self::apply::{apply, fit, revert};
pub(super) use self::propose::propose;

/// What a text is to become.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wanted {
    /// Another text.
    Text {
        /// What it was made from; `None`: what is there now.
        base: Option<String>,
        /// The text.
        text: String,
    },
    /// What is there now with some of it replaced.
    Edits(Vec<Replacement>),
}

/// A part of a text and what it becomes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Replacement {
    /// The one place that says this.
    Found {
        /// What it says.
        find: String,
        /// What it becomes.
        replace: String,
    },
    /// UTF-16 units, the last not included.
    Range {
        /// The first.
        from: u32,
        /// The one after the last.
        to: u32,
        /// What they become.
        replace: String,
    },
}

/// A change of neighbouring lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hunk {
    /// Its first line in the text it was made from, counted from 1.
    pub line: usize,
    /// Where it is held; `None` where the text it was made from is not there any more.
    pub anchor: Option<Anchor>,
    /// The lines as they were.
    pub before: String,
    /// The lines as they are to be.
    pub after: String,
}

/// What a hunk is held by, and what must stand there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// Its first unit: client and clock; `None`: the beginning of the document.
    pub start: Option<(u64, u32)>,
    /// Its last unit; `None`: the end of the document.
    pub end: Option<(u64, u32)>,
    /// The character before the place of a hunk that replaces nothing.
    pub lead: String,
    /// The character behind it.
    pub trail: String,
}

/// A hunk to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// Where.
    pub anchor: Anchor,
    /// What must stand there.
    pub before: String,
    /// What it becomes.
    pub after: String,
}

/// What became of hunks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fitted {
    /// For each the line where it is now, counted from 1; `None` for those that do not fit.
    pub lines: Vec<Option<usize>>,
    /// The edit that applies those that fit.
    #[serde(with = "serde_bytes")]
    pub update: Vec<u8>,
    /// The client of that edit.
    pub client: u64,
    /// What it removes.
    pub gone: Vec<Gone>,
}

/// A text that was removed, and where it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gone {
    /// Its first unit: client and clock.
    pub at: (u64, u32),
    /// What it said.
    pub text: String,
}

fn units(text: &str) -> u32 {
    u32::try_from(text.encode_utf16().count()).unwrap_or(u32::MAX)
}

/// The id of the unit at an offset.
fn id_at(text: &TextRef, txn: &impl ReadTxn, offset: u32) -> Option<(u64, u32)> {
    let index = text.sticky_index(txn, offset, Assoc::After)?;
    index.id().map(|id| (id.client.get(), id.clock))
}

/// Where a unit is; where it was if it is gone. After it with [`Assoc::Before`], unless it is gone.
pub(super) fn offset_of(txn: &impl ReadTxn, (client, clock): (u64, u32), assoc: Assoc) -> Option<u32> {
    // Beyond what the library takes for a client; none of ours is.
    if client >= 1 << 53 {
        return None;
    }
    let index = StickyIndex::from_id(ID::new(ClientID::new(client), clock), assoc);
    index.get_offset(txn).map(|offset| offset.index)
}
